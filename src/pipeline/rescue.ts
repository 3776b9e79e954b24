import { EVENT_ID_MAX_BYTES, EventHasher, writeEventId, writeSalt } from "../batches/event-id.ts";
import { type Batch, LINE_FLAGS_SHIFT } from "../core/batch.ts";
import { Lane, Line, type PlacementKind } from "../core/record.ts";
import {
  DocumentWire,
  type Frame,
  type LostLetter,
  type Original,
  type RecordSource,
  type Wire,
} from "../core/sink.ts";
import type { StateStore } from "../core/state.ts";
import { type ReadBuffer, readAt } from "../files/follow.ts";
import { bomBytes, cutAtCharacter, lineEndBytes } from "../lines/newline.ts";
import type { Cursor } from "./cursor.ts";
import { loseLetters } from "./lose-letters.ts";
import { placementAt } from "./placements.ts";
import type { TurnInput } from "./input.ts";

const NO_TAIL = Buffer.alloc(0);
const DOCUMENT_START = Buffer.from('{"@timestamp":"');
const TIME_START = DOCUMENT_START.length;
const QUOTE = 0x22;

/**
 * Goes back to the line behind a record, for the few that need more than their bytes in the batch: a second send as text, a
 * dead letter, a salt. The line is read again from the file; when the file no longer holds it, the encoded document stands in.
 */
export class Rescue implements RecordSource {
  readonly #buffer: ReadBuffer;
  readonly #inputs: readonly TurnInput[];
  readonly #wire: () => Wire;
  readonly #state: StateStore;
  readonly #cursorOf: (batch: Batch, record: number) => Cursor;
  readonly #cursors: () => Iterable<Cursor>;
  readonly #sink: string;
  readonly #leaving: (batch: Batch) => Promise<void>;
  readonly #hasher = new EventHasher();
  readonly #idBytes: Buffer = Buffer.alloc(EVENT_ID_MAX_BYTES);

  constructor(options: {
    buffer: ReadBuffer;
    inputs: readonly TurnInput[];
    /** Asked for late: the sink that owns the wire is made with this object. */
    wire: () => Wire;
    state: StateStore;
    cursorOf: (batch: Batch, record: number) => Cursor;
    /** Of all files that are followed. */
    cursors: () => Iterable<Cursor>;
    sink: string;
    /** See RecordSource.leaving. */
    leaving: (batch: Batch) => Promise<void>;
  }) {
    this.#buffer = options.buffer;
    this.#inputs = options.inputs;
    this.#wire = options.wire;
    this.#state = options.state;
    this.#cursorOf = options.cursorOf;
    this.#cursors = options.cursors;
    this.#sink = options.sink;
    this.#leaving = options.leaving;
  }

  leaving(batch: Batch): Promise<void> {
    return this.#leaving(batch);
  }

  original(batch: Batch, record: number): Original {
    const cursor = this.#cursorOf(batch, record);
    const offset = batch.from[record];
    const length = batch.to[record] - offset;
    const { path, key } = cursor.file.record;
    const flags = batch.flags[record] >> LINE_FLAGS_SHIFT;
    const bytes = this.#readAgain(cursor, batch, record);
    return { path, offset, length, cut: batch.cut[record], flags, fileKey: key, bytes };
  }

