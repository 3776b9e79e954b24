import path from "node:path";
import { GzipCompressor } from "../../../src/batches/compress.ts";
import { Batch, LINE_FLAGS_SHIFT } from "../../../src/core/batch.ts";
import { systemClock } from "../../../src/core/clock.ts";
import type { ElasticsearchConfig } from "../../../src/core/config.ts";
import type { Log } from "../../../src/core/log.ts";
import type { LostLetter, Original, RecordSource } from "../../../src/core/sink.ts";
import { DeadLetters } from "../../../src/sinks/dead-letters.ts";
import type { CarrierTimes } from "../../../src/sinks/http/carrier.ts";
import { createElasticsearchSink } from "../../../src/sinks/elasticsearch/sink.ts";
import { elasticsearchWire } from "../../../src/sinks/elasticsearch/wire.ts";
import type { ReplayingSink } from "../../../src/sinks/replaying-sink.ts";
import type { DeliveryTimes } from "../../../src/sinks/times.ts";
import { temporaryDirectory } from "./temporary.ts";

/** Keeps what was said. */
export class MemoryLog implements Log {
  readonly lines: { level: string; code: string; message: string; fields: unknown }[] = [];
  debug = this.#at("debug");
  info = this.#at("info");
  warn = this.#at("warn");
  error = this.#at("error");

  #at(level: string): Log["info"] {
    return (code, message, fields) => void this.lines.push({ level, code, message, fields });
  }

  codes(): string[] {
    return this.lines.map(({ code }) => code);
  }
}

/** A record of a test: its id and document, and the line behind it. */
export interface TestRecord {
  readonly id: string;
  readonly document: Readonly<Record<string, unknown>>;
}

export function record(id: string, fields: Readonly<Record<string, unknown>> = {}): TestRecord {
  return { id, document: { "@timestamp": "2026-01-02T03:04:05.678901234Z", message: `line ${id}`, ...fields } };
}

export function records(count: number, prefix = "r"): TestRecord[] {
  return Array.from({ length: count }, (_, i) => record(`${prefix}${i}`));
}

/** Stands in for the pipeline: lines are the documents' JSON, at made-up offsets. */
export class TestSource implements RecordSource {
  readonly records: TestRecord[];
  readonly salts: Map<number, number> = new Map();
  tolerant = false;
  /** The file no longer holds the lines. */
  gone = false;

  constructor(list: readonly TestRecord[]) {
    this.records = [...list];
  }

  /** Requests whose bytes were about to leave. */
  departures = 0;

  leaving(): Promise<void> {
    this.departures++;
    return Promise.resolve();
  }

  original(batch: Batch, i: number): Original {
    const bytes = this.gone ? undefined : Buffer.from(JSON.stringify(this.records[i].document));
    const offset = batch.from[i];
    const flags = batch.flags[i] >> LINE_FLAGS_SHIFT;
    const length = batch.to[i] - offset;
    return { path: "/logs/app.log", offset, length, cut: batch.cut[i], flags, fileKey: "k", bytes };
  }

  id(_batch: Batch, i: number): string {
    const salt = this.salts.get(i);
    return salt === undefined ? this.records[i].id : `${this.records[i].id}~${salt}`;
  }

  encodeAsText(batch: Batch, i: number, reason: string, out: Buffer, at: number): number {
    const { document } = this.records[i];
    const text = {
      "@timestamp": document["@timestamp"],
      message: JSON.stringify(document),
      "error.message": reason,
      tags: ["refused"],
    };
    return writeRecord(out, at, this.id(batch, i), text);
  }

  maxTextBytes(_batch: Batch, i: number): number {
    return JSON.stringify(this.records[i].document).length * 6 + 8_192;
  }

  salt(batch: Batch, i: number, out: Buffer, at: number): number {
    this.salts.set(i, (this.salts.get(i) ?? 0) + 1);
    return writeRecord(out, at, this.id(batch, i), this.records[i].document);
  }

  place(): void {
    throw new Error("documents are placed nowhere");
  }

  placementOf(): undefined {
    return undefined;
  }

  readonly lost: LostLetter[] = [];

  lose(letters: readonly LostLetter[]): void {
    this.lost.push(...letters);
  }

  toleratesConflict(): boolean {
    return this.tolerant;
  }
}

export function writeRecord(out: Buffer, at: number, id: string, document: unknown): number {
  const name = Buffer.from(id);
  const { frame } = elasticsearchWire;
  const start = frame.begin(out, at, name, name.length, "");
  return frame.end(out, start + out.write(JSON.stringify(document), start));
}

/** A sealed batch of these records. */
export function batchOf(list: readonly TestRecord[], slot = 0, bufferBytes = 1 << 20): Batch {
  const batch = new Batch(slot, Buffer.alloc(bufferBytes));
  let offset = 0;
  for (const [i, { id, document }] of list.entries()) {
    batch.starts[i] = batch.length;
    batch.length = writeRecord(batch.buffer, batch.length, id, document);
    batch.ends[i] = batch.length;
    batch.from[i] = offset;
    offset += JSON.stringify(document).length + 1;
    batch.to[i] = offset;
    batch.count++;
  }
  return batch;
}

export function configOf(urls: readonly string[], changes: Partial<ElasticsearchConfig> = {}): ElasticsearchConfig {
  return {
    type: "elasticsearch",
    name: "es",
    urls,
    auth: {},
    tls: {},
    ...(changes.index === undefined ? { dataStream: "logs-pannier-default" } : {}),
    manageTemplate: false,
    timestampType: "date_nanos",
    batch: { maxBytes: 1 << 20, maxAgeMs: 1_000, inFlight: 2, compression: "gzip" },
    deadLetters: { maxBytes: 1 << 20, whenFull: "stop" },
    ...changes,
  };
}

export interface TestSink {
  readonly sink: ReplayingSink;
  readonly source: TestSource;
  readonly log: MemoryLog;
  readonly deadLetters: DeadLetters;
}

/** A sink over a test source, with waits of milliseconds. */
export function sinkOf(
  config: ElasticsearchConfig,
  list: readonly TestRecord[],
  times: Partial<DeliveryTimes & CarrierTimes> = {},
  source: TestSource = new TestSource(list),
): TestSink {
  const log = new MemoryLog();
  const directory = path.join(temporaryDirectory("sink"), "dead-letters");
  const deadLetters = new DeadLetters({
    directory,
    sink: config.name,
    config: config.deadLetters,
    retryMs: 10,
    onDrop: (letters) => source.lose(letters),
  });
  const sink = createElasticsearchSink({
    config,
    source,
    deadLetters,
    compressors: config.batch.compression === "gzip" ? [new GzipCompressor(1 << 19), new GzipCompressor(1 << 19)] : [],
    maxRecordBytes: 1 << 18,
    log,
    clock: systemClock,
    times: { backoffFirstMs: 5, backoffMaxMs: 20, ...times },
  });
  return { sink, source, log, deadLetters };
}
