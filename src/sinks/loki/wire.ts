import type { Clock } from "../../core/clock.ts";
import type { LokiConfig } from "../../core/config.ts";
import { PATH_MAX_BYTES } from "../../core/limits.ts";
import { LOKI_ASSIGNED_STEP_MS, LOKI_CLAMP_MAX_AGE_S } from "../../core/loki-limits.ts";
import { type Line, type RecordEncoder, timeText } from "../../core/record.ts";
import type { Wire } from "../../core/sink.ts";
import { type Clamp, clampedNanos, formatClamp, isRefused, parseClamp, renewClamp } from "./clamp.ts";
import { HEADER_BYTES, writeHeader } from "./entry.ts";
import { FileStreams } from "./file-streams.ts";
import type { Labels } from "./labels.ts";
import { takeTime } from "./moment.ts";
import { FileMetadata, writeMetadata } from "./metadata.ts";
import { Placer } from "./placing.ts";
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
  readonly streams: FileStreams;
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

/** Writes records for Loki (`entry.ts`). */
export class LokiWire implements Wire {
  readonly overheadBytes: number = HEADER_BYTES + PATH_MAX_BYTES + METADATA_MAX_BYTES;
  readonly hasIds = false;
  readonly #o: LokiWireOptions;
  readonly #placer: Placer;
  #file: FileFacts | undefined;
  #fallbackTime = "";
  #fallbackMs = 0;

  constructor(options: LokiWireOptions) {
    this.#o = options;
    this.#placer = new Placer(options.clock, options.streams);
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
    const stream = this.#placer.streamOf(line, file.streams, second);

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
    file.streams.flow.add(end - at - HEADER_BYTES);
    return end;
  }

  #fileOf(line: Line): FileFacts {
    const known = this.#file;
    if (known !== undefined && known.key === line.fileKey && known.path === line.path && known.input === line.input)
      return known;
    const { labels: byInput, podName, streams } = this.#o;
    const labels = (byInput[line.input] ?? byInput.at(-1)!).of(line.path);
    const seed = Number.parseInt(line.fileKey.slice(0, 8), 16) || 0;
    return (this.#file = {
      key: line.fileKey,
      path: line.path,
      input: line.input,
      seed,
      streams: new FileStreams(streams, labels, line.fileKey, seed, line.placements?.isOpen(line.offset) === false),
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

  /** What is put at a time of long ago would be refused again, or be far from where it belongs. */
  #renewed(clamp: Clamp, { placements, offset }: Line): Clamp {
    const nowSecond = Math.floor(this.#o.clock.nowMs() / 1_000);
    if (placements?.isOpen(offset) !== true || nowSecond - clamp.base <= LOKI_CLAMP_MAX_AGE_S) return clamp;
    const next = renewClamp(clamp, nowSecond);
    placements.decide({ from: offset, what: "clamp", value: formatClamp(next) });
    return next;
  }
}
