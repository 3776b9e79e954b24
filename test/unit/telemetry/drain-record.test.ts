import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type DrainFile, formatDrainRecord, startDrainRecord } from "../../../src/telemetry/drain-record.ts";
import { createLog } from "../../../src/telemetry/log.ts";
import { TerminationLog } from "../../../src/telemetry/termination-log.ts";

interface Record {
  code: string;
  outcome: string;
  duration_ms: number;
  remainder_bytes: number;
  files: { path: string; size: number; committed: number; remainder: number; sinks: { [name: string]: number } }[];
  files_omitted?: number;
}
const parse = (text: string): Record => JSON.parse(text) as Record;
const file = (name: string, size: number, committed: { [sink: string]: number }): DrainFile => ({
  path: name,
  size,
  committed: new Map(Object.entries(committed)),
});

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), "pannier-drain-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe("format of the drain record", () => {
  test("has the contract's fields in the contract's order", () => {
    const text = formatDrainRecord("deadline", 8000.4, [
      file("/logs/a.log", 100, { es: 100, loki: 100 }),
      file("/logs/b.log", 500, { es: 450, loki: 200 }),
    ]);
    expect(text).toBe(
      '{"code":"drain","outcome":"deadline","duration_ms":8000,"remainder_bytes":300,"files":[' +
        '{"path":"/logs/b.log","size":500,"committed":200,"remainder":300,"sinks":{"es":50,"loki":300}},' +
        '{"path":"/logs/a.log","size":100,"committed":100,"remainder":0,"sinks":{"es":0,"loki":0}}]}',
    );
  });

  test("fits any limit, says what it left out, prefers files with a remainder, and sums over all", () => {
    const files = fc.array(
      fc.record({ name: fc.string({ unit: "binary", maxLength: 300 }), size: fc.nat(1e9), left: fc.nat(1e6) }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(files, fc.integer({ min: 200, max: 8_192 }), (list, maxBytes) => {
        const given = list.map(({ name, size, left }) => file(name, size, { es: Math.max(0, size - left) }));
        const text = formatDrainRecord("deadline", 1, given, maxBytes);
        const record = parse(text);
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxBytes);
        expect(record.files.length + (record.files_omitted ?? 0)).toBe(given.length);
        expect(record.remainder_bytes).toBe(list.reduce((sum, { size, left }) => sum + Math.min(size, left), 0));
        const remainders = record.files.map((entry) => entry.remainder);
        expect(remainders).toEqual(remainders.toSorted((a, b) => b - a));
      }),
    );
  });

  test("a file that no sink has begun is a remainder as a whole; one that shrank is none", () => {
    const record = parse(formatDrainRecord("deadline", 0, [file("/new", 70, {}), file("/shrunk", 10, { es: 30 })]));
    expect(record.files.map((entry) => entry.remainder)).toEqual([70, 0]);
  });

  test("10,000 files take a moment, not the deadline", () => {
    const files = Array.from({ length: 10_000 }, (_, i) => file(`/logs/${i}.log`, 1_000 + i, { es: 1_000 }));
    // The fastest of some: a busy machine has other things to do meanwhile.
    const tookMs = Array.from({ length: 5 }, () => {
      const startedMs = performance.now();
      formatDrainRecord("deadline", 1, files, 4_096);
      return performance.now() - startedMs;
    });
    expect(Math.min(...tookMs)).toBeLessThan(500);
  });
});

