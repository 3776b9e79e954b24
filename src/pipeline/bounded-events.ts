import { isUtf8 } from "node:buffer";
import { fstatSync } from "node:fs";
import type { Batch } from "../core/batch.ts";
import { TAIL_BYTES } from "../core/limits.ts";
import { Tail } from "../core/record.ts";
import type { Boundary } from "../core/state.ts";
import { type ReadBuffer, readAt } from "../files/follow.ts";
import { bomBytes, cutAtCharacter, isBlank, lineEndBytes, lineFlags } from "../lines/newline.ts";
import type { Cursor } from "./cursor.ts";
import type { Turn, TurnInput } from "./input.ts";
import type { EventWriter } from "./writer.ts";

const NO_TAIL = Buffer.alloc(0);

export interface BoundedEventsOptions {
  readonly buffer: ReadBuffer;
  readonly inputs: readonly TurnInput[];
  /** Journals where an event ends. */
  readonly addBoundary: (cursor: Cursor, boundary: Boundary) => void;
}

/**
 * Events whose end the bytes alone do not decide: unterminated tails, and lines that are cut. Where one ends is journaled as
 * a boundary before the event is anywhere else; it is then taken by that, as it is after every restart.
 */
export class BoundedEvents {
  readonly #buffer: ReadBuffer;
  readonly #inputs: readonly TurnInput[];
  readonly #writer: EventWriter;
  readonly #addBoundary: (cursor: Cursor, boundary: Boundary) => void;
  readonly #tail = new Tail();

  constructor({ buffer, inputs, addBoundary }: BoundedEventsOptions, writer: EventWriter) {
    this.#buffer = buffer;
    this.#inputs = inputs;
    this.#writer = writer;
    this.#addBoundary = addBoundary;
  }

  /** Ends an over-long line at a character, as a journaled boundary: another limit after a restart must not move it. */
  cut(cursor: Cursor): void {
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
  take(cursor: Cursor, batch: Batch, boundary: Boundary): Turn {
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
