import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Clock } from "../../../src/core/clock.ts";
import { createLog } from "../../../src/telemetry/log.ts";

let dir: string;
let fd: number;
beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), "pannier-log-"));
  fd = openSync(path.join(dir, "log"), "a");
});
afterEach(() => {
  closeSync(fd);
  rmSync(dir, { recursive: true });
});

const lines = (): Record<string, unknown>[] =>
  readFileSync(path.join(dir, "log"), "utf8")
    .split("\n")
    .slice(0, -1)
    .map((text) => JSON.parse(text) as Record<string, unknown>);

class SteppedClock implements Clock {
  ms = 0;
  nowMs(): number {
    return Date.UTC(2026, 10, 23) + this.ms;
  }
  monotonicMs(): number {
    return this.ms;
  }
}

describe("log", () => {
  test("writes one JSON line with level, time, code, fields and msg, before the call returns", () => {
    const log = createLog({ level: "info", fd, clock: new SteppedClock() });
    log.warn("sink_retrying", "no answer", { sink: "elasticsearch", attempt: 3 });
    expect(lines()).toEqual([
      {
        level: "warn",
        time: "2026-11-23T00:00:00.000Z",
        code: "sink_retrying",
        sink: "elasticsearch",
        attempt: 3,
        msg: "no answer",
      },
    ]);
    log.close();
  });

  test("leaves out what is below its level", () => {
    const log = createLog({ level: "warn", fd });
    log.debug("a", "a");
    log.info("b", "b");
    log.error("c", "c");
    log.close();
    expect(lines().map((line) => line["code"])).toEqual(["c"]);
  });

  test("shows errors by their message and never writes a key twice", () => {
    const log = createLog({ level: "info", fd });
    log.info("x", "m", { cause: new Error("disk on fire"), level: "mine", code: "mine", time: 1, msg: "mine" });
    log.close();
    const text = readFileSync(path.join(dir, "log"), "utf8");
    expect(text.match(/"(level|code|time|msg)":/g)).toHaveLength(4);
    expect(lines()[0]).toMatchObject({ code: "x", cause: "disk on fire", field_level: "mine", field_code: "mine" });
  });

  test("redacts registered values", () => {
    const log = createLog({ level: "info", fd, secrets: () => ["hunter22"] });
    log.info("x", "the password is hunter22", { header: "hunter22" });
    log.close('{"code":"drain","files":[{"path":"/logs/hunter22.log"}]}');
    expect(readFileSync(path.join(dir, "log"), "utf8")).not.toContain("hunter22");
    expect(lines()).toHaveLength(2);
  });

  test("folds repetitions and writes their number with the next line, at a flush and at the end", () => {
    const clock = new SteppedClock();
    const log = createLog({ level: "info", fd, clock });
    for (let i = 0; i < 4; i++) log.warn("sink_down", `attempt ${i}`, { sink: "es" });
    clock.ms = 60_000;
    log.warn("sink_down", "attempt 4", { sink: "es" });
    log.warn("sink_down", "attempt 5", { sink: "es" });
    log.flush();
    log.warn("sink_down", "attempt 6", { sink: "es" });
    log.close('{"code":"drain"}');
    log.error("late", "not written");
    expect(lines().map((line) => [line["code"], line["msg"], line["repeated"]])).toEqual([
      ["sink_down", "attempt 0", undefined],
      ["sink_down", "attempt 4", 3],
      ["sink_down", "attempt 5", 1],
      ["sink_down", "attempt 6", 1],
      ["drain", undefined, undefined],
    ]);
  });

  test("is complete when the process dies in the next moment", () => {
    const module = path.resolve(import.meta.dirname, "../../../src/telemetry/log.ts");
    const script = `
      const { createLog } = await import(${JSON.stringify(module)});
      const log = createLog({ level: "info" });
      for (let i = 0; i < 500; i++) log.info("n" + i, "x".repeat(100));
      process.kill(process.pid, "SIGKILL");`;
    const result = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
    expect(result.signal).toBe("SIGKILL");
    expect(result.stderr.trimEnd().split("\n")).toHaveLength(500);
  });

  test("goes on when nobody reads stderr, and says how much is missing when somebody does", () => {
    const fifo = path.join(dir, "fifo");
    execFileSync("mkfifo", [fifo]);
    const pipe = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    const log = createLog({ level: "info", fd: pipe });
    const startedMs = performance.now();
    // A pipe holds 64 KiB; the rest has nowhere to go.
    for (let i = 0; i < 200; i++) log.info(`n${i}`, "x".repeat(1000));
    expect(performance.now() - startedMs).toBeLessThan(5_000);

    let text = "";
    const chunk = Buffer.alloc(1 << 20);
    const drain = (): void => {
      try {
        for (;;) text += chunk.toString("utf8", 0, readSync(pipe, chunk));
      } catch {
        return;
      }
    };
    drain();
    log.info("back", "again");
    drain();
    closeSync(pipe);
    const read = text.split("\n").flatMap((line) => {
      try {
        return [JSON.parse(line) as Record<string, unknown>];
      } catch {
        return [];
      }
    });
    const whole = read.filter((line) => String(line["code"]).startsWith("n")).length;
    const dropped = read.find((line) => line["code"] === "log_lines_dropped");
    expect(dropped).toBeDefined();
    expect(whole + Number(dropped?.["dropped"])).toBe(200);
    expect(read.at(-1)).toMatchObject({ code: "back" });
  });
});
