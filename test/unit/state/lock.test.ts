import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import type { PannierError } from "../../../src/core/errors.ts";
import { askRunning, takeLock } from "../../../src/state/lock.ts";
import type { Lock } from "../../../src/state/lock.ts";
import { Child } from "./process.ts";
import { inDirectory, open } from "./tools.ts";

test("a second pannier is told which process has the directory, and ends with 74", () =>
  inDirectory(async (directory) => {
    const first = new Child("hold", directory);
    await first.line(0);
    const refused = async (): Promise<readonly string[]> => {
      const second = new Child("open", directory);
      expect(await second.ended()).toBe(74);
      return second.lines;
    };
    // It asks for a second, which a machine may stand still for.
    let lines = await refused();
    if (lines[1].includes("did not tell")) lines = await refused();
    expect(lines[0]).toBe("state_locked 74");
    expect(lines[1]).toContain(`process ${first.process.pid}`);
    expect(lines[2]).toContain("state_dir");
    await first.kill();
  }));

test("a lock whose process was killed is taken over at once", () =>
  inDirectory(async (directory) => {
    for (let round = 0; round < 3; round += 1) {
      const child = new Child("hold", directory);
      expect(await child.line(0)).toBe(round === 0 ? "open nothing" : "open crashed");
      await child.kill();
    }
    expect(
      readdirSync(directory)
        .filter((name) => name.startsWith("lock"))
        .toSorted(),
    ).toEqual(["lock.2", "lock.3"]);
  }));

test("a pannier that is stopped (SIGSTOP) still has its lock", () =>
  inDirectory(async (directory) => {
    const first = new Child("hold", directory);
    await first.line(0);
    first.process.kill("SIGSTOP");
    await expect(open(directory)).rejects.toMatchObject({ code: "state_locked", exitCode: 74 });
    await first.kill();
  }));

test("one that dies while it is asked has no lock any more", () =>
  inDirectory(async (directory) => {
    const first = new Child("hold", directory);
    await first.line(0);
    first.process.kill("SIGSTOP");
    const second = open(directory);
    // Long enough that it asks, and much shorter than it waits for an answer.
    await setTimeout(50);
    await first.kill();
    const state = await second;
    expect(state.found).toBe("crashed");
    await state.stop();
  }));

test("of five that start at once over a dead lock, one wins", () =>
  inDirectory(async (directory) => {
    for (let round = 0; round < 3; round += 1) {
      const starters = Array.from({ length: 5 }, () => new Child("hold", directory));
      const firstLines = await Promise.all(starters.map((starter) => starter.line(0)));
      const winners = firstLines.filter((line) => line?.startsWith("open"));
      expect(winners).toHaveLength(1);
      expect(firstLines.filter((line) => !winners.includes(line))).toEqual(
        Array.from({ length: 4 }, () => "state_locked 74"),
      );
      await Promise.all(starters.map((starter) => starter.kill()));
    }
  }));

test("a starter that does not listen yet keeps its name; what a dead one left behind goes", () =>
  inDirectory(async (directory) => {
    const name = join(directory, "lock-new.7.0123456789ab");
    writeFileSync(name, "");
    await (await takeLock(directory)).release();
    expect(existsSync(name)).toBe(true);
    const longAgo = Date.now() / 1_000 - 120;
    utimesSync(name, longAgo, longAgo);
    await (await takeLock(directory)).release();
    expect(existsSync(name)).toBe(false);
  }));

test("never two at once, however starters, stops and dead locks mix", () =>
  inDirectory(async (directory) => {
    let holders = 0;
    let wins = 0;
    const refusals = new Set<unknown>();
    const starter = async (): Promise<void> => {
      for (let turn = 0; turn < 25; turn += 1) {
        let lock: Lock;
        try {
          lock = await takeLock(directory);
        } catch (error) {
          refusals.add((error as PannierError).code);
          await setTimeout(Math.random() * 4);
          continue;
        }
        holders += 1;
        wins += 1;
        expect(holders).toBe(1);
        await setTimeout(Math.random() * 4);
        holders -= 1;
        await lock.release();
      }
    };
    await Promise.all(Array.from({ length: 8 }, starter));
    expect(wins).toBeGreaterThan(10);
    expect([...refusals]).toEqual(["state_locked"]);
    expect(readdirSync(directory).filter((name) => name.startsWith("lock-new"))).toEqual([]);
  }));

test("another command asks the running agent a line", () =>
  inDirectory(async (directory) => {
    expect(await askRunning(directory, "hello")).toBeUndefined();
    expect(await askRunning(join(directory, "missing"), "hello")).toBeUndefined();
    const child = new Child("hold", directory);
    await child.line(0);
    expect(await askRunning(directory, "héllo\t1")).toBe("echo héllo\t1");
    expect(await askRunning(directory, "x".repeat(60_000))).toBe(`echo ${"x".repeat(60_000)}`);
    await expect(askRunning(directory, "x".repeat(200_000))).rejects.toMatchObject({ code: "state_no_answer" });
    await child.kill();
    expect(await askRunning(directory, "hello")).toBeUndefined();
  }));

test("what the agent's handler throws reaches the asker as one line", () =>
  inDirectory(async (directory) => {
    const state = await open(directory);
    await expect(askRunning(directory, "early")).rejects.toThrow("still starting");
    state.onRequest(() => Promise.reject(new Error("no\nway")));
    await expect(askRunning(directory, "x")).rejects.toThrow("no way");
    await state.stop();
  }));

test("a directory whose path is longer than a socket's address can be locked", () =>
  inDirectory(async (base) => {
    const directory = join(base, "d".repeat(100), "e".repeat(100));
    mkdirSync(directory, { recursive: true });
    const child = new Child("hold", directory);
    expect(await child.line(0)).toBe("open nothing");
    expect(await askRunning(directory, "x")).toBe("echo x");
    await expect(open(directory)).rejects.toMatchObject({ code: "state_locked" });
    await child.kill();
    const state = await open(directory);
    expect(state.found).toBe("crashed");
    await state.stop();
  }));
