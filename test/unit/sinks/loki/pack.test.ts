import { gunzipSync } from "node:zlib";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GzipCompressor } from "../../../../src/batches/compress.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import type { Log } from "../../../../src/core/log.ts";
import { Lane, Line, type Placement } from "../../../../src/core/record.ts";
import { createRecordEncoder } from "../../../../src/records/encoder.ts";
import { Exchange } from "../../../../src/sinks/exchange.ts";
import { streamOf, totalOf } from "../../../../src/sinks/loki/entry.ts";
import { Labels } from "../../../../src/sinks/loki/labels.ts";
import { type Packer, SnappyPacker } from "../../../../src/sinks/loki/pack.ts";
import { JsonPacker } from "../../../../src/sinks/loki/pack-json.ts";
import { Streams } from "../../../../src/sinks/loki/streams.ts";
import { LokiWire } from "../../../../src/sinks/loki/wire.ts";
import { type PushedStream, readAnyPush } from "../../../support/loki-push.ts";

const SETTINGS = { labels: {}, line: "original", structuredMetadata: true } as const;
const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };
type Encoding = "protobuf" | "json";
const NO_ID = Buffer.alloc(0);
const NOW_MS = Date.UTC(2026, 10, 23, 12);

interface Written {
  readonly file: string;
  readonly text: Buffer;
}

/** Writes lines as a pipeline does and packs them as a request does. */
class Rig {
  readonly streams = new Streams("loki", silent);
  readonly wire: LokiWire;
  readonly packer: Packer;
  readonly encoder = createRecordEncoder({ format: "auto", timezone: "UTC", fields: {}, maxLineBytes: 1 << 20 });
  readonly buffer = Buffer.alloc(4 << 20);
  readonly exchange = new Exchange(0);
  readonly placements: Placement[] = [];
  readonly #lanes = new Map<string, Lane>();
  #at = 0;
  #count = 0;

  constructor(
    settings: Partial<{ labels: Record<string, string>; line: "original" | "record" }> = {},
    encoding: Encoding = "protobuf",
  ) {
    this.packer =
      encoding === "protobuf"
        ? new SnappyPacker(this.streams, 4 << 20)
        : new JsonPacker(this.streams, new GzipCompressor(4 << 20));
    const config = { ...SETTINGS, ...settings };
    const input = { paths: ["/logs"], fields: {} };
    const labels = [new Labels(config, input, "shop"), new Labels(config, undefined, "shop")];
    // Nothing comes so fast that it is spread over several streams.
    let ticks = 0;
    const clock = { ...systemClock, nowMs: () => NOW_MS, monotonicMs: () => (ticks += 60_000) };
    this.wire = new LokiWire({ config, labels, streams: this.streams, clock, podName: "pod-7" });
  }

  write({ file, text }: Written, offset: number): void {
    const line = new Line();
    line.bytes = Buffer.concat([text, Buffer.from("\n")]);
    line.end = text.length;
    line.offset = offset;
    line.path = file;
    line.fileKey = Buffer.from(file.padEnd(16)).toString("hex").slice(0, 32);
    line.fallbackTime = new Date(NOW_MS).toISOString();
    line.lane = this.#lanes.get(file) ?? new Lane();
    this.#lanes.set(file, line.lane);
    line.placements = {
      at: (what, at) => this.placements.findLast((each) => each.what === what && each.from <= at)?.value,
      isOpen: () => true,
      decide: (placement) => void this.placements.push(placement),
    };
    this.#at = this.wire.write(line, this.encoder, NO_ID, 0, this.buffer, this.#at);
    this.#count++;
  }

  /** The streams of all pushes that it takes: each has one. */
  async push(includes: (position: number) => boolean = () => true): Promise<PushedStream[]> {
    this.exchange.begin(this.buffer, 0, this.#at, this.#count);
    this.packer.choice.begin(this.exchange);
    const done = new Set<number>();
    const pushed: PushedStream[] = [];
    for (;;) {
      const isLeft = (position: number): boolean => !done.has(position) && includes(position);
      const selection = { includes: isLeft, withoutMetadata: false };
      const { choice } = this.packer;
      choice.choose(this.exchange, selection);
      if (choice.stream < 0) return pushed;
      const body = await this.packer.pack(this.exchange, selection);
      if (body === undefined) throw new Error("it is too large");
      const streams = readAnyPush("content-encoding" in this.packer.headers ? gunzipSync(body) : body);
      if (streams.length !== 1) throw new Error(`${streams.length} streams in one push`);
      pushed.push(streams[0]);
      for (let i = 0; i < choice.end; i++) if (this.#streamAt(i) === choice.stream) done.add(i);
      if (!choice.hasOthers) return pushed;
    }
  }

  #streamAt(position: number): number {
    let at = 0;
    for (let i = 0; i < position; i++) at += totalOf(this.buffer, at);
    return streamOf(this.buffer, at);
  }
}

const texts = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.string({ minLength: 1, maxLength: 300, unit: "grapheme" }).map((text) => Buffer.from(text)),
  },
  { weight: 2, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 200_000 }).map((length) => Buffer.alloc(length, "abcdefg")) },
  {
    weight: 3,
    arbitrary: fc
      .record({ time: fc.integer({ min: NOW_MS - 1e6, max: NOW_MS }), msg: fc.string() })
      .map((line) => Buffer.from(JSON.stringify({ level: 30, ...line }))),
  },
);
const files = fc.constantFrom("/logs/a.log", "/logs/b.log", "/logs/größe.log");

