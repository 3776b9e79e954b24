import { Constant, copyConstant, copySpan, Window } from "../copy.ts";
import type { Names } from "../names.ts";
import { ENTRY_SHIFT, FLAGS, KEY_END, KEY_START, MemberFlag, VALUE_END, VALUE_START } from "../members.ts";
import type { Members } from "../members.ts";
import { Role, ROLE_FIELD, ROLES } from "../roles.ts";
import type { RoleName } from "../roles.ts";
import type { SpanLog } from "../shapes/span-log.ts";
import { writeClean } from "./clean.ts";
import { Duplicates } from "./duplicates.ts";
import type { TakenNames } from "./taken-names.ts";

const COMMA = 0x2c;
const QUOTE = 0x22;
const DOT = 0x2e;
const COLON = 0x3a;

/** Values that cannot be copied as they are. */
const UNCLEAN = MemberFlag.hugeNumber | MemberFlag.unclean;

/** `,"log.level":` and so on: index role. */
const PREFIXES: readonly Constant[] = Array.from({ length: ROLES }, (_, role) => {
  const name = Object.entries(Role).find(([, number]) => number === role)![0] as RoleName;
  return new Constant(`,${JSON.stringify(ROLE_FIELD[name] ?? "")}:`);
});

/** Writes single fields of a record, each with the comma before it. */
export class Output {
  readonly members: Members;
  readonly duplicates: Duplicates = new Duplicates();
  /** What is written from, and to. */
  source: Window = new Window();
  out: Window = new Window();

  readonly #names: Names;
  readonly #taken: TakenNames;
  readonly #log: SpanLog;

  constructor(members: Members, names: Names, taken: TakenNames, log: SpanLog) {
    this.members = members;
    this.#names = names;
    this.#taken = taken;
    this.#log = log;
  }

  begin(source: Window, out: Window): void {
    this.source = source;
    this.out = out;
    this.duplicates.clear();
    this.#taken.clear();
  }

  /** Writes what had to make way for others of its name. */
  end(at: number): number {
    if (this.duplicates.count > 0) this.#log.complete = false;
    return this.duplicates.write(this.source, this.members.entries, this.out, at);
  }

  /** Copies bytes of the line as they are. */
  copy(start: number, end: number, at: number): number {
    this.#log.add(at, start, end);
    return copySpan(this.source, start, end, this.out, at);
  }

  /** Members that stand side by side, with what is between them. */
  run(start: number, end: number, at: number): number {
    this.out.bytes[at++] = COMMA;
    return this.copy(start, end, at);
  }

  /** A member under its own name. */
  member(index: number, at: number): number {
    this.out.bytes[at++] = COMMA;
    return this.value(index, this.key(index, at));
  }

  /** A key and what is between it and its value. */
  key(index: number, at: number): number {
    const { entries } = this.members;
    const entry = index << ENTRY_SHIFT;
    return this.copy(entries[entry + KEY_START] - 1, entries[entry + VALUE_START], at);
  }

  value(index: number, at: number): number {
    const { entries } = this.members;
    const entry = index << ENTRY_SHIFT;
    if ((entries[entry + FLAGS] & UNCLEAN) !== 0) {
      this.#log.complete = false;
      return writeClean(this.source, this.members, index, this.duplicates, this.out, at);
    }
    return this.copy(entries[entry + VALUE_START], entries[entry + VALUE_END], at);
  }

  /** A value under the name of a role. */
  role(role: number, index: number, at: number): number {
    return this.value(index, copyConstant(PREFIXES[role], this.out, at));
  }

  /** A part of a text under the name of a role. */
  text(role: number, start: number, end: number, at: number): number {
    const { bytes } = this.out;
    at = copyConstant(PREFIXES[role], this.out, at);
    bytes[at++] = QUOTE;
    at = this.#copyPart(start, end, at);
    bytes[at++] = QUOTE;
    return at;
  }

  /** The digits in a text as a number under the name of a role. */
  digits(role: number, start: number, end: number, at: number): number {
    return this.#copyPart(start, end, copyConstant(PREFIXES[role], this.out, at));
  }

  #copyPart(start: number, end: number, at: number): number {
    this.#log.complete = false;
    return copySpan(this.source, start, end, this.out, at);
  }

  /** A member under a name that pannier makes; when the record has that name already its value is kept as a duplicate. */
  under(name: Constant, index: number, at: number): number {
    const { bytes } = this.out;
    const before = at;
    bytes[at++] = COMMA;
    bytes[at++] = QUOTE;
    at = copyConstant(name, this.out, at);
    return this.#finish(index, before, at);
  }

  /** The same with a name made of a prefix, the name of the opened object that the member is in (0: none) and its key. */
  named(prefix: Constant, parent: number, index: number, at: number): number {
    const { entries } = this.members;
    const { bytes } = this.out;
    const entry = index << ENTRY_SHIFT;
    const before = at;
    bytes[at++] = COMMA;
    bytes[at++] = QUOTE;
    at = copyConstant(prefix, this.out, at);
    if (parent !== 0) {
      at = copyConstant(this.#names.textOf(parent), this.out, at);
      bytes[at++] = DOT;
    }
    // A key is the same for all lines of a shape, so it is none of the log's spans.
    at = copySpan(this.source, entries[entry + KEY_START], entries[entry + KEY_END], this.out, at);
    return this.#finish(index, before, at);
  }

  #finish(index: number, before: number, at: number): number {
    const { bytes } = this.out;
    if (!this.#taken.take(this.source.bytes, this.members, bytes, before + 2, at)) {
      this.duplicates.add(index << ENTRY_SHIFT);
      return before;
    }
    bytes[at++] = QUOTE;
    bytes[at++] = COLON;
    return this.value(index, at);
  }
}
