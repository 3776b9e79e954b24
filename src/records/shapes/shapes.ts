import type { Window } from "../copy.ts";
import { SHAPE_MAX_KEY_BYTES, SHAPE_MAX_MEMBERS } from "../../core/limits.ts";
import type { Choice } from "../choose/choose.ts";
import { ENTRY_SHIFT, FLAGS, KEY_END, KEY_START, MemberFlag, VALUE_END, VALUE_START } from "../members.ts";
import type { Members } from "../members.ts";
import { Shape, shapeHash } from "./shape.ts";
import { ShapeMemory } from "./shape-memory.ts";
import type { SpanLog } from "./span-log.ts";

/** Shapes that are remembered, if they are small enough for their memory, and slots of the hash table for them. */
const SHAPES_MAX = 2_048;
const SLOTS = 4_096;

/**
 * A full memory learns nothing more: to forget and learn again with every new combination of optional fields costs more than
 * it brings. Only when most lines of a long stretch were strangers has the application changed, and all begins anew.
 */
const STRETCH_LINES = 1_000_000;

/** Lines that differ from their shape's others in more than values. */
const IRREGULAR =
  MemberFlag.keyEscaped | MemberFlag.superseded | MemberFlag.blankKey | MemberFlag.hugeNumber | MemberFlag.unclean;

/** Where a record stands in the output: its body from behind the level to the path, its tail from behind the offset on. */
export interface Written {
  out: Buffer;
  bodyStart: number;
  bodyEnd: number;
  tailStart: number;
  end: number;
}

/**
 * The shapes of the lines so far. Applications have few: a logger writes the same keys in the same order. A shape is learned from its second line on, so that keys
 * made of data fill no memory.
 */
export class Shapes {
  readonly #slots: (Shape | undefined)[] = Array.from({ length: SLOTS });
  readonly #memory = new ShapeMemory();
  #count = 0;
  #isFull = false;
  /** Lines, and those of unknown shape among them, since the memory became full. */
  #lines = 0;
  #strangers = 0;
  /** Hashes that were seen once. */
  readonly #seen = new Int32Array(SLOTS);
  /** Hash of the line that was asked for last. */
  #hash = 0;

  /** The shape of the line in the table, if it is known. */
  find(source: Window, members: Members): Shape | undefined {
    this.#hash = 0;
    if (members.count > SHAPE_MAX_MEMBERS) return undefined;
    const hash = shapeHash(members);
    this.#hash = hash;
    this.#lines++;
    for (let slot = hash & (SLOTS - 1); ; slot = (slot + 1) & (SLOTS - 1)) {
      const shape = this.#slots[slot];
      if (shape === undefined) return this.#notFound();
      if (shape.hash === hash && shape.matches(source, members)) return shape;
    }
  }

  #notFound(): undefined {
    this.#strangers++;
    if (this.#isFull && this.#lines >= STRETCH_LINES && this.#strangers * 2 > this.#lines) this.#forget();
    return undefined;
  }

  #forget(): void {
    this.#slots.fill(undefined);
    this.#memory.clear();
    this.#count = 0;
    this.#isFull = false;
  }

  /** Learns the shape of the line that `find` did not know, once it is written: at the second line of that shape. */
  learn(source: Window, members: Members, choice: Choice, log: SpanLog, written: Written): void {
    const hash = this.#hash;
    if (hash === 0 || this.#isFull || !log.complete) return;
    if (this.#seen[hash & (SLOTS - 1)] !== hash) {
      this.#seen[hash & (SLOTS - 1)] = hash;
      return;
    }
    if (!isRegular(members) || !choice.isDecidedByShape(members.entries)) return;
    const { out, bodyStart, bodyEnd, tailStart, end: tailEnd } = written;
    const texts: Buffer[] = [];
    const starts: number[] = [];
    const ends: number[] = [];
    let at = bodyStart;
    for (let i = 0; i < log.count; i++) {
      const start = placeOf(members, START_FIELDS, log.starts[i]);
      const end = placeOf(members, END_FIELDS, log.ends[i]);
      if (start < 0 || end < 0) return;
      texts.push(out.subarray(at, log.at[i]));
      starts.push(start);
      ends.push(end);
      at = log.at[i] + log.ends[i] - log.starts[i];
    }
    texts.push(out.subarray(at, bodyEnd));
    const tail = out.subarray(tailStart, tailEnd);
    const { dialect } = choice;
    if (this.#hasRoom(members, starts.length, tailEnd - bodyStart)) {
      const facts = { hash, guards: choice.guards(), dialect, texts, starts, ends, tail };
      this.#add(new Shape(source.bytes, members, facts, this.#memory));
    } else {
      this.#isFull = true;
      this.#lines = 0;
      this.#strangers = 0;
    }
  }

  #hasRoom({ count }: Members, stretches: number, bytes: number): boolean {
    return this.#count < SHAPES_MAX && this.#memory.hasRoom(2 * count + 3 * stretches, SHAPE_MAX_KEY_BYTES + bytes);
  }

  #add(shape: Shape): void {
    let slot = shape.hash & (SLOTS - 1);
    while (this.#slots[slot] !== undefined) slot = (slot + 1) & (SLOTS - 1);
    this.#slots[slot] = shape;
    this.#count++;
  }
}

const START_FIELDS = [KEY_START, VALUE_START];
const END_FIELDS = [KEY_END, VALUE_START, VALUE_END];

/** The place in the table that holds an offset into the line (of a key's quote: the key's start); -1 when there is none. */
function placeOf(members: Members, fields: readonly number[], offset: number): number {
  const { entries, count } = members;
  for (let at = 0; at < count << ENTRY_SHIFT; at += 1 << ENTRY_SHIFT) {
    for (const field of fields) {
      const quote = field === KEY_START ? 1 : 0;
      if (entries[at + field] - quote === offset) return at + field;
    }
  }
  return -1;
}

function isRegular(members: Members): boolean {
  const { entries, count } = members;
  let keyBytes = 0;
  for (let at = 0; at < count << ENTRY_SHIFT; at += 1 << ENTRY_SHIFT) {
    if ((entries[at + FLAGS] & IRREGULAR) !== 0) return false;
    keyBytes += entries[at + KEY_END] - entries[at + KEY_START];
  }
  return keyBytes <= SHAPE_MAX_KEY_BYTES;
}