  /** The payload as it was read, or undefined: gone, overwritten, or its hash is another one now. */
  #readAgain(cursor: Cursor, batch: Batch, record: number): Buffer | undefined {
    if (cursor.file.fd < 0 || cursor.file.status === "replaced") return undefined;
    const from = batch.from[record];
    const length = batch.to[record] - from;
    const cutBytes = batch.cut[record];
    const kept = cutBytes === 0 ? length : (cursor.boundaryAt(from)?.kept ?? 0);
    const chunk = readAt(cursor.file, from, kept, NO_TAIL, 0, this.#buffer);
    if (chunk.status !== "ok" || chunk.end - chunk.start < kept) return undefined;
    this.#hasher.hash(this.#buffer.words, chunk.start, chunk.end, cursor.seed!, from, length);
    if (this.#hasher.high !== batch.hashHigh[record] || this.#hasher.low !== batch.hashLow[record]) return undefined;
    const { bytes } = this.#buffer;
    const start = from === 0 ? chunk.start + bomBytes(bytes, chunk.start, chunk.end) : chunk.start;
    const end = cutBytes === 0 ? chunk.end - lineEndBytes(bytes, start, chunk.end) : chunk.end;
    return Buffer.from(bytes.subarray(start, end));
  }

  id(batch: Batch, record: number): string {
    const cursor = this.#cursorOf(batch, record);
    return this.#idBytes.toString("latin1", 0, this.#writeId(cursor, batch, record));
  }

  #writeId(cursor: Cursor, batch: Batch, record: number): number {
    const from = batch.from[record];
    const high = batch.hashHigh[record];
    const at = writeEventId(this.#idBytes, 0, cursor.seed!, from, high, batch.hashLow[record]);
    return writeSalt(this.#idBytes, at, cursor.record.salts.get(from) ?? 0);
  }

  encodeAsText(batch: Batch, record: number, reason: string, out: Buffer, at: number): number {
    const cursor = this.#cursorOf(batch, record);
    const document = this.#document(batch, record);
    const line = this.#lineAgain(cursor, batch, record, document);
    line.refusedReason = reason;
    const idBytes = this.#writeId(cursor, batch, record);
    return this.#wire().write(line, this.#inputs[cursor.file.input].encoder, this.#idBytes, idBytes, out, at);
  }

  /** A line object of its own, since the shared one belongs to the inner loop. */
  #lineAgain(cursor: Cursor, batch: Batch, record: number, document: Buffer): Line {
    const line = new Line();
    // A document that stands in for its line is held to the same limit, so that the second send always has room.
    const { maxLineBytes } = this.#inputs[cursor.file.input];
    line.bytes =
      this.#readAgain(cursor, batch, record) ??
      Buffer.from(document.subarray(0, cutAtCharacter(document, 0, document.length, maxLineBytes)));
    line.end = line.bytes.length;
    line.flags = batch.flags[record] >> LINE_FLAGS_SHIFT;
    line.originalBytes = line.end + batch.cut[record];
    line.offset = batch.from[record]!;
    line.path = cursor.file.record.path;
    line.fallbackTime = cursor.fallbackTime;
    // Every document begins with its time; the second form of a record carries the same one.
    line.lane = new Lane();
    const timeEnd = document.indexOf(QUOTE, TIME_START);
    line.lane.setLastTime(document.toString("latin1", TIME_START, timeEnd));
    return line;
  }

  maxTextBytes(batch: Batch, record: number): number {
    const cursor = this.#cursorOf(batch, record);
    const { encoder, maxLineBytes } = this.#inputs[cursor.file.input];
    const lineBytes = batch.to[record] - batch.from[record] - batch.cut[record];
    const payloadBytes = Math.min(maxLineBytes, Math.max(lineBytes, this.#document(batch, record).length));
    return encoder.maxEncodedBytes(payloadBytes) + this.#wire().overheadBytes;
  }

  salt(batch: Batch, record: number, out: Buffer, at: number): number {
    const cursor = this.#cursorOf(batch, record);
    const from = batch.from[record];
    const document = this.#document(batch, record);
    this.#state.addSalt(cursor.file.record, cursor.record, from, (cursor.record.salts.get(from) ?? 0) + 1);
    const idBytes = this.#writeId(cursor, batch, record);
    const start = this.#frame.begin(out, at, this.#idBytes, idBytes, cursor.file.record.path);
    return this.#frame.end(out, start + document.copy(out, start));
  }

  place(batch: Batch, record: number, what: PlacementKind, value: string, extent: "alone" | "uncommitted"): void {
    const { file, record: cursor } = this.#cursorOf(batch, record);
    const from = extent === "alone" ? batch.from[record] : cursor.committed;
    const next = batch.to[record];
    // The end of the exception first: without it, the exception would be the rule.
    if (extent === "alone" && !cursor.placements.some((each) => each.what === what && each.from === next))
      this.#state.addPlacement(file.record, cursor, { from: next, what, value: placementAt(cursor, what, from) ?? "" });
    this.#state.addPlacement(file.record, cursor, { from, what, value });
  }

  placementOf(batch: Batch, record: number, what: PlacementKind): string | undefined {
    return placementAt(this.#cursorOf(batch, record).record, what, batch.from[record]);
  }

  lose(letters: readonly LostLetter[]): void {
    loseLetters(this.#state, this.#sink, this.#cursors(), letters);
  }

  toleratesConflict(batch: Batch, record: number): boolean {
    return this.#cursorOf(batch, record).file.presentAtStart && this.#state.found !== "stopped";
  }

  /** Only records that are documents have a second form as text, or a salted one. */
  get #frame(): Frame {
    const wire = this.#wire();
    if (!(wire instanceof DocumentWire)) throw new Error("these records are no documents");
    return wire.frame;
  }

  /** The document inside the wire bytes of a record: between what is written before and after any document. */
  #document(batch: Batch, record: number): Buffer {
    const start = batch.starts[record];
    const end = batch.ends[record];
    const frame = this.#frame;
    const behind = Buffer.alloc(frame.overheadBytes);
    // An id that was salted since has more characters than the one that stands in the batch, so the length comes from there.
    const open = batch.buffer.indexOf(DOCUMENT_START, start);
    return batch.buffer.subarray(open, end - frame.end(behind, 0));
  }
}
