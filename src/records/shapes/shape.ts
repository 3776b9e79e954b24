import type { Window } from "../copy.ts";
import { Constant, copyConstant, copySpan } from "../copy.ts";
import type { CompiledDialect } from "../dialects/compile.ts";
import {
  ENTRY_SHIFT,
  FLAGS,
  HASH,
  KEY_END,
  KEY_START,
  Kind,
  KIND_MASK,
  MemberFlag,
  VALUE_END,
  VALUE_START,
} from "../members.ts";
import type { Members } from "../members.ts";
import type { RecordTime } from "../time/record-time.ts";
import { isHexId } from "../choose/trace-id.ts";

/** What the objects and arrays of a shape take themselves. */
const SHAPE_OBJECTS_BYTES = 1_024;

/** What two lines of one shape may differ in. */
const FLAGS_MASK = ~MemberFlag.valueEscaped;

/** A number that lines of one shape share; others mostly have another. */
export function shapeHash(members: Members): number {
  const { entries, count } = members;
  let hash = count;
  for (let at = 0; at < count << ENTRY_SHIFT; at += 1 << ENTRY_SHIFT) {
    hash = Math.imul(hash ^ entries[at + HASH], 0x85eb_ca6b) ^ (entries[at + FLAGS] & FLAGS_MASK) ^ (hash >>> 15);
  }
  return hash ^ (hash >>> 13);
}

/** What has to hold for the values of a line beside its shape: -1 for members that are not there. */
export interface Guards {
  /** Entry whose value must be a time, and one that can be sent without loss. */
  readonly time: number;
  /** Entry whose value must be the name of a level. */
  readonly level: number;
  /** Entries whose values must be so many hexadecimal digits. */
  readonly ids: readonly { readonly entry: number; readonly digits: number }[];
}

/**
 * What became of a line, for all lines with the same keys, kinds of values and nesting in the same order: texts that are the same for all of them, and between
 * them stretches of the line, given as places in the span table. The rules of the normaliser need not be gone through again.
 */
export class Shape {
  readonly hash: number;
  readonly guards: Guards;
  /** Memory that it takes, roughly. */
  readonly bytes: number;
  readonly #dialect: CompiledDialect;
  readonly #count: number;
  readonly #flags: Int32Array;
  readonly #lengths: Int32Array;
  readonly #keys: Window;
  readonly #texts: Window;
  readonly #textEnds: Int32Array;
  /** Places in the table of where the stretches begin and end. A stretch that begins at a key takes its quote along. */
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  readonly #tail: Constant;

  constructor(
    bytes: Buffer,
    members: Members,
    facts: {
      readonly hash: number;
      readonly guards: Guards;
      readonly dialect: CompiledDialect;
      readonly texts: readonly Buffer[];
      readonly starts: readonly number[];
      readonly ends: readonly number[];
      readonly tail: Buffer;
    },
  ) {
    const { entries, count } = members;
    this.hash = facts.hash;
    this.guards = facts.guards;
    this.#dialect = facts.dialect;
    this.#count = count;
    this.#flags = new Int32Array(count);
    const keys: Buffer[] = [];
    for (let i = 0; i < count; i++) {
      const at = i << ENTRY_SHIFT;
      this.#flags[i] = entries[at + FLAGS] & FLAGS_MASK;
      keys.push(bytes.subarray(entries[at + KEY_START], entries[at + KEY_END]));
    }
    this.#lengths = Int32Array.from(keys, (key) => key.length);
    this.#keys = new Constant(Buffer.concat(keys)).source;
    this.#textEnds = ends(facts.texts);
    this.#texts = new Constant(Buffer.concat(facts.texts)).source;
    this.#starts = Int32Array.from(facts.starts);
    this.#ends = Int32Array.from(facts.ends);
    this.#tail = new Constant(facts.tail);
    const numbers = count * 8 + this.#starts.length * 12;
    this.bytes = SHAPE_OBJECTS_BYTES + numbers + this.#keys.bytes.length + this.#texts.bytes.length + facts.tail.length;
  }

  /** Whether the line in the table has this shape. */
  matches(source: Window, members: Members): boolean {
    const { entries } = members;
    if (members.count !== this.#count) return false;
    const keys = this.#keys.view;
    const bytes = source.view;
    let key = 0;
    for (let i = 0; i < this.#count; i++) {
      const at = i << ENTRY_SHIFT;
      if ((entries[at + FLAGS] & FLAGS_MASK) !== this.#flags[i]) return false;
      const p = entries[at + KEY_START];
      const length = entries[at + KEY_END] - p;
      if (length !== this.#lengths[i] || !equals(keys, key, bytes, p, length)) return false;
      key += length;
    }
    return true;
  }

  /** Reads the time of the line; false when there is none that can be sent without loss. */
  readTime(source: Window, members: Members, time: RecordTime): boolean {
    const { entries } = members;
    const at = this.guards.time;
    const start = entries[at + VALUE_START];
    const end = entries[at + VALUE_END];
    const isText = (entries[at + FLAGS] & KIND_MASK) === Kind.text;
    return (
      (isText ? time.readText(source.bytes, start + 1, end - 1) : time.readNumber(source.bytes, start, end)) &&
      time.exact
    );
  }

  /** What is to be written for the level of the line; undefined when it is none, and when the shape has none. */
  levelOf(source: Window, members: Members): Constant | undefined {
    const { entries } = members;
    const at = this.guards.level;
    const quote = (entries[at + FLAGS] & KIND_MASK) === Kind.text ? 1 : 0;
    return this.#dialect.levels.find(source.bytes, entries[at + VALUE_START] + quote, entries[at + VALUE_END] - quote);
  }

  hasIds(source: Window, members: Members): boolean {
    const { entries } = members;
    const { ids } = this.guards;
    for (let i = 0; i < ids.length; i++) {
      const { entry, digits } = ids[i];
      const start = entries[entry + VALUE_START] + 1;
      if (!isHexId(source.bytes, start, entries[entry + VALUE_END] - 1, digits)) return false;
    }
    return true;
  }

  /** Writes everything from behind the level to the path of the file. */
  writeBody(source: Window, members: Members, out: Window, at: number): number {
    const { entries } = members;
    const starts = this.#starts;
    let text = 0;
    for (let i = 0; i < starts.length; i++) {
      const textEnd = this.#textEnds[i];
      at = copySpan(this.#texts, text, textEnd, out, at);
      text = textEnd;
      const place = starts[i];
      const start = entries[place] - ((place & 7) === KEY_START ? 1 : 0);
      at = copySpan(source, start, entries[this.#ends[i]], out, at);
    }
    return copySpan(this.#texts, text, this.#textEnds[starts.length], out, at);
  }

  /** Writes everything behind the offset. */
  writeTail(out: Window, at: number): number {
    return copyConstant(this.#tail, out, at);
  }
}

/** Compares four bytes at a time; the last four once more in part, when the length is no multiple of four. */
function equals(a: DataView, i: number, b: DataView, j: number, length: number): boolean {
  if (length < 4) {
    for (let k = 0; k < length; k++) if (a.getUint8(i + k) !== b.getUint8(j + k)) return false;
    return true;
  }
  const last = length - 4;
  for (let k = 0; k < last; k += 4) if (a.getInt32(i + k) !== b.getInt32(j + k)) return false;
  return a.getInt32(i + last) === b.getInt32(j + last);
}

function ends(parts: readonly Buffer[]): Int32Array {
  let end = 0;
  return Int32Array.from(parts, (part) => (end += part.length));
}
