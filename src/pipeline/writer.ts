import { EVENT_ID_MAX_BYTES, EventHasher, writeEventId, writeSalt } from "../batches/event-id.ts";
import { type Batch, LINE_FLAGS_SHIFT, Outcome, RecordFlag } from "../core/batch.ts";
import { BATCH_MAX_RECORDS, BATCH_MAX_SEGMENTS } from "../core/limits.ts";
import { Line, type Placement, type RecordEncoder } from "../core/record.ts";
import type { Wire } from "../core/sink.ts";
import { noTerms } from "../core/state.ts";
import type { ReadBuffer } from "../files/follow.ts";
import type { Cursor } from "./cursor.ts";
import { FilePlacements } from "./placements.ts";

const NO_TAIL = Buffer.alloc(0);

export interface WriterOptions {
  readonly buffer: ReadBuffer;
  readonly wire: Wire;
  readonly batchMaxBytes: number;
  /** Journals what the sink decided about a file. */
  readonly addPlacement: (cursor: Cursor, placement: Placement) => void;
}

/** Writes events from the read buffer into batches, in the sink's wire format and under their ids. */
export class EventWriter {
  /** Flags, lengths and UTF-8 knowledge are set by the caller, everything else here. */
  readonly line: Line = new Line();
  readonly #buffer: ReadBuffer;
  readonly #wire: Wire;
  readonly #batchMaxBytes: number;
  readonly #hasher = new EventHasher();
  readonly #id: Buffer = Buffer.alloc(EVENT_ID_MAX_BYTES);
  readonly #placements: FilePlacements;

  constructor(options: WriterOptions) {
    this.#buffer = options.buffer;
    this.#wire = options.wire;
    this.#batchMaxBytes = options.batchMaxBytes;
    this.#placements = new FilePlacements(options.addPlacement);
    this.line.placements = this.#placements;
  }

  /**
   * Writes the event of file bytes [from, to), which lies in the read buffer from `start` on, its payload in [payloadStart,
   * payloadEnd), its hashed bytes up to `hashEnd`. False: there is no room, and nothing has changed.
   */
  write(
    cursor: Cursor,
    batch: Batch,
    encoder: RecordEncoder,
    start: number,
    payloadStart: number,
    payloadEnd: number,
    hashEnd: number,
    from: number,
    to: number,
    cutBytes: number,
  ): boolean {
    const out = batch.buffer;
    const wire = this.#wire;
    const roomBytes = encoder.maxEncodedBytes(payloadEnd - payloadStart) + wire.overheadBytes;
    if (batch.count === BATCH_MAX_RECORDS || batch.length + roomBytes > out.length) return false;
    const seed = cursor.seed!;
    const hasher = this.#hasher;
    hasher.hash(this.#buffer.words, start, hashEnd, seed, from, to - from);
    let idBytes = wire.hasIds ? writeEventId(this.#id, 0, seed, from, hasher.high, hasher.low) : 0;
    if (cursor.record.salts.size > 0 && wire.hasIds)
      idBytes = writeSalt(this.#id, idBytes, cursor.record.salts.get(from) ?? 0);

    const { line } = this;
    line.bytes = this.#buffer.bytes;
    line.start = payloadStart;
    line.end = payloadEnd;
    line.offset = from;
    line.path = cursor.file.record.path;
    line.fallbackTime = cursor.fallbackTime;
    line.lane = cursor.lane;
    line.fileKey = cursor.file.record.key;
    line.input = cursor.file.input;
    line.writtenMs = cursor.file.mtimeMs;
    this.#placements.cursor = cursor;
    const { second, nanos, addedNanos, isAssigned } = cursor.lane;
    const at = wire.write(line, encoder, this.#id, idBytes, out, batch.length);
    if (at > this.#batchMaxBytes && batch.count > 0) {
      // It will be written again, into the next batch, and has to find what it found.
      Object.assign(cursor.lane, { second, nanos, addedNanos, isAssigned });
      return false;
    }

    const record = batch.count++;
    batch.starts[record] = batch.length;
    batch.ends[record] = at;
    batch.from[record] = from;
    batch.to[record] = to;
    batch.cut[record] = cutBytes;
    batch.hashHigh[record] = hasher.high;
    batch.hashLow[record] = hasher.low;
    batch.segmentOf[record] = cursor.segmentIndex;
    batch.flags[record] = (line.flags << LINE_FLAGS_SHIFT) | (from < cursor.maybeSentBelow ? RecordFlag.maybeSent : 0);
    batch.outcome[record] = Outcome.pending;
    batch.length = at;
    return true;
  }

  /** An event of that size has room in an empty batch. */
  fits({ buffer }: Batch, encoder: RecordEncoder, payloadBytes: number): boolean {
    return encoder.maxEncodedBytes(payloadBytes) + this.#wire.overheadBytes <= buffer.length;
  }

  /** Makes sure that the cursor has a segment in this batch. False: the batch takes no more segments. */
  openSegment(cursor: Cursor, batch: Batch): boolean {
    if (cursor.batch === batch) return true;
    if (batch.segments.length === BATCH_MAX_SEGMENTS) return false;
    const { file, read } = cursor;
    const segment = { file, from: read, to: read, tail: NO_TAIL, lastTime: "", terms: noTerms(), settled: false };
    cursor.batch = batch;
    cursor.segment = segment;
    cursor.segmentIndex = batch.segments.push(segment) - 1;
    cursor.uncommitted.push(segment);
    return true;
  }

  /** Notes what the last line was taken for. Once per turn: nobody looks more often. */
  noteFormat(cursor: Cursor, encoder: RecordEncoder): void {
    cursor.format = encoder.lastFormat;
    cursor.dialect = encoder.lastDialect;
  }

  /** Moves the cursor to `offset`; bytes[tailFrom, at) end there. */
  advance(cursor: Cursor, bytes: Buffer, tailFrom: number, at: number, offset: number): void {
    cursor.readTail.set(bytes, tailFrom, at);
    cursor.read = offset;
    cursor.scannedTo = offset;
    const segment = cursor.segment!;
    segment.to = offset;
    segment.tail = cursor.readTail.copy();
    segment.lastTime = cursor.lane.lastTime();
  }
}
