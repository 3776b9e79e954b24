import { isUtf8 } from "node:buffer";
import { fstatSync } from "node:fs";
import type { Batch } from "../core/batch.ts";
import { CHUNK_BYTES, TAIL_BYTES } from "../core/limits.ts";
import { Tail } from "../core/record.ts";
import type { Wire } from "../core/sink.ts";
import type { Boundary } from "../core/state.ts";
import { type ReadBuffer, readAt } from "../files/follow.ts";
import {
  bomBytes,
  cutAtCharacter,
  findLineFeed,
  isBlank,
  lineEndBytes,
  lineFlags,
  LINE_END_MAX_BYTES,
  skipHole,
} from "../lines/newline.ts";
import type { Cursor } from "./cursor.ts";
import type { Turn, TurnInput } from "./input.ts";
import { EventWriter } from "./writer.ts";

const NO_TAIL = Buffer.alloc(0);
const LF = 0x0a;

/**
 * The inner loop: takes one chunk of one file through lines and records into a batch, synchronously. It belongs to one
 * pipeline; the read buffer is shared by all, since nothing in it outlives a turn.
 */
export class TurnReader {
  readonly #buffer: ReadBuffer;
  readonly #inputs: readonly TurnInput[];
  readonly #writer: EventWriter;
  readonly #addBoundary: (cursor: Cursor, boundary: Boundary) => void;
  readonly #tail = new Tail();

  constructor(options: {
    buffer: ReadBuffer;
    inputs: readonly TurnInput[];
    wire: Wire;
    batchMaxBytes: number;
    addBoundary: (cursor: Cursor, boundary: Boundary) => void;
  }) {
    this.#buffer = options.buffer;
    this.#inputs = options.inputs;
    this.#writer = new EventWriter(options.buffer, options.wire, options.batchMaxBytes);
    this.#addBoundary = options.addBoundary;
  }

  /** The read buffer has got other memory: nothing here holds the old one. */
  forgetLine(): void {
    this.#writer.line.bytes = NO_TAIL;
  }

  /** One turn of a cursor whose file key is known. */
  turn(cursor: Cursor, batch: Batch): Turn {
    // A copy can be shorter than what was read of its original.
    if (cursor.read > cursor.file.size) return "idle";
    const boundary = cursor.boundaryAt(cursor.read);
    if (boundary !== undefined) return this.#takeBounded(cursor, batch, boundary);
    if (this.#isFarTooLong(cursor)) return this.#shorten(cursor, batch);
    if (cursor.lineEnd === 0 && cursor.scannedTo > cursor.read) return this.#scan(cursor);
    return this.#extract(cursor, batch);
  }

  /** Looks for the end of a line that was begun earlier, in the new bytes alone. */
  #scan(cursor: Cursor): Turn {
    const tail = cursor.scannedTail;
    const chunk = readAt(cursor.file, cursor.scannedTo, CHUNK_BYTES, tail.bytes, tail.length, this.#buffer);
    if (chunk.status !== "ok") return chunk.status;
    const { bytes } = this.#buffer;
    if (chunk.end === chunk.start) return "idle";
    const found = bytes.subarray(chunk.start, chunk.end).indexOf(LF);
    if (found < 0) {
      tail.set(bytes, chunk.start - tail.length, chunk.end);
      cursor.scannedTo += chunk.end - chunk.start;
      return "progress";
    }
    cursor.lineEnd = cursor.scannedTo + found + 1;
    cursor.scannedTo = cursor.read;
    return "progress";
  }

  /** The end of the line is known, and no line end of two bytes can make it fit. */
  #isFarTooLong({ lineEnd, read, file }: Cursor): boolean {
    return lineEnd - read > this.#inputs[file.input].maxLineBytes + LINE_END_MAX_BYTES;
  }

