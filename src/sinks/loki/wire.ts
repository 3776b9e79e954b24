import type { Clock } from "../../core/clock.ts";
import type { LokiConfig } from "../../core/config.ts";
import { PATH_MAX_BYTES } from "../../core/limits.ts";
import {
  LOKI_ASSIGNED_STEP_MS,
  LOKI_BACKFILL_LAG_MS,
  LOKI_BACKFILL_MIN_BYTES,
  LOKI_CAUGHT_UP_MS,
  LOKI_CLAMP_MAX_AGE_S,
} from "../../core/loki-limits.ts";
import { type Line, type RecordEncoder, timeText } from "../../core/record.ts";
import type { Wire } from "../../core/sink.ts";
import { type Clamp, clampedNanos, formatClamp, isRefused, parseClamp, renewClamp } from "./clamp.ts";
import { HEADER_BYTES, writeHeader } from "./entry.ts";
import { type Labels, OWN_STREAM_LABEL, SERVICE_LABEL } from "./labels.ts";
import { takeTime } from "./moment.ts";
import { FileMetadata, writeMetadata } from "./metadata.ts";
import { metadataPair } from "./proto.ts";
import type { Streams } from "./streams.ts";

const NS_PER_SECOND = 1e9;
/** Metadata beside the path: names, numbers, ids, times, the Pod's name (253) and Loki's reason. */
const METADATA_MAX_BYTES = 2_048;

/** What is the same for all records of one file. */
interface FileFacts {
  readonly key: string;
  readonly path: string;
  readonly input: number;
  readonly seed: number;
  readonly labels: ReadonlyMap<string, string>;
  readonly stream: number;
  /** The stream of this file alone, once it is needed. */
  own: number;
  /** Offset at which it was last decided that it goes there. */
  ownSince: number;
  readonly metadata: FileMetadata;
}

export interface LokiWireOptions {
  readonly config: Pick<LokiConfig, "line" | "structuredMetadata">;
  /** By input; the last one is for files of none. */
  readonly labels: readonly Labels[];
  readonly streams: Streams;
  readonly clock: Clock;
  readonly podName: string | undefined;
}

/** Which stream a record goes to, as it is journaled. `own`: the file's own. `service`: the one with no label but the service. */
export type StreamChoice = "shared" | "own" | "service";

/** Writes records for Loki (`entry.ts`). */
export class LokiWire implements Wire {
  readonly overheadBytes: number = HEADER_BYTES + PATH_MAX_BYTES + METADATA_MAX_BYTES;
  readonly hasIds = false;
  readonly #o: LokiWireOptions;
  #file: FileFacts | undefined;
  /** The clock is asked once for every second of the lines' time. */
  #lastSecond = 0;
  #nowMs = 0;
  #fallbackTime = "";
  #fallbackMs = 0;

  constructor(options: LokiWireOptions) {
    this.#o = options;
  }

