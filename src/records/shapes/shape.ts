import { isHexId } from "../choose/trace-id.ts";
import { copySpan } from "../copy.ts";
import type { Constant, Window } from "../copy.ts";
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
import type { ShapeMemory } from "./shape-memory.ts";

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
  readonly ids: readonly { readonly role: number; readonly entry: number; readonly digits: number }[];
}

/** What a shape is made of. */
export interface ShapeFacts {
  readonly hash: number;
  readonly guards: Guards;
  readonly dialect: CompiledDialect;
  /** One more than there are stretches. */
  readonly texts: readonly Buffer[];
  /** Places in the table of where the stretches begin and end. A stretch that begins at a key takes its quote along. */
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly tail: Buffer;
}

/**
 * What became of a line, for all lines with the same keys, kinds of values and nesting in the same order: texts that are the same for all of them, and between
 * them stretches of the line, given as places in the span table. The rules of the normaliser need not be gone through again.
 */
export class Shape {
  readonly hash: number;
  readonly guards: Guards;
  readonly dialect: CompiledDialect;
  readonly #memory: ShapeMemory;
  readonly #count: number;
  readonly #stretches: number;
  /** Flags and length of the key for each member, then end of the text, start and end for each stretch. */
  readonly #numbers: number;
  /** All keys, then all texts, then the tail. */
  readonly #keys: number;
  readonly #texts: number;
  readonly #tail: number;
  readonly #end: number;

  /** Writes the shape of the line in the table into the memory, which must have room for it. */
  constructor(bytes: Buffer, members: Members, facts: ShapeFacts, memory: ShapeMemory) {
    this.hash = facts.hash;
    this.guards = facts.guards;
    this.dialect = facts.dialect;
    this.#memory = memory;
    this.#count = members.count;
    this.#stretches = facts.starts.length;
    const keys = keysOf(bytes, members);
    this.#keys = memory.keepTexts(keys);
    this.#texts = memory.keepTexts(facts.texts);
    this.#tail = memory.keepTexts([facts.tail]);
    this.#end = this.#tail + facts.tail.length;
    const numbers = keys.flatMap((key, i) => [members.entries[(i << ENTRY_SHIFT) + FLAGS] & FLAGS_MASK, key.length]);
    let textEnd = this.#texts;
    facts.starts.forEach((start, i) => {
      textEnd += facts.texts[i].length;
      numbers.push(textEnd, start, facts.ends[i]);
    });
    this.#numbers = memory.keepNumbers(numbers);
  }

  /** Whether the line in the table has this shape. */
  matches(source: Window, members: Members): boolean {
    const { entries } = members;
    if (members.count !== this.#count) return false;
    const { numbers, text } = this.#memory;
    const keys = text.view;
    const bytes = source.view;
    let number = this.#numbers;
    let key = this.#keys;
    for (let at = 0; at < this.#count << ENTRY_SHIFT; at += 1 << ENTRY_SHIFT) {
      if ((entries[at + FLAGS] & FLAGS_MASK) !== numbers[number]) return false;
      const p = entries[at + KEY_START];
      const length = entries[at + KEY_END] - p;
      if (length !== numbers[number + 1] || !equals(keys, key, bytes, p, length)) return false;
      key += length;
      number += 2;
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
    return this.dialect.levels.find(source.bytes, entries[at + VALUE_START] + quote, entries[at + VALUE_END] - quote);
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
    const { numbers, text } = this.#memory;
    let from = this.#texts;
    let number = this.#numbers + 2 * this.#count;
    for (const last = number + 3 * this.#stretches; number < last; number += 3) {
      const textEnd = numbers[number];
      at = copySpan(text, from, textEnd, out, at);
      from = textEnd;
      const place = numbers[number + 1];
      const start = entries[place] - ((place & 7) === KEY_START ? 1 : 0);
      at = copySpan(source, start, entries[numbers[number + 2]], out, at);
    }
    return copySpan(text, from, this.#tail, out, at);
  }

  /** Writes everything behind the offset. */
  writeTail(out: Window, at: number): number {
    return copySpan(this.#memory.text, this.#tail, this.#end, out, at);
  }
}

function keysOf(bytes: Buffer, { entries, count }: Members): Buffer[] {
  return Array.from({ length: count }, (_, i) => {
    const at = i << ENTRY_SHIFT;
    return bytes.subarray(entries[at + KEY_START], entries[at + KEY_END]);
  });
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