  /** Cuts a line that is too long, behind the hole before it if there is one. */
  #shorten(cursor: Cursor, batch: Batch): Turn {
    const tail = cursor.readTail;
    const chunk = readAt(cursor.file, cursor.read, CHUNK_BYTES, tail.bytes, tail.length, this.#buffer);
    if (chunk.status !== "ok") return chunk.status;
    const at = skipHole(this.#buffer.bytes, chunk.start, chunk.end, tail.endsInNul);
    if (at === chunk.start) this.#cut(cursor);
    else if (!this.#writer.openSegment(cursor, batch)) return "full";
    else
      this.#writer.advance(cursor, this.#buffer.bytes, chunk.start - tail.length, at, cursor.read + at - chunk.start);
    return "progress";
  }

  /** Takes whole lines from `read` on, until the chunk or the batch ends. */
  #extract(cursor: Cursor, batch: Batch): Turn {
    const { bytes } = this.#buffer;
    const input = this.#inputs[cursor.file.input];
    const tail = cursor.readTail;
    const before = tail.length;
    const wanted = Math.max(CHUNK_BYTES, cursor.lineEnd - cursor.read);
    const chunk = readAt(cursor.file, cursor.read, wanted, tail.bytes, tail.length, this.#buffer);
    if (chunk.status !== "ok") return chunk.status;
    const { start, end } = chunk;
    if (end === start) return "idle";
    if (!this.#writer.openSegment(cursor, batch)) return "full";

    const base = cursor.read - start;
    const stop = Math.min(end, cursor.nextBoundary() - base);
    const line = this.#writer.line;
    const countBefore = batch.count;
    line.knownUtf8 = isUtf8(bytes.subarray(start, bytes.lastIndexOf(LF, stop - 1) + 1 || start));
    let at = start;
    let turn: Turn = "progress";
    let overlongEnd = 0;
    while (at < stop) {
      const lineFeed = findLineFeed(bytes, at, stop);
      if (lineFeed < 0) break;
      const next = lineFeed + 1;
      if (bytes[at] === 0) at = skipHole(bytes, at, lineFeed, at === start && tail.endsInNul);
      const from = base + at;
      const payloadStart = from === 0 ? at + bomBytes(bytes, at, lineFeed) : at;
      const payloadEnd = next - lineEndBytes(bytes, payloadStart, next);
      if (payloadEnd - at > input.maxLineBytes) {
        overlongEnd = base + next;
        break;
      }
      if (!isBlank(bytes, payloadStart, payloadEnd)) {
        line.flags = from === cursor.continuesAt ? lineFlags(true, false, true) : 0;
        if (
          !this.#writer.write(cursor, batch, input.encoder, at, payloadStart, payloadEnd, next, from, base + next, 0)
        ) {
          turn = "full";
          break;
        }
      }
      at = next;
    }
    if (batch.count > countBefore) this.#writer.noteFormat(cursor, input.encoder);
    // A boundary inside a line is of other content than this; the bytes decide.
    if (turn === "progress" && overlongEnd === 0 && at < stop && stop < end) cursor.record.boundaries = [];
    this.#writer.advance(cursor, bytes, start - before, at, base + at);
    cursor.lineEnd = 0;
    if (overlongEnd > 0) {
      cursor.lineEnd = overlongEnd;
      if (!this.#isFarTooLong(cursor)) this.#cut(cursor);
    } else if (turn === "progress" && (at === start || base + end >= cursor.file.size) && stop === end) {
      // Only a line that fills the chunk, or stands at the end of the file, is worth remembering as scanned: with more
      // to read behind it, the next chunk begins at its first byte and holds it whole.
      cursor.scannedTail.set(bytes, start - before, end);
      cursor.scannedTo = base + end;
      if (base + end >= cursor.file.size) return "idle";
    }
    return turn;
  }

  /** Ends an over-long line at a character, as a journaled boundary: another limit after a restart must not move it. */
  #cut(cursor: Cursor): void {
    const { maxLineBytes } = this.#inputs[cursor.file.input];
    const from = cursor.read;
    const to = cursor.lineEnd;
    cursor.lineEnd = 0;
    const { bytes } = this.#buffer;
    const ending = readAt(cursor.file, Math.max(from, to - 2), 2, NO_TAIL, 0, this.#buffer);
    if (ending.status !== "ok") return;
    const payloadBytes = to - from - lineEndBytes(bytes, ending.start, ending.end);
    const tail = cursor.readTail;
    const chunk = readAt(cursor.file, from, maxLineBytes + 4, tail.bytes, tail.length, this.#buffer);
    if (chunk.status !== "ok" || chunk.end - chunk.start < maxLineBytes) return;
    if (payloadBytes <= maxLineBytes) {
      cursor.lineEnd = to; // a line feed of two bytes made it look too long
      return;
    }
    this.#addBoundary(cursor, { from, to, kept: cutAtCharacter(bytes, chunk.start, chunk.end, maxLineBytes) });
  }

  /**
   * Ends the unterminated tail [read, file.size) here, unless the file has another size by now. What is only white space is
   * passed over as filtered by the next turn; the boundary is in the journal before the event is anywhere else.
   */
  endTail(cursor: Cursor): void {
    const { read: from, file } = cursor;
    if (fstatSync(file.fd).size !== file.size) return;
    if (file.size > from) this.#bound(cursor, { from, to: file.size, unterminated: true });
  }

  /** Journals that an event at the cursor ends there, cut if it is too long. */
  #bound(cursor: Cursor, event: Boundary): Turn {
    const { maxLineBytes } = this.#inputs[cursor.file.input];
    const { from, to } = event;
    const tail = cursor.readTail;
    const chunk = readAt(cursor.file, from, maxLineBytes + 4, tail.bytes, tail.length, this.#buffer);
    if (chunk.status !== "ok") return chunk.status;
    const cut = to - from > maxLineBytes;
    const kept = cut ? { kept: cutAtCharacter(this.#buffer.bytes, chunk.start, chunk.end, maxLineBytes) } : {};
    this.#addBoundary(cursor, { ...event, ...kept });
    return "progress";
  }

  /** Takes one event whose end is journaled: an unterminated tail, or a line that was cut. */
  #takeBounded(cursor: Cursor, batch: Batch, boundary: Boundary): Turn {
    const { bytes } = this.#buffer;
    const { encoder, maxLineBytes } = this.#inputs[cursor.file.input];
    const { from, to } = boundary;
    const kept = boundary.kept ?? to - from;
    // It was journaled under a larger `max_line_bytes` and finds no room in the memory of today.
    if (kept > maxLineBytes && !(this.#buffer.holds(kept) && this.#writer.fits(batch, encoder, kept)))
      return this.#bound(cursor, boundary);
    const endFrom = Math.max(from, to - TAIL_BYTES);
    const ending = readAt(cursor.file, endFrom, to - endFrom, NO_TAIL, 0, this.#buffer);
    if (ending.status !== "ok") return ending.status;
    if (ending.end - ending.start < to - endFrom) {
      // The file ends before: a copy that is shorter than its original. What is there is looked at anew.
      cursor.record.boundaries = cursor.record.boundaries.filter((other) => other !== boundary);
      return "progress";
    }
    const lineEnd = lineEndBytes(bytes, ending.start, ending.end);
    this.#tail.set(bytes, ending.start, ending.end);

    const before = cursor.readTail;
    const chunk = readAt(cursor.file, from, kept, before.bytes, before.length, this.#buffer);
    if (chunk.status !== "ok") return chunk.status;
    if (chunk.end - chunk.start < kept) return "changed";
    if (!this.#writer.openSegment(cursor, batch)) return "full";
    const { start } = chunk;
    const payloadStart = from === 0 ? start + bomBytes(bytes, start, chunk.end) : start;
    const wholeEnd = chunk.end - (boundary.kept === undefined ? lineEnd : 0);
    const unterminated = boundary.unterminated === true;
    if (!isBlank(bytes, payloadStart, wholeEnd)) {
      const line = this.#writer.line;
      const cutBytes = boundary.kept === undefined ? 0 : to - from - lineEnd - kept;
      line.flags = lineFlags(!unterminated, cutBytes > 0, from === cursor.continuesAt);
      line.originalBytes = to - from - lineEnd - (payloadStart - start);
      line.knownUtf8 = isUtf8(bytes.subarray(payloadStart, wholeEnd));
      if (!this.#writer.write(cursor, batch, encoder, start, payloadStart, wholeEnd, chunk.end, from, to, cutBytes))
        return "full";
      this.#writer.noteFormat(cursor, encoder);
      if (unterminated) cursor.continuesAt = to;
    }
    this.#writer.advance(cursor, this.#tail.bytes, 0, this.#tail.length, to);
    return "progress";
  }
}