  write(line: Line, encoder: RecordEncoder, _id: Buffer, _idBytes: number, out: Buffer, at: number): number {
    const { config } = this.#o;
    const facts = encoder.read(line);
    const file = this.#fileOf(line);
    const { lane } = line;
    takeTime(lane, facts, facts.hasTime ? 0 : this.#assignedMs(line), line.offset, file.seed);
    const ownNanos = lane.nanos + lane.addedNanos;
    const carried = Math.floor(ownNanos / NS_PER_SECOND);
    let second = lane.second + carried;
    let nanos = ownNanos - carried * NS_PER_SECOND;
    const stream = this.#streamOf(line, file, second);

    let end = at + HEADER_BYTES;
    if (config.line === "original") {
      lane.timeBytes = 0;
      end = encoder.copy(facts.start, facts.end, out, end);
    } else {
      // The document's own text of the time is what the next document without one takes.
      if (facts.hasTime) lane.timeBytes = 0;
      end = encoder.encode(line, out, end);
      encoder.read(line);
    }
    const lineEnd = end;
    if (config.structuredMetadata) end = writeMetadata(line, facts, file.metadata, encoder, out, end);

    const clamp = line.placements?.at("clamp", line.offset);
    if (clamp !== undefined) {
      let bounds = parseClamp(clamp);
      if (isRefused(bounds, second)) {
        bounds = this.#renewed(bounds, line);
        end += metadataPair("original_time", timeText(second, nanos)).copy(out, end);
        const put = clampedNanos(line.offset);
        second = bounds.base + Math.floor(put / NS_PER_SECOND);
        nanos = put % NS_PER_SECOND;
      }
    }
    writeHeader(out, at, end, stream, second, nanos, lineEnd - at - HEADER_BYTES);
    return end;
  }

  /** The stream of a record that was refused where it was. */
  streamFor(labels: ReadonlyMap<string, string>, choice: StreamChoice, fileKey: string): number {
    if (choice === "shared") return this.#o.streams.numberOf(labels);
    if (choice === "own") return this.#o.streams.numberOf(ownLabels(labels, fileKey));
    return this.#o.streams.numberOf(new Map([[SERVICE_LABEL, labels.get(SERVICE_LABEL) ?? ""]]));
  }

  #fileOf(line: Line): FileFacts {
    const known = this.#file;
    if (known !== undefined && known.key === line.fileKey && known.path === line.path && known.input === line.input)
      return known;
    const { labels: byInput, podName, streams } = this.#o;
    const labels = (byInput[line.input] ?? byInput.at(-1)!).of(line.path);
    return (this.#file = {
      key: line.fileKey,
      path: line.path,
      input: line.input,
      seed: Number.parseInt(line.fileKey.slice(0, 8), 16) || 0,
      labels,
      stream: streams.numberOf(labels),
      own: -1,
      ownSince: 0,
      metadata: new FileMetadata({ file: line.path.toWellFormed(), pod: podName }),
    });
  }

  /**
   * The time of lines in a file that says none: when it was last written to, as far as that was seen when they were read. It is
   * decided once a second at most, and journaled.
   */
  #assignedMs(line: Line): number {
    const { lane, placements, offset, writtenMs } = line;
    const fallbackMs = this.#fallbackOf(line);
    if (placements === undefined || !(lane.isAssigned || Number.isNaN(lane.second))) return fallbackMs;
    const decided = placements.at("time", offset);
    const currentMs = decided === undefined ? fallbackMs : Number(decided);
    if (writtenMs - currentMs < LOKI_ASSIGNED_STEP_MS || !placements.isOpen(offset)) return currentMs;
    const ms = Math.floor(Math.min(writtenMs, this.#o.clock.nowMs()));
    if (ms - currentMs < LOKI_ASSIGNED_STEP_MS) return currentMs;
    placements.decide({ from: offset, what: "time", value: String(ms) });
    return ms;
  }

  #fallbackOf({ fallbackTime }: Line): number {
    if (fallbackTime !== this.#fallbackTime) {
      this.#fallbackTime = fallbackTime;
      const ms = Date.parse(fallbackTime);
      this.#fallbackMs = Number.isNaN(ms) ? 0 : Math.max(0, ms);
    }
    return this.#fallbackMs;
  }

  /**
   * Loki refuses what is more than an hour behind the newest entry of its stream, and several files can share one. So a file
   * that lags goes to a stream of its own until it has caught up. What was decided is journaled, and obeyed by a re-read.
   */
  #streamOf(line: Line, file: FileFacts, second: number): number {
    const { placements, offset } = line;
    if (placements === undefined) return file.stream;
    const decided = placements.at("stream", offset) ?? "shared";
    if (decided === "service") return this.streamFor(file.labels, decided, file.key);
    let isOwn = decided === "own";
    if (placements.isOpen(offset)) {
      if (second !== this.#lastSecond) {
        this.#lastSecond = second;
        this.#nowMs = this.#o.clock.nowMs();
      }
      const lagMs = this.#nowMs - second * 1_000;
      const isLagging = lagMs > (isOwn ? LOKI_CAUGHT_UP_MS : LOKI_BACKFILL_LAG_MS);
      if (isLagging !== isOwn && (isLagging || offset - file.ownSince >= LOKI_BACKFILL_MIN_BYTES)) {
        placements.decide({ from: offset, what: "stream", value: isLagging ? "own" : "shared" });
        isOwn = isLagging;
        file.ownSince = offset;
      }
    }
    if (!isOwn) return file.stream;
    if (file.own < 0) file.own = this.streamFor(file.labels, "own", file.key);
    return file.own;
  }

  /** What is put at a time of long ago would be refused again, or be far from where it belongs. */
  #renewed(clamp: Clamp, { placements, offset }: Line): Clamp {
    const nowSecond = Math.floor(this.#o.clock.nowMs() / 1_000);
    if (placements?.isOpen(offset) !== true || nowSecond - clamp.base <= LOKI_CLAMP_MAX_AGE_S) return clamp;
    const next = renewClamp(clamp, nowSecond);
    placements.decide({ from: offset, what: "clamp", value: formatClamp(next) });
    return next;
  }
}

/** The labels of a stream for one file alone. */
export function ownLabels(labels: ReadonlyMap<string, string>, fileKey: string): ReadonlyMap<string, string> {
  return new Map([...labels, [OWN_STREAM_LABEL, fileKey.slice(0, 8)]]);
}
