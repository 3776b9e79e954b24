/** The inner loop over real files: however a file grows and however small the batches are, its events are the same. */
import { appendFileSync, closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EventIdSeed } from "../../../src/batches/event-id.ts";
import { Batch } from "../../../src/core/batch.ts";
import { Facts, LineFlag, type Line, type RecordEncoder } from "../../../src/core/record.ts";
import { DocumentWire, type Wire } from "../../../src/core/sink.ts";
import type { SourceFile } from "../../../src/core/source.ts";
import type { CursorRecord, FileRecord } from "../../../src/core/state.ts";
import { ReadBuffer } from "../../../src/files/follow.ts";
import { Cursor } from "../../../src/pipeline/cursor.ts";
import { TurnReader } from "../../../src/pipeline/turn.ts";
import { cursorRecord } from "../../support/cursor-record.ts";

const MAX_LINE_BYTES = 20;
const KEY = "0123456789abcdef0123456789abcdef";

let directory = "";
beforeAll(() => (directory = mkdtempSync(join(os.tmpdir(), "pannier-turn-"))));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Writes flags and payload, in hex, so that any bytes survive. */
const encoder: RecordEncoder = {
  encode: (line: Line, out, at) =>
    at + out.write(`${line.flags}:${line.bytes.toString("hex", line.start, line.end)}`, at),
  maxEncodedBytes: (payloadBytes) => 2 * payloadBytes + 8,
  read: () => new Facts(),
  copy: (_start, _end, _out, at) => at,
  lastFormat: "plain",
  lastDialect: null,
};
const wire: Wire = new DocumentWire({
  overheadBytes: 64,
  begin: (out, at, id, idBytes) => at + id.copy(out, at, 0, idBytes),
  end: (out, at) => at + out.write("\n", at),
});

interface Event {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** One file, its cursor, and batches of a size. */
class Rig {
  readonly path = join(directory, "app.log");
  readonly events: Event[] = [];
  readonly cursor: Cursor;
  readonly #file: SourceFile;
  readonly #reader: TurnReader;
  readonly #batchBytes: number;

  constructor(batchBytes: number, record: Partial<CursorRecord> = {}) {
    if (record.committed === undefined) writeFileSync(this.path, "");
    this.#batchBytes = batchBytes;
    this.#file = {
      ordinal: 0,
      record: { uid: 1, path: this.path, key: KEY, seenMtimeMs: 0, cursors: new Map() } as unknown as FileRecord,
      input: 0,
      presentAtStart: true,
      startOffset: 0,
      predecessor: undefined,
      status: "live",
      path: this.path,
      fd: openSync(this.path, "r"),
      size: 0,
      readTo: 0,
      mtimeMs: 0,
      quietSinceMs: 0,
    };
    this.cursor = new Cursor(this.#file, cursorRecord(record));
    this.cursor.seed = new EventIdSeed(KEY);
    this.#reader = new TurnReader({
      buffer: new ReadBuffer(400_000),
      inputs: [{ encoder, maxLineBytes: MAX_LINE_BYTES }],
      wire,
      batchMaxBytes: batchBytes,
      addBoundary: ({ record: state }, boundary) => {
        state.boundaries = [...state.boundaries.filter(({ from }) => from !== boundary.from), boundary];
      },
      addPlacement: () => undefined,
    });
  }

  append(bytes: Uint8Array): void {
    appendFileSync(this.path, bytes);
    this.#file.size += bytes.length;
    this.read();
  }

  /** Writes what no sweep has seen yet. */
  write(bytes: Uint8Array): void {
    appendFileSync(this.path, bytes);
  }

  endTail(): void {
    this.#reader.endTail(this.cursor);
    this.read();
  }

  /** Turns until nothing is left to read; a full batch is taken and a new one begun. */
  read(): void {
    for (let turns = 0; ; turns++) {
      if (turns > 100_000) throw new Error("the loop does not end");
      const batch = new Batch(0, Buffer.alloc(Math.max(this.#batchBytes, 256)));
      let turn;
      do turn = this.#reader.turn(this.cursor, batch);
      while (turn === "progress");
      if (turn !== "idle" && turn !== "full") throw new Error(`the turn ended with ${turn}`);
      for (let i = 0; i < batch.count; i++) {
        const text = batch.buffer.toString("latin1", batch.starts[i], batch.ends[i]);
        this.events.push({ from: batch.from[i], to: batch.to[i], text });
      }
      if (turn === "idle") return;
    }
  }

  close(): void {
    closeSync(this.#file.fd);
  }
}

function eventsOf(chunks: readonly Uint8Array[], batchBytes: number): readonly Event[] {
  const rig = new Rig(batchBytes);
  for (const chunk of chunks) rig.append(chunk);
  rig.endTail();
  rig.close();
  return rig.events;
}

const piece = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 12 }) },
  { weight: 4, arbitrary: fc.constantFrom("\n", "\r\n", "\n\n", "a\n", " \n") },
  { weight: 1, arbitrary: fc.string({ minLength: 15, maxLength: 90 }) },
  { weight: 1, arbitrary: fc.constantFrom("€", "𝄞", "\ufeff", "\r") },
);
const content = fc.array(piece, { maxLength: 40 }).map((pieces) => Buffer.from(pieces.join("").toWellFormed()));

