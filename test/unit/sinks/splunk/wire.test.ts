import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Lane, Line } from "../../../../src/core/record.ts";
import { createRecordEncoder } from "../../../../src/records/encoder.ts";
import { EPOCH_BYTES, writeEpoch } from "../../../../src/sinks/splunk/epoch.ts";
import { SPLUNK_OVERHEAD_BYTES, SplunkWire, type WireSettings } from "../../../../src/sinks/splunk/wire.ts";

const PLAIN: WireSettings = { host: "h", sourcetype: "_json", eventId: true };
const ID = Buffer.from("ABCDEFGHIJKLMNOPQRSTUV");

function wireOf(
  settings: Partial<WireSettings>,
  text: string,
  path = "/logs/app.log",
): { bytes: Buffer; room: number } {
  const encoder = createRecordEncoder({ format: "auto", timezone: "UTC", fields: {} });
  const wire = new SplunkWire({ ...PLAIN, ...settings });
  const line = new Line();
  line.bytes = Buffer.from(`${text}\n`);
  line.end = line.bytes.length - 1;
  line.path = path;
  line.fallbackTime = "2026-01-02T03:04:05.678Z";
  line.lane = new Lane();
  const room = encoder.maxEncodedBytes(line.end) + wire.overheadBytes;
  const out = Buffer.alloc(room + 16, 0xee);
  const end = wire.write(line, encoder, ID, ID.length, out, 8);
  expect(end - 8).toBeLessThanOrEqual(room);
  return { bytes: Buffer.from(out.subarray(8, end)), room };
}

function eventOf(settings: Partial<WireSettings>, text: string, path?: string): Record<string, unknown> {
  const { bytes } = wireOf(settings, text, path);
  expect(bytes.indexOf("\n")).toBe(bytes.length - 1);
  return JSON.parse(bytes.toString()) as Record<string, unknown>;
}

describe("an event", () => {
  test("has time, host, source, source type, id, and the record", () => {
    const event = eventOf({}, '{"time":"2026-01-02T03:04:05.678901Z","level":"info","msg":"hello","n":1}');
    expect(event).toEqual({
      time: 1_767_323_045.678,
      host: "h",
      source: "/logs/app.log",
      sourcetype: "_json",
      fields: { pannier_id: ID.toString() },
      event: {
        "@timestamp": "2026-01-02T03:04:05.678901Z",
        "log.level": "info",
        message: "hello",
        n: 1,
        "log.file.path": "/logs/app.log",
        "log.offset": 0,
        "ecs.version": "8.11.0",
      },
    });
  });

  test("has the index, source and host that are set, and no id where none is wanted", () => {
    const event = eventOf({ index: "main", source: "shop", host: "web-1", eventId: false }, "plain text");
    expect(event).toMatchObject({ index: "main", source: "shop", host: "web-1", time: 1_767_323_045.678 });
    expect(event).not.toHaveProperty("fields");
    expect(event["event"]).toMatchObject({ message: "plain text" });
  });

  test("keeps its bound with a path that could not be longer or stranger", () => {
    const path = `/${"\u0001".repeat(4_000)}\ud800"`;
    const { source } = eventOf({}, "x", path) as { source: string };
    expect(Buffer.byteLength(JSON.stringify(source))).toBeLessThanOrEqual(4_096);
    expect(path.startsWith(source)).toBe(true);
    const long = "\u0001".repeat(256);
    const head = { index: long, source: long, host: long, sourcetype: long };
    expect(wireOf(head, "x", path).bytes.length).toBeLessThan(SPLUNK_OVERHEAD_BYTES + 30_000);
  });

  test("of two files has the source of each", () => {
    const wire = new SplunkWire(PLAIN);
    const out = Buffer.alloc(1_024);
    const heads = ["/a", "/b", "/a"].map((path) =>
      out.toString("utf8", 0, wire.frame.begin(out, 0, ID, ID.length, path)),
    );
    expect(heads.map((head) => /"source":"([^"]+)"/.exec(head)?.[1])).toEqual(["/a", "/b", "/a"]);
  });
});

describe("a time", () => {
  const epochOf = (text: string): string => {
    const out = Buffer.alloc(EPOCH_BYTES);
    writeEpoch(Buffer.from(`${text}"`), 0, out, 0);
    return out.toString();
  };

  test.each([
    ["2026-01-02T03:04:05.678Z", "1767323045.678"],
    ["2026-01-02T03:04:05Z", "1767323045.000"],
    ["2026-01-02T03:04:05.999999999Z", "1767323045.999"],
    ["1970-01-01T00:00:00.001Z", "         0.001"],
    ["2262-04-11T23:47:15.854Z", "9223372035.854"],
    ["2026-01-02T03:04:05.5+01:00", "1767319445.500"],
    ["2024-02-29T23:59:59.07Z", "1709251199.070"],
  ])("%s is %s", (text, epoch) => {
    expect(epochOf(text)).toBe(epoch);
  });

  test("is the one that Date reads, whatever was read before", () => {
    const times = fc.array(fc.date({ min: new Date(0), max: new Date("2262-04-11"), noInvalidDate: true }), {
      maxLength: 20,
    });
    fc.assert(
      fc.property(times, (list) => {
        for (const date of list) expect(Number(epochOf(date.toISOString()))).toBeCloseTo(date.getTime() / 1_000, 3);
      }),
    );
  });
});