/** As a line goes out: what is not UTF-8 stands as U+FFFD. */
function shown(bytes: Buffer): string {
  return bytes.toString();
}

describe.each(["protobuf", "json"] as const)("a push as %s", (encoding) => {
  test("holds every line as it was written, in the order of its stream, with its file and place", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.record({ file: files, text: texts }), { maxLength: 40 }), async (list) => {
        const rig = new Rig({ labels: { job: "{name}" } }, encoding);
        let offset = 0;
        const places: number[] = [];
        for (const each of list) {
          places.push(offset);
          rig.write(each, offset);
          offset += each.text.length + 1;
        }
        const pushed = (await rig.push()).flatMap(({ labels, entries }) => entries.map((entry) => ({ labels, entry })));
        // A stream can come in several pushes, with others between them.
        const found = [...Map.groupBy(pushed, (each) => each.labels).values()].flat();
        const names = new Set(list.map(({ file }) => file));
        const sorted = [...names].flatMap((name) =>
          list.flatMap((each, i) => (each.file === name ? [{ ...each, place: places[i] }] : [])),
        );
        expect(found.map(({ entry }) => shown(entry.line))).toEqual(sorted.map(({ text }) => shown(text)));
        expect(found.map(({ entry }) => entry.metadata["file"])).toEqual(sorted.map(({ file }) => file));
        expect(found.map(({ entry }) => Number(entry.metadata["offset"]))).toEqual(sorted.map(({ place }) => place));
        const labels = sorted.map(({ file }) => `{job="${file.slice(6, -4)}", service_name="shop"}`);
        expect(found.map((each) => each.labels)).toEqual(labels);
      }),
      { numRuns: 50 },
    );
  });

  test("holds the records that are wanted only", async () => {
    const rig = new Rig({}, encoding);
    for (let i = 0; i < 9; i++) rig.write({ file: "/logs/a.log", text: Buffer.from(`line ${i}`) }, i * 7);
    const found = await rig.push((position) => position % 3 === 1);
    expect(found.flatMap(({ entries }) => entries.map(({ line }) => String(line)))).toEqual([
      "line 1",
      "line 4",
      "line 7",
    ]);
    expect(await rig.push(() => false)).toEqual([]);
  });

  test("says level, ids, Pod and the time in nanoseconds", async () => {
    const rig = new Rig({}, encoding);
    const trace = "0123456789abcdef0123456789abcdef";
    const text = JSON.stringify({ time: NOW_MS, level: 50, trace_id: trace, span_id: trace.slice(16), msg: "x" });
    // Three times, since from the third on the line's shape is known.
    for (let i = 0; i < 3; i++) rig.write({ file: "/logs/a.log", text: Buffer.from(text) }, i * text.length);
    const [{ entries }] = await rig.push();
    for (const { metadata, time } of entries) {
      expect(metadata).toMatchObject({ level: "error", trace_id: trace, span_id: trace.slice(16), pod: "pod-7" });
      expect(time / 1_000_000n).toBe(BigInt(NOW_MS));
    }
    expect(entries[1].time).toBe(entries[0].time + 1n);
  });

  test("holds the record instead of the line, where that is wanted", async () => {
    const rig = new Rig({ line: "record" }, encoding);
    rig.write({ file: "/logs/a.log", text: Buffer.from(JSON.stringify({ time: NOW_MS, level: 30, msg: "x" })) }, 0);
    const [{ entries }] = await rig.push();
    expect(JSON.parse(String(entries[0].line))).toMatchObject({ "log.level": "info", message: "x", "log.offset": 0 });
  });
});

describe("a file that lags", () => {
  const line = (ageMs: number): Buffer => Buffer.from(JSON.stringify({ time: NOW_MS - ageMs, msg: "x".repeat(200) }));

  test("goes to a stream of its own from the first line that is half an hour old until it has caught up", async () => {
    const rig = new Rig();
    const hour = 3_600_000;
    const ages = [0, 2 * hour, ...Array.from({ length: 400 }, () => hour / 30), hour / 60];
    for (const [i, age] of ages.entries()) rig.write({ file: "/logs/a.log", text: line(age) }, i * 300);
    const found = (await rig.push()).map(({ labels, entries }) => [/backfill/.test(labels), entries.length]);
    expect(found.map(([isOwn]) => isOwn)).toEqual([false, true]);
    // The first line, and those from where it had caught up on.
    expect(Number(found[0][1]) + Number(found[1][1])).toBe(ages.length);
    expect(rig.placements.map(({ what, value }) => `${what} ${value}`)).toEqual(["stream own", "stream shared"]);
    expect(rig.placements[0].from).toBe(300);
  });
});
