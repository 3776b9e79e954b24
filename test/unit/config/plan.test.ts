import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Batch } from "../../../src/core/batch.ts";
import { parseSizeBytes } from "../../../src/core/units.ts";
import type { Loaded } from "../../../src/config/load.ts";
import { load, refusal, withSink, withTop } from "./support.ts";

const MiB = 1024 ** 2;
const ONE = "inputs: [{ paths: [/l] }]\n";
const es = (n: number): string => `{ type: elasticsearch, urls: ["http://es${n}"] }`;

function attempt(yaml: string): Loaded | undefined {
  try {
    return load(yaml);
  } catch {
    return undefined;
  }
}

describe("the memory plan", () => {
  test("names every pool, and adds them up", () => {
    const { plan } = load(withSink());
    const record = 6 * 256 * 1024 + 4096;
    expect(plan).toMatchObject({
      limitBytes: 32 * MiB,
      readBufferBytes: 256 * 1024 + 64 * 1024 + 64,
      maxRecordBytes: record,
      sinks: [{ name: "elasticsearch", batches: 3, batchBufferBytes: 2 * MiB }],
    });
    expect(plan.lines).toEqual([
      { name: "read buffer", bytes: 256 * 1024 + 64 * 1024 + 64 },
      { name: "journal buffer", bytes: 64 * 1024 },
      { name: "elasticsearch: 3 batches of 2MiB", bytes: 6 * MiB },
      { name: "elasticsearch: lists of their records", bytes: 3 * Batch.BYTES_OF_ARRAYS },
      { name: "elasticsearch: compression", bytes: MiB },
    ]);
    expect(plan.plannedBytes).toBe(plan.lines.reduce((sum, line) => sum + line.bytes, 0));
  });

  test("a small limit derives smaller batches, with fewer in flight, and still works", () => {
    const yaml = withSink() + "memory: { limit: 9MiB }\n";
    const { config, plan } = load(yaml.replace("paths: [/logs]", "paths: [/logs], max_line_bytes: 16KiB"));
    expect(plan.plannedBytes).toBeLessThanOrEqual(9 * MiB);
    expect(config.sinks[0]?.batch.inFlight).toBe(2);
    expect(config.sinks[0]?.batch.maxBytes).toBeLessThan(2 * MiB);
    const tight = load(yaml.replace("9MiB", "7MiB"));
    expect(tight.config.sinks[0]?.batch.inFlight).toBe(1);
    expect(tight.plan.plannedBytes).toBeLessThanOrEqual(7 * MiB);
  });

  test("a batch holds the largest record, also when max_bytes is smaller", () => {
    const { config, plan } = load(withSink("batch: { max_bytes: 64KiB }"));
    expect(config.sinks[0]?.batch.maxBytes).toBe(64 * 1024);
    expect(plan.sinks[0]?.batchBufferBytes).toBe(plan.maxRecordBytes);
  });

  test("explicit sizes are kept, and only what is open gives way", () => {
    const { config } = load(
      `${ONE}memory: { limit: 22MiB }\nsinks: [{ type: elasticsearch, urls: ["http://a"], batch: { max_bytes: 3MiB, in_flight: 3 } }, ${es(2)}]`,
    );
    expect(config.sinks[0]?.batch).toMatchObject({ maxBytes: 3 * MiB, inFlight: 3 });
    expect(config.sinks[1]?.batch.inFlight).toBe(1);
  });

  test.each([
    [
      "memory.limit",
      withTop("memory: { limit: 2MiB }"),
      "pannier.yaml:3:18: memory.limit: the memory plan needs at least 4.8MiB, and memory.limit is 2MiB",
    ],
    [
      "max_line_bytes",
      "inputs: [{ paths: [/l], max_line_bytes: 8MiB }]\nsinks: [{ type: stdout }]",
      "pannier.yaml:1:41: inputs[0].max_line_bytes: the memory plan needs",
    ],
    [
      "batch.max_bytes",
      withSink("batch: { max_bytes: 32MiB }"),
      "pannier.yaml:5:25: sinks[0].batch.max_bytes: the memory plan needs",
    ],
    ["batch.in_flight", withSink("batch: { in_flight: 16 }"), "sinks[0].batch.in_flight: the memory plan needs"],
  ])("an explicit %s that does not fit is refused, with what would", (_, yaml, message) => {
    const error = refusal(yaml);
    expect(error.message).toContain(message);
    expect(error).toMatchObject({ code: "config_plan_over_limit", exitCode: 78 });
    const needed = /set memory\.limit to at least (\S+?),/.exec(error.hint ?? "")?.[1] ?? "";
    expect(parseSizeBytes(needed)).toBeGreaterThan(0);
    const enough = yaml.includes("limit: 2MiB")
      ? yaml.replace("limit: 2MiB", `limit: ${needed}`)
      : `${yaml}\nmemory: { limit: ${needed} }`;
    expect(load(enough).plan.limitBytes).toBe(parseSizeBytes(needed));
  });

  test("the max_line_bytes that the hint names fits", () => {
    const hint = refusal(withTop("memory: { limit: 3MiB }")).hint ?? "";
    const lines = /max_line_bytes to at most (\d+KiB)/.exec(hint)?.[1] ?? "";
    expect(
      load(withTop("memory: { limit: 3MiB }").replace("[/logs]", `[/logs], max_line_bytes: ${lines}`)).plan.limitBytes,
    ).toBe(3 * MiB);
  });

  test("without an explicit size nothing is refused: the limit gives way, with a warning", () => {
    const { plan, warnings } = load(`${ONE}sinks: [${[1, 2, 3, 4, 5, 6, 7, 8].map(es).join(", ")}]`);
    expect(plan.plannedBytes).toBeGreaterThan(32 * MiB);
    expect(plan.limitBytes).toBe(plan.plannedBytes);
    expect(warnings.join()).toContain("memory.limit is not set");
  });

  test("the plan of whatever is accepted stays within memory.limit (invariant 9)", () => {
    const sizes = fc.record({
      limit: fc.integer({ min: 1, max: 64 }),
      line: fc.integer({ min: 1, max: 1024 }),
      sinks: fc.integer({ min: 1, max: 4 }),
    });
    fc.assert(
      fc.property(sizes, ({ limit, line, sinks }) => {
        const yaml = `memory: { limit: ${limit}MiB }\ninputs: [{ paths: [/l], max_line_bytes: ${line}KiB }]\nsinks: [${Array.from({ length: sinks }, (_, n) => es(n)).join(", ")}]`;
        const loaded = attempt(yaml);
        if (loaded === undefined) return refusal(yaml).code === "config_plan_over_limit";
        const { plan } = loaded;
        const fits = plan.plannedBytes <= limit * MiB;
        return fits && plan.sinks.every((sink) => sink.batchBufferBytes >= plan.maxRecordBytes);
      }),
      { numRuns: 60 },
    );
  });
});
