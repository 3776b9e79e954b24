import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { GzipCompressor } from "../../../../src/batches/compress.ts";
import { Batch, Outcome } from "../../../../src/core/batch.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import type { LokiConfig } from "../../../../src/core/config.ts";
import type { Log } from "../../../../src/core/log.ts";
import { Lane, Line } from "../../../../src/core/record.ts";
import type { RecordSource } from "../../../../src/core/sink.ts";
import { createRecordEncoder } from "../../../../src/records/encoder.ts";
import { DeadLetters } from "../../../../src/sinks/dead-letters.ts";
import { createLokiSink } from "../../../../src/sinks/loki/sink.ts";
import { readAnyPush } from "../../../support/loki-push.ts";

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };
const KEY = "0123456789abcdef0123456789abcdef";
const TIMES = { backoffFirstMs: 1, backoffMaxMs: 5 };
const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

type Answer = readonly [status: number, body?: string];

/** A Loki that answers as it is told; `undefined`: 204. Lines that it took, by answer. */
class StandIn {
  readonly pushes: string[][] = [];
  readonly taken: string[] = [];
  answer: (lines: readonly string[], push: number, times: readonly bigint[]) => Answer | undefined = () => undefined;
  headers: http.IncomingHttpHeaders = {};
  /** The most pushes of one stream that it had at the same time. */
  mostAtOnce = 0;
  readonly #open: Map<string, number> = new Map();