/** Where lines end, by the plainest code there is. */
function linesOf(bytes: Buffer): { from: number; to: number }[] {
  const lines = [];
  for (let from = 0; from < bytes.length;) {
    const end = bytes.indexOf(10, from);
    const to = end < 0 ? bytes.length : end + 1;
    lines.push({ from, to });
    from = to;
  }
  return lines;
}

test("events are the lines of the file that are not blank, whole or cut", () => {
  fc.assert(
    fc.property(content, fc.integer({ min: 256, max: 2_000 }), (bytes, batchBytes) => {
      const events = eventsOf([bytes], batchBytes);
      const expected = linesOf(bytes).filter(({ from, to }) => {
        const text = bytes.toString("utf8", from, to);
        return (from === 0 ? text.replace(/^\ufeff/, "") : text).replaceAll(/[\t-\r ]/g, "") !== "";
      });
      expect(events.map(({ from, to }) => ({ from, to }))).toEqual(expected);
      for (const { from, to, text } of events) {
        const [flags, hex] = text.slice(22, -1).split(":");
        const line = bytes.toString("hex", from, to).replace(/(0d)?0a$/, "");
        const bom = from === 0 && line.startsWith("efbbbf") ? 6 : 0;
        const cut = line.length / 2 > MAX_LINE_BYTES;
        expect((Number(flags) & LineFlag.truncated) !== 0).toBe(cut);
        expect(line.slice(bom).startsWith(hex)).toBe(true);
        if (!cut) expect(hex).toBe(line.slice(bom));
      }
    }),
    { numRuns: 300 },
  );
});

test("they do not depend on how the file grew, nor on the size of batches (invariant 5)", () => {
  fc.assert(
    fc.property(
      content,
      fc.array(fc.nat(100), { maxLength: 30 }),
      fc.integer({ min: 256, max: 2_000 }),
      (bytes, cuts, size) => {
        const chunks: Uint8Array[] = [];
        let from = 0;
        for (const length of cuts) chunks.push(bytes.subarray(from, (from += length)));
        chunks.push(bytes.subarray(from));
        expect(eventsOf(chunks, size)).toEqual(eventsOf([bytes], 100_000));
      },
    ),
    { numRuns: 300 },
  );
});

