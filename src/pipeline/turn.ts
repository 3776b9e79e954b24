import { isUtf8 } from "node:buffer";
import type { Batch } from "../core/batch.ts";
import { CHUNK_BYTES } from "../core/limits.ts";
import { type ReadBuffer, readAt } from "../files/follow.ts";
import {
  bomBytes,
  findLineFeed,
  isBlank,
  lineEndBytes,
  lineFlags,
  LINE_END_MAX_BYTES,
  skipHole,
} from "../lines/newline.ts";
import { BoundedEvents, type BoundedEventsOptions } from "./bounded-events.ts";
import type { Cursor } from "./cursor.ts";
import type { Turn, TurnInput } from "./input.ts";
import { EventWriter, type WriterOptions } from "./writer.ts";

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
  readonly #bounded: BoundedEvents;

  constructor(options: BoundedEventsOptions & WriterOptions) {
    this.#buffer = options.buffer;
    this.#inputs = options.inputs;
    this.#writer = new EventWriter(options);
    this.#bounded = new BoundedEvents(options, this.#writer);
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
    if (boundary !== undefined) return this.#bounded.take(cursor, batch, boundary);
    if (this.#isFarTooLong(cursor)) return this.#shorten(cursor, batch);
    if (cursor.lineEnd === 0 && cursor.scannedTo > cursor.read) return this.#scan(cursor);
    return this.#extract(cursor, batch);
  }

  /** See BoundedEvents.endTail. */
  endTail(cursor: Cursor): void {
    this.#bounded.endTail(cursor);
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
    if (at === chunk.start) this.#bounded.cut(cursor);
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
      if (!this.#isFarTooLong(cursor)) this.#bounded.cut(cursor);
    } else if (turn === "progress" && (at === start || base + end >= cursor.file.size) && stop === end) {
      // Only a line that fills the chunk, or stands at the end of the file, is worth remembering as scanned: with more
      // to read behind it, the next chunk begins at its first byte and holds it whole.
      cursor.scannedTail.set(bytes, start - before, end);
      cursor.scannedTo = base + end;
      if (base + end >= cursor.file.size) return "idle";
    }
    return turn;
  }
}
