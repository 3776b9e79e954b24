/** `pannier demo` as its users run it: what it prints, what it promises, and what it leaves behind (nothing). */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MAIN } from "../support/agent.ts";

const LINE = /^written=(\d+) delivered=(\d+) lag_ms=(\d+) lost=(\d+) doubled=(\d+)$/;

interface Demo {
  readonly child: ChildProcess;
  /** Lines of stdout so far. */
  lines(): string[];
  stderr(): string;
  readonly exited: Promise<number | null>;
}

/** The demo makes its directory here, so that what is left can be seen. */
let directory: string;
let demo: Demo | undefined;
beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), "pannier-demo-test-"));
});
afterEach(async () => {
  demo?.child.kill("SIGTERM");
  await demo?.exited;
  demo = undefined;
  rmSync(directory, { recursive: true, force: true });
});

function start(...args: string[]): Demo {
  const child = spawn(process.execPath, ["--max-semi-space-size=4", MAIN, "demo", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, TMPDIR: directory },
  });
  let out = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const exited = new Promise<number | null>((resolve) => child.on("close", (code) => resolve(code)));
  demo = { child, exited, lines: () => out.split("\n").slice(0, -1), stderr: () => errors };
  return demo;
}

/** `[written, delivered, lag_ms, lost, doubled]` of a line; fails on any other line. */
function numbers(line: string | undefined): number[] {
  expect(line).toMatch(LINE);
  return LINE.exec(line!)!.slice(1).map(Number);
}

/** Processes whose command line names the test's directory: the order-service and the agent. */
function descendants(): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(directory);
    } catch {
      return false;
    }
  });
}

async function until(condition: () => boolean, timeoutMs: number): Promise<void> {
  const giveUpAt = performance.now() + timeoutMs;
  while (!condition() && performance.now() < giveUpAt) await sleep(50);
  expect(condition()).toBe(true);
}

const delivers = (running: Demo): boolean => {
  const last = running.lines().at(-1);
  return last !== undefined && numbers(last)[1] > 0;
};

describe("pannier demo", () => {
  test("prints the contract's line each second and loses and doubles nothing, though the agent is killed", async () => {
    const running = start("--seconds", "12");
    expect(await running.exited, running.stderr()).toBe(0);
    const lines = running.lines().map(numbers);
    // A machine that stands still for a second prints one less.
    expect(lines.length).toBeGreaterThanOrEqual(8);
    const [written, delivered, lagMs, lost, doubled] = lines.at(-1)!;
    expect(written).toBeGreaterThan(2_000);
    expect({ delivered, lagMs, lost, doubled }).toEqual({ delivered: written, lagMs: 0, lost: 0, doubled: 0 });
    expect(running.stderr()).toContain("with -9");
    expect(readdirSync(directory)).toEqual([]);
    expect(descendants()).toEqual([]);
  });

  test.each(["SIGINT", "SIGTERM"] as const)(
    "%s ends it in order: drained, counted, cleaned up, exit 0",
    async (signal) => {
      const running = start();
      await until(() => delivers(running), 30_000);
      running.child.kill(signal);
      expect(await running.exited, running.stderr()).toBe(0);
      const [written, delivered, , lost, doubled] = numbers(running.lines().at(-1));
      expect({ delivered, lost, doubled }).toEqual({ delivered: written, lost: 0, doubled: 0 });
      expect(readdirSync(directory)).toEqual([]);
      expect(descendants()).toEqual([]);
    },
  );

  test("ends well however short it is", async () => {
    const running = start("--seconds", "0.1");
    expect(await running.exited, running.stderr()).toBe(0);
    const [written, delivered, , lost, doubled] = numbers(running.lines().at(-1));
    expect(written).toBeGreaterThan(0);
    expect({ delivered, lost, doubled }).toEqual({ delivered: written, lost: 0, doubled: 0 });
  });

  test("killed with -9 it leaves no process behind", async () => {
    const running = start();
    await until(() => delivers(running), 30_000);
    await until(() => descendants().length >= 2, 20_000);
    running.child.kill("SIGKILL");
    await until(() => descendants().length === 0, 20_000);
  });

  test("a reader that goes away ends it, and nothing is left", async () => {
    const running = start();
    await until(() => delivers(running), 30_000);
    running.child.stdout!.destroy();
    await running.exited;
    await until(() => descendants().length === 0 && readdirSync(directory).length === 0, 20_000);
  });
});