describe("termination log", () => {
  test("is neither made, nor followed through a link, nor written when it is no file", () => {
    const missing = path.join(dir, "missing");
    expect(TerminationLog.open(missing)).toBeUndefined();
    expect(() => readFileSync(missing)).toThrow("ENOENT");
    writeFileSync(path.join(dir, "target"), "untouched");
    symlinkSync(path.join(dir, "target"), path.join(dir, "link"));
    expect(TerminationLog.open(path.join(dir, "link"))).toBeUndefined();
    expect(TerminationLog.open(dir)).toBeUndefined();
  });

  test("a shorter text leaves nothing of the longer one, not even of what an earlier run wrote", () => {
    const name = path.join(dir, "termination-log");
    writeFileSync(name, "x".repeat(10_000));
    const log = TerminationLog.open(name)!;
    log.write('{"long":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}');
    expect(JSON.parse(readFileSync(name, "utf8"))).toEqual({ long: "a".repeat(32) });
    log.write('{"short":1}');
    expect(JSON.parse(readFileSync(name, "utf8"))).toEqual({ short: 1 });
    log.close('{"last":true}');
    log.write('{"late":true}');
    expect(readFileSync(name, "utf8")).toBe('{"last":true}');
  });
});

describe("drain record", () => {
  test("rewrites the termination log while it drains, and ends with the last line of the log", async () => {
    const name = path.join(dir, "termination-log");
    writeFileSync(name, "");
    const fd = openSync(path.join(dir, "stderr"), "a");
    const log = createLog({ level: "info", fd });
    let committed = 0;
    const record = startDrainRecord({
      files: () => [file("/logs/a", 100, { es: committed })],
      log,
      terminationLog: name,
    });
    expect(parse(readFileSync(name, "utf8"))).toMatchObject({ outcome: "deadline", remainder_bytes: 100 });
    committed = 100;
    await expect
      .poll(() => parse(readFileSync(name, "utf8")))
      .toMatchObject({ outcome: "complete", remainder_bytes: 0 });
    record.finish("second_signal");
    record.finish("complete");
    log.info("late", "is not said");
    closeSync(fd);
    const last = readFileSync(path.join(dir, "stderr"), "utf8");
    expect(last).toBe(`${readFileSync(name, "utf8")}\n`);
    expect(parse(last)).toMatchObject({ code: "drain", outcome: "second_signal" });
  });

  test("works where there is no termination log", () => {
    const fd = openSync(path.join(dir, "stderr"), "a");
    const log = createLog({ level: "info", fd });
    startDrainRecord({ files: () => [], log, terminationLog: path.join(dir, "none") }).finish("complete");
    closeSync(fd);
    expect(readFileSync(path.join(dir, "stderr"), "utf8")).toMatch(
      /^\{"code":"drain","outcome":"complete","duration_ms":\d+,"remainder_bytes":0,"files":\[\]\}\n$/,
    );
  });

  test("a SIGKILL at any moment leaves one whole, true record", async () => {
    const name = path.join(dir, "termination-log");
    const module = path.resolve(import.meta.dirname, "../../../src/telemetry");
    const script = `
      const { TerminationLog } = await import(${JSON.stringify(`${module}/termination-log.ts`)});
      const { formatDrainRecord } = await import(${JSON.stringify(`${module}/drain-record.ts`)});
      const log = TerminationLog.open(${JSON.stringify(name)});
      for (let i = 0; ; i++) {
        const files = Array.from({ length: 1 + (i * 7) % 90 }, (_, n) => ({ path: "/" + n, size: 9, committed: new Map([["es", n % 10]]) }));
        log.write(formatDrainRecord("deadline", i, files, 4096));
        if (i === 0) process.stdout.write("go");
      }`;
    for (let round = 0; round < 5; round++) {
      writeFileSync(name, "");
      const child: ChildProcess = spawn(process.execPath, ["--input-type=module", "-e", script], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await once(child.stdout!, "data");
      await sleep(20 + Math.random() * 30);
      child.kill("SIGKILL");
      await once(child, "close");
      const record = parse(readFileSync(name, "utf8"));
      const shown = record.files.reduce((sum, entry) => sum + entry.remainder, 0);
      expect(record.code).toBe("drain");
      expect(record.files_omitted === undefined ? record.remainder_bytes : shown).toBe(shown);
    }
  });
});
