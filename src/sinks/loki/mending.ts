import type { Batch } from "../../core/batch.ts";
import type { Clock } from "../../core/clock.ts";
import { REASON_MAX_CHARS } from "../../core/limits.ts";
import { LOKI_LINE_MAX_BYTES } from "../../core/loki-limits.ts";
import { LineFlag, timeText } from "../../core/record.ts";
import type { RecordSource } from "../../core/sink.ts";
import type { Refusal } from "../destination.ts";
import { type Clamp, clampedNanos, formatClamp, isRefused, parseClamp } from "./clamp.ts";
import {
  addMend,
  HEADER_BYTES,
  lineBytesOf,
  lineOf,
  Mend,
  mendsOf,
  metadataOf,
  nanosOf,
  secondOf,
  streamOf,
  writeHeader,
} from "./entry.ts";
import { metadataPair, metadataPairs } from "./proto.ts";
import { mendFor, oldestSecond } from "./refusal.ts";
import type { Streams } from "./streams.ts";
import { backfillLabels, isOfOneFile, serviceLabels, SERVICE_LABEL } from "./labels.ts";

const NS_PER_SECOND = 1e9;
const NEVER_SECOND = 1e12;
/** Metadata that a mended record gets beside its own. */
const MORE_BYTES = 2 * REASON_MAX_CHARS * 4 + 8_192;

/**
 * Writes records that Loki refused in a form that it takes, and says in their metadata what became of them. What was done about
 * a record stands in its first form, so that a second refusal adds to it; where it goes instead is journaled first.
 */
export class Mender {
  /** Longest line that the server takes, as far as it has said. */
  lineMaxBytes: number = LOKI_LINE_MAX_BYTES;
  readonly #streams: Streams;
  readonly #clock: Clock;

  constructor(streams: Streams, clock: Clock) {
    this.#streams = streams;
    this.#clock = clock;
  }

  /** What would be done about a record that was refused so; 0 when all of that was done. */
  mendOf(first: Buffer, type: string): number {
    const done = mendsOf(first, 0);
    let mend = mendFor(type);
    // In the stream of its file alone it is behind others of the file: no stream takes its time.
    const isAlone = isOfOneFile(this.#streams.get(streamOf(first, 0)).labels);
    if (mend === Mend.ownStream && (isAlone || (done & Mend.ownStream) !== 0)) mend = Mend.time;
    return (done & mend) === 0 ? mend : 0;
  }

  maxBytes(first: Buffer): number {
    return first.length + MORE_BYTES;
  }

  write(source: RecordSource, batch: Batch, record: number, refusal: Refusal, out: Buffer, at: number): number {
    const first = batch.buffer.subarray(batch.starts[record], batch.ends[record]);
    const mend = this.mendOf(first, refusal.type);
    const second = secondOf(first, 0);
    if (mend === Mend.time) this.#placeTime(source, batch, record, refusal, second);
    if (mend === Mend.ownStream) source.place(batch, record, "stream", "own", "alone");
    if (mend === Mend.fewLabels) source.place(batch, record, "stream", "service", "uncommitted");
    addMend(first, 0, mend);
    return this.#rewrite(source, batch, record, first, refusal, out, at);
  }

  /** Decides where this record and others like it are put, unless that was decided. */
  #placeTime(source: RecordSource, batch: Batch, record: number, { type, reason }: Refusal, second: number): void {
    const known = source.placementOf(batch, record, "clamp");
    const before: Clamp | undefined = known === undefined ? undefined : parseClamp(known);
    if (before !== undefined && isRefused(before, second)) return;
    const { oldest = 0, newest = NEVER_SECOND } = before ?? {};
    const clamp = {
      oldest: type === "timestamp_too_new" ? oldest : Math.max(oldest, second + 1, oldestSecond(reason)),
      newest: type === "timestamp_too_new" ? Math.min(newest, second) : newest,
      base: Math.floor(this.#clock.nowMs() / 1_000),
    };
    source.place(batch, record, "clamp", formatClamp(clamp), "uncommitted");
  }

  #rewrite(
    source: RecordSource,
    batch: Batch,
    record: number,
    first: Buffer,
    { reason }: Refusal,
    out: Buffer,
    at: number,
  ): number {
    const mends = mendsOf(first, 0);
    let second = secondOf(first, 0);
    let nanos = nanosOf(first, 0);
    let lineBytes = lineBytesOf(first, 0);
    const added: [string, string][] = [];
    if ((mends & Mend.time) !== 0) {
      added.push(["original_time", timeText(second, nanos)]);
      const clamp = parseClamp(source.placementOf(batch, record, "clamp") ?? "");
      const put = clampedNanos(batch.from[record]);
      second = clamp.base + Math.floor(put / NS_PER_SECOND);
      nanos = put % NS_PER_SECOND;
    }
    if ((mends & Mend.cut) !== 0 && lineBytes > this.lineMaxBytes) {
      added.push(["flags", flagNames(LineFlag.truncated)], ["original_bytes", String(lineBytes)]);
      lineBytes = cutAtCharacter(lineOf(first, 0), this.lineMaxBytes);
    }
    const stream = this.#streamOf(source, batch, record, first, mends, added);
    let end = at + HEADER_BYTES;
    end += first.copy(out, end, HEADER_BYTES, HEADER_BYTES + lineBytes);
    if ((mends & Mend.noMetadata) === 0) {
      const replaced = new Set(added.map(([name]) => name));
      if (replaced.size === 0) end += metadataOf(first, 0).copy(out, end);
      else
        for (const [name, value] of metadataPairs(metadataOf(first, 0)))
          if (!replaced.has(name)) end += metadataPair(name, value).copy(out, end);
      added.push(["refused", reason.slice(0, REASON_MAX_CHARS).toWellFormed()]);
      for (const [name, value] of added) end += metadataPair(name, value).copy(out, end);
    }
    writeHeader(out, at, end, stream, second, nanos, lineBytes);
    return end;
  }

  /** The stream that it goes to; labels that it loses on the way stand in its metadata. */
  #streamOf(
    source: RecordSource,
    batch: Batch,
    record: number,
    first: Buffer,
    mends: number,
    added: [string, string][],
  ): number {
    const number = streamOf(first, 0);
    const { labels } = this.#streams.get(number);
    if ((mends & Mend.fewLabels) !== 0) {
      for (const [name, value] of labels) if (name !== SERVICE_LABEL) added.push([name, value.slice(0, 256)]);
      return this.#streams.numberOf(serviceLabels(labels));
    }
    if ((mends & Mend.ownStream) === 0) return number;
    const { fileKey } = source.original(batch, record);
    return this.#streams.numberOf(backfillLabels(labels, fileKey, undefined));
  }
}

/** Bytes of a text up to a limit, without half of a character at the end. */
function cutAtCharacter(line: Buffer, maxBytes: number): number {
  let end = Math.min(maxBytes, line.length);
  while (end > 0 && end < line.length && (line[end] & 0xc0) === 0x80) end--;
  return end;
}

function flagNames(flags: number): string {
  return Object.entries(LineFlag)
    .filter(([, bit]) => (flags & bit) !== 0)
    .map(([name]) => name)
    .join(",");
}