  async listen(): Promise<string> {
    const server = http.createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        this.headers = request.headers;
        const pushed = Buffer.concat(chunks);
        const streams = readAnyPush(request.headers["content-encoding"] === "gzip" ? gunzipSync(pushed) : pushed);
        // Of several streams Loki would say only what became of the last one.
        if (streams.length !== 1) throw new Error(`${streams.length} streams in one push`);
        const lines = streams[0].entries.map(({ line }) => String(line));
        const times = streams[0].entries.map(({ time }) => time);
        const [status, body = ""] = this.answer(lines, this.pushes.push(lines) - 1, times) ?? [204];
        if (status === 204) this.taken.push(...lines);
        const { labels } = streams[0];
        const open = (this.#open.get(labels) ?? 0) + 1;
        this.#open.set(labels, open);
        this.mostAtOnce = Math.max(this.mostAtOnce, open);
        setTimeout(() => {
          this.#open.set(labels, this.#open.get(labels)! - 1);
          response.writeHead(status).end(body);
        }, 5);
      });
    });
    closing.push(() => {
      server.closeAllConnections();
      server.close();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
}

interface Delivered {
  readonly outcomes: number[];
  readonly server: StandIn;
  readonly letters: string[];
  readonly placements: string[];
}

/** Delivers lines to a server that answers so, in as many batches as go at the same time. */
async function deliver(
  lines: readonly string[],
  answer: StandIn["answer"],
  changes: Partial<LokiConfig> = {},
  pathOf: (line: number) => string = () => "/logs/a.log",
): Promise<Delivered> {
  const server = new StandIn();
  server.answer = answer;
  const directory = mkdtempSync(path.join(os.tmpdir(), "pannier-loki-unit-"));
  closing.push(() => rmSync(directory, { recursive: true, force: true }));
  const placements: string[] = [];
  const placed = new Map<string, string>();
  const source: RecordSource = {
    original: (batch, i) => ({
      path: "/logs/a.log",
      offset: batch.from[i],
      length: batch.to[i] - batch.from[i],
      cut: 0,
      flags: 0,
      fileKey: KEY,
      bytes: Buffer.from(lines[i]),
    }),
    id: (_batch, i) => `id-${i}`,
    place: (_batch, _i, what, value) => {
      placements.push(what);
      placed.set(what, value);
    },
    placementOf: (_batch, _i, what) => placed.get(what),
    leaving: () => Promise.resolve(),
    lose: () => undefined,
    toleratesConflict: () => false,
    encodeAsText: () => 0,
    maxTextBytes: () => 0,
    salt: () => 0,
  };
  const config: LokiConfig = {
    type: "loki",
    name: "loki",
    urls: [await server.listen()],
    auth: {},
    tls: {},
    labels: {},
    line: "original",
    structuredMetadata: true,
    encoding: "protobuf",
    batch: { maxBytes: 1 << 20, maxAgeMs: 1_000, inFlight: 1, compression: "none" },
    deadLetters: { maxBytes: 1 << 20, whenFull: "stop" },
    ...changes,
  };
  const deadLetters = new DeadLetters({ directory, sink: "loki", config: config.deadLetters, onDrop: () => undefined });
  const sink = createLokiSink({
    config,
    inputs: [{ paths: ["/logs"], fields: {} }],
    serviceName: "shop",
    podName: undefined,
    source,
    deadLetters,
    createCompressor: (bytes) => new GzipCompressor(bytes),
    maxRecordBytes: 400_000,
    log: silent,
    clock: systemClock,
    times: TIMES,
  });
  closing.push(() => sink.stop());
  const { inFlight } = config.batch;
  const batches = Array.from({ length: inFlight }, (_, i) => new Batch(i, Buffer.alloc(1 << 20)));
  const encoder = createRecordEncoder({ format: "auto", timezone: "UTC", fields: {} });
  const lane = new Lane();
  let from = 0;
  for (const [index, text] of lines.entries()) {
    const batch = batches[Math.floor((index * inFlight) / lines.length)];
    const bytes = Buffer.from(`${text}\n`);
    const line = Object.assign(new Line(), { bytes, end: bytes.length - 1, offset: from, path: pathOf(index), lane });
    Object.assign(line, { fileKey: KEY, fallbackTime: new Date().toISOString() });
    const i = batch.count++;
    batch.starts[i] = batch.length;
    batch.length = sink.wire.write(line, encoder, bytes, 0, batch.buffer, batch.length);
    batch.ends[i] = batch.length;
    batch.from[i] = from;
    batch.to[i] = from + bytes.length;
    from += bytes.length;
  }
  await Promise.all(batches.map((batch) => sink.deliver(batch)));
  const letters = [];
  for await (const { reason } of deadLetters.letters()) letters.push(reason);
  return {
    outcomes: batches.flatMap((batch) => [...batch.outcome.subarray(0, batch.count)]),
    server,
    letters,
    placements,
  };
}

const LINES = Array.from({ length: 8 }, (_, i) => `line ${i}`);
const ALL = LINES.map(() => Outcome.delivered);

describe("a push", () => {
  test("goes to the tenant as protobuf, and 204 is a delivery", async () => {
    const { outcomes, server } = await deliver(LINES, () => undefined, { tenant: "red" });
    expect(outcomes).toEqual(ALL);
    expect(server.taken).toEqual(LINES);
    expect(server.headers).toMatchObject({ "x-scope-orgid": "red", "content-type": "application/x-protobuf" });
  });

  test("goes as JSON where that is wanted", async () => {
    const { outcomes, server } = await deliver(LINES, () => undefined, { encoding: "json" });
    expect(outcomes).toEqual(ALL);
    expect(server.taken).toEqual(LINES);
    expect(server.headers).toMatchObject({ "content-type": "application/json", "content-encoding": "gzip" });
  });

  test.each<[string, Answer]>([
    ["260, which discards", [260]],
    ["201, which Loki does not give", [201]],
    ["a web page", [200 + 103, "<html>"]],
    ["401", [401, "no org id"]],
    ["429", [429, "Ingestion rate limit exceeded for user x (limit: 100000000 bytes/sec) while attempting"]],
    ["500", [500, "rpc error"]],
    ["a 400 of a proxy", [400, "Bad Request"]],
    ["a body that it cannot read", [400, "snappy: corrupt input"]],
  ])("is sent again after %s, and no line is at fault", async (_, answer) => {
    const { outcomes, server, letters } = await deliver(LINES, (_lines, push) => (push < 2 ? answer : undefined));
    expect(outcomes).toEqual(ALL);
    expect(new Set(server.taken)).toEqual(new Set(LINES));
    expect(letters).toEqual([]);
  });

  test.each<[string, Answer]>([
    ["413", [413, ""]],
    [
      "gRPC's limit",
      [500, "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (5 vs. 4)"],
    ],
  ])("is halved after %s until it fits", async (_, answer) => {
    const { outcomes, server } = await deliver(LINES, (lines) => (lines.length > 2 ? answer : undefined));
    expect(outcomes).toEqual(ALL);
    expect(server.taken.toSorted()).toEqual(LINES);
  });

  test("whose refusal names no line is halved: the others arrive, that one in another form", async () => {
    const words = "stream '{x}' has structured metadata too large: '70001' bytes, limit: '65536' bytes";
    let isMended = false;
    const { outcomes, server, letters } = await deliver(LINES, (lines) => {
      if (!lines.includes("line 5") || isMended) return undefined;
      isMended = lines.length === 1;
      return [400, words];
    });
    expect(outcomes).toEqual(ALL);
    expect(new Set(server.taken)).toEqual(new Set(LINES));
    expect(letters).toEqual([]);
  });

  test("with a line that is refused in every form: the others arrive, that one is in the dead letters with Loki's words", async () => {
    const words = "Max entry size '3' bytes exceeded for stream '{x}' while adding an entry with length '6' bytes";
    const { outcomes, letters } = await deliver(["ok", "too long", "ok"], (lines) =>
      lines.some((line) => line !== "ok") ? [400, words] : undefined,
    );
    expect(outcomes).toEqual([Outcome.delivered, Outcome.deadLettered, Outcome.delivered]);
    expect(letters).toEqual([words]);
  });

  test.each<[string, Answer, number[]]>([
    [
      "has to wait",
      [
        429,
        "Per stream rate limit exceeded (limit: 100MB/sec) while attempting to ingest for stream '{x}' totaling 1KB",
      ],
      [4, 4, 4],
    ],
    ["is not answered properly", [500, "rpc error"], [4, 4, 4]],
    ["is too large", [413, ""], [4, 4, 4]],
    [
      "is refused for a line that is not named",
      [400, "stream '{x}' has structured metadata too large: '70001' bytes"],
      [4, 4, 2, 2],
    ],
  ])("has one stream; when one of several %s, those that were taken do not go out again", async (_, answer, sizes) => {
    const { outcomes, server } = await deliver(
      LINES,
      (_lines, push) => (push === 1 ? answer : undefined),
      { labels: { job: "{name}" } },
      (line) => `/logs/app-${line % 2}.log`,
    );
    expect(outcomes).toEqual(ALL);
    expect(server.pushes.map((lines) => lines.length)).toEqual(sizes);
    expect(server.taken.toSorted()).toEqual(LINES);
  });

  test("of a stream waits for the answer to the one before", async () => {
    const changes = { batch: { maxBytes: 1 << 20, maxAgeMs: 1_000, inFlight: 2, compression: "none" } } as const;
    const same = await deliver(LINES, () => undefined, changes);
    expect(same.outcomes).toEqual(ALL);
    expect(same.server.pushes.length).toBe(2);
    expect(same.server.mostAtOnce).toBe(1);
  });

  test("of which some were stored, and are too far behind them when it is sent again: those are not moved", async () => {
    const now = Date.now();
    const texts = [3_000, 2_000, -9e6, 0].map((age, i) => JSON.stringify({ time: now - age, i }));
    const isoOf = (ms: number): string => new Date(ms).toISOString();
    const tooNew = `entry for stream '{service_name="shop"}' has timestamp too new: ${isoOf(now + 8.9e6).slice(0, 19)}Z`;
    const behind = (times: readonly bigint[]): string => {
      const lines = times.slice(0, 2).map((time) => {
        const [day, clock] = isoOf(Number(time / 1_000_000n))
          .slice(0, -5)
          .split("T");
        const nanos = String(time % 1_000_000_000n).padStart(9, "0");
        return `entry with timestamp ${day} ${clock}.${nanos} +0000 UTC ignored, reason: 'entry too far behind, entry timestamp is: ${day}T${clock}Z, oldest acceptable timestamp is: ${isoOf(now - 1_000)}',`;
      });
      return `${lines.join("\n")}\nuser 'fake', total ignored: 2 out of 3 for stream: {service_name="shop"}`;
    };
    const { outcomes, placements, server } = await deliver(texts, (_lines, push, times) =>
      push === 0 ? [400, tooNew] : push === 1 ? [400, behind(times)] : undefined,
    );
    expect(outcomes).toEqual(texts.map(() => Outcome.delivered));
    expect(placements).toEqual(["clamp"]);
    expect(server.pushes.map((lines_) => lines_.length)).toEqual([4, 3, 1, 1]);
  });

  test("with old lines: where they are put is decided once, before they go out again", async () => {
    const old = Array.from({ length: 5 }, (_, i) => JSON.stringify({ time: Date.now() - 9e8, i }));
    const oldest = new Date(Date.now() - 6e8).toISOString().replace(/\.\d+/, "");
    const words = `entry for stream '{service_name="shop"}' has timestamp too old: 2026-01-01T00:00:00Z, oldest acceptable timestamp is: ${oldest}`;
    const { outcomes, placements, server } = await deliver(old, (_lines, push) =>
      push === 0 ? [400, words] : undefined,
    );
    expect(outcomes).toEqual(old.map(() => Outcome.delivered));
    expect(placements).toEqual(["clamp"]);
    expect(server.taken).toEqual(old);
  });
});