test("a re-read with the boundaries of the first reading gives the same events", () => {
  fc.assert(
    fc.property(content, content, (head, more) => {
      const first = new Rig(1_000);
      first.append(head);
      first.endTail();
      first.append(more);
      const again = new Rig(1_000, { committed: 0, boundaries: [...first.cursor.record.boundaries] });
      again.cursor.file.size = first.cursor.file.size;
      again.read();
      expect(again.events).toEqual(first.events);
      first.close();
      again.close();
    }),
    { numRuns: 300 },
  );
});

test("a tail that has grown since the file was looked at is not ended, though what it has grown by was read", () => {
  const rig = new Rig(1_000);
  rig.append(Buffer.from("one "));
  rig.write(Buffer.from("two "));
  rig.read();
  rig.endTail();
  rig.append(Buffer.from("three\n"));
  rig.close();
  expect(rig.events.map(({ from, to }) => [from, to])).toEqual([[0, 14]]);
});

test("a boundary that does not fit the bytes does not stop the file", () => {
  const rig = new Rig(1_000, { boundaries: [{ from: 3, to: 6 }] });
  rig.append(Buffer.from("one two\nthree\n"));
  rig.close();
  expect(rig.events.map(({ from, to }) => [from, to])).toEqual([
    [0, 8],
    [8, 14],
  ]);
});

test("a boundary of an event that no longer fits, since the limit was larger before, is drawn again and stops nothing", () => {
  const long = "x".repeat(500);
  for (const boundary of [
    { from: 0, to: 501, kept: 400 },
    { from: 0, to: 501, unterminated: true },
  ]) {
    const rig = new Rig(256, { boundaries: [boundary] });
    rig.append(Buffer.from(`${long}\nnext\n`));
    rig.close();
    expect(rig.events.map(({ from, to }) => [from, to])).toEqual([
      [0, 501],
      [501, 506],
    ]);
    expect(rig.events[0].text.split(":")[1]).toBe(`${Buffer.from("x".repeat(MAX_LINE_BYTES)).toString("hex")}\n`);
    expect(rig.cursor.record.boundaries.at(-1)).toMatchObject({ from: 0, to: 501, kept: MAX_LINE_BYTES });
  }
});

test("other bytes before the cursor are noticed by the read itself", () => {
  const rig = new Rig(1_000);
  rig.append(Buffer.from("one\ntwo\n"));
  writeFileSync(rig.path, "ONE\nTWO\nthree\n");
  rig.cursor.file.size = 14;
  expect(() => rig.read()).toThrow(/changed/);
  rig.close();
});

test.each([64, 100, 262_143, 262_150, 700_000])(
  "a hole of %i bytes before a line, as one leaves who writes on behind a truncation, is passed over",
  (bytes) => {
    const hole = Buffer.alloc(bytes);
    const whole = eventsOf([Buffer.concat([hole, Buffer.from("first\nsecond\n")])], 4_096);
    expect(whole.map(({ from, to }) => [from - bytes, to - bytes])).toEqual([
      [0, 6],
      [6, 13],
    ]);
    expect(eventsOf([hole, Buffer.from("fir"), Buffer.from("st\nsecond\n")], 4_096)).toEqual(whole);
    const long = eventsOf([hole, Buffer.from(`${"x".repeat(50)}\nlast\n`)], 4_096);
    expect(long.map(({ from }) => from - bytes)).toEqual([0, 51]);
  },
);

test("a few NULs at the beginning of a line are part of it", () => {
  const lines = [Buffer.from("\0\0\0\n"), Buffer.concat([Buffer.alloc(63), Buffer.from("first\n")])];
  expect(eventsOf([Buffer.concat(lines)], 4_096).map(({ from, to }) => [from, to])).toEqual([
    [0, 4],
    [4, 73],
  ]);
});

test("a tail that has grown since it was looked at is not ended where it was", () => {
  const rig = new Rig(4_096);
  rig.append(Buffer.from("first "));
  rig.write(Buffer.from("line"));
  rig.endTail();
  expect(rig.cursor.record.boundaries).toEqual([]);
  rig.close();
});
