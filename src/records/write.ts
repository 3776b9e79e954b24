import type { Choice } from "./choose.ts";
import { Gives, ID_MASK, ROLE_SHIFT } from "./choose.ts";
import { lineColon } from "./caller.ts";
import { EMPTY_KEY, hasMemberNamedEmpty, writeClean } from "./clean.ts";
import { Constant, copyConstant, copySpan, Window } from "./copy.ts";
import { Opening } from "./dialects/compile.ts";
import type { Vocabulary } from "./dialects/compile.ts";
import { Duplicates } from "./duplicates.ts";
import type { ErrorText } from "./error-text.ts";
import {
  ENTRY_SHIFT,
  FLAGS,
  KEY_END,
  KEY_START,
  Kind,
  KIND_MASK,
  MemberFlag,
  NAME,
  NEXT,
  VALUE_END,
  VALUE_START,
} from "./members.ts";
import type { Members } from "./members.ts";
import { Role, ROLE_FIELD, ROLES } from "./roles.ts";
import type { RoleName } from "./roles.ts";
import type { SpanLog } from "./span-log.ts";
import { TakenNames } from "./taken-names.ts";

const COMMA = 0x2c;
const QUOTE = 0x22;
const DOT = 0x2e;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const SPECIAL = MemberFlag.superseded | MemberFlag.blankKey | MemberFlag.hugeNumber | MemberFlag.unclean;
const UNCLEAN = MemberFlag.hugeNumber | MemberFlag.unclean;

const APP = new Constant("app.");
const NO_PREFIX = new Constant("");
const APP_TIME = new Constant("app.time");
const APP_LEVEL = new Constant("app.level");
const APP_MESSAGE = new Constant("app.message");
const APP_EMPTY = new Constant("app.empty");

/** `,"log.level":` and so on: index role. */
const PREFIXES: readonly Constant[] = Array.from({ length: ROLES }, (_, role) => {
  const name = Object.entries(Role).find(([, number]) => number === role)![0] as RoleName;
  return new Constant(`,${JSON.stringify(ROLE_FIELD[name] ?? "")}:`);
});

/** Writes the application's own fields in their order, behind the three that stand first. */
export class FieldWriter {
  readonly #vocabulary: Vocabulary;
  readonly #choice: Choice;
  readonly #members: Members;
  readonly #duplicates = new Duplicates();
  readonly #taken: TakenNames;
  readonly #log: SpanLog;
  // What is being written; set by `write`.
  #source: Window = new Window();
  #out: Window = new Window();
  #kinds: Uint8Array;

  constructor(vocabulary: Vocabulary, choice: Choice, members: Members, log: SpanLog) {
    this.#vocabulary = vocabulary;
    this.#choice = choice;
    this.#members = members;
    this.#log = log;
    this.#taken = new TakenNames(vocabulary, choice);
    this.#kinds = vocabulary.kinds;
  }

  /** `kinds`: which kinds of value may stand under a name in this record. */
  write(source: Window, kinds: Uint8Array, out: Window, at: number): number {
    const { entries, count } = this.#members;
    this.#source = source;
    this.#out = out;
    this.#kinds = kinds;
    this.#duplicates.clear();
    this.#taken.clear();
    const { fieldRoles } = this.#vocabulary;
    const { best, dialect } = this.#choice;
    // Members that stay as they are and stand side by side are copied in one go, with what is between them.
    let runStart = -1;
    let runEnd = 0;
    for (let i = 0; i < count;) {
      const entry = i << ENTRY_SHIFT;
      const flags = entries[entry + FLAGS];
      const name = entries[entry + NAME];
      let stays = (flags & SPECIAL) === 0;
      if (stays && name !== 0) {
        const kind = flags & KIND_MASK;
        stays =
          name <= ID_MASK &&
          ((kinds[name] >> kind) & 1) === 1 &&
          (kind !== Kind.object || dialect.openings[name] === Opening.none) &&
          (fieldRoles[name] === 0 || best[fieldRoles[name]] < 0) &&
          !this.#isUnfit(entry);
      }
      if (stays) {
        if (runStart < 0) runStart = entries[entry + KEY_START] - 1;
        runEnd = entries[entry + VALUE_END]!;
      } else {
        if (runStart >= 0) {
          out.bytes[at++] = COMMA;
          at = this.#copy(runStart, runEnd, at);
          runStart = -1;
        }
        at = this.#writeMember(i, 0, at);
      }
      i = entries[entry + NEXT]!;
    }
    if (runStart >= 0) {
      out.bytes[at++] = COMMA;
      at = this.#copy(runStart, runEnd, at);
    }
    if (this.#duplicates.count > 0) this.#log.complete = false;
    return this.#duplicates.write(source, entries, out, at);
  }

  /** Copies bytes of the line as they are. */
  #copy(start: number, end: number, at: number): number {
    this.#log.add(at, start, end);
    return copySpan(this.#source, start, end, this.#out, at);
  }

  #isUnfit(entry: number): boolean {
    const choice = this.#choice;
    return (
      (entry === choice.unfitTime && choice.best[Role.time] < 0) ||
      (entry === choice.unfitLevel && choice.best[Role.level] < 0)
    );
  }

  /** Writes a member that does not simply stay; `parent`: the name of the opened object that it is in, 0 at the top. */
  #writeMember(index: number, parent: number, at: number): number {
    const entries = this.#members.entries;
    const entry = index << ENTRY_SHIFT;
    const flags = entries[entry + FLAGS];
    const id = entries[entry + NAME] & ID_MASK;
    const role = entries[entry + NAME] >> ROLE_SHIFT;
    if ((flags & MemberFlag.superseded) !== 0) {
      this.#duplicates.add(entry);
      return at;
    }
    if ((flags & MemberFlag.blankKey) !== 0) return this.#writeUnder(APP_EMPTY, index, at);
    if (role !== Role.none) return this.#writeRole(index, role, at);
    const choice = this.#choice;
    if (this.#isUnfit(entry)) return this.#writeUnder(entry === choice.unfitTime ? APP_TIME : APP_LEVEL, index, at);
    const kind = flags & KIND_MASK;
    if (kind === Kind.object && entries[entry + NEXT] > index + 1) {
      const opening = choice.dialect.openings[id];
      if (opening === Opening.dotted) return this.#writeOpened(index, id, at);
      if (opening === Opening.picked && parent === 0) return this.#writePicked(index, at);
    }
    const fieldRole = this.#vocabulary.fieldRoles[id];
    const other = fieldRole === Role.none ? -1 : choice.best[fieldRole];
    if (other >= 0 && (entries[other + NAME] & ID_MASK) === id) {
      this.#duplicates.add(entry);
      return at;
    }
    const misplaced = other >= 0 || (id !== 0 && ((this.#kinds[id] >> kind) & 1) === 0);
    if (misplaced) return this.#writeNamed(APP, parent, index, at);
    if (parent !== 0) return this.#writeNamed(NO_PREFIX, parent, index, at);
    this.#out.bytes[at++] = COMMA;
    at = this.#copy(entries[entry + KEY_START] - 1, entries[entry + VALUE_START], at);
    return this.#writeValue(index, at);
  }

  #writeRole(index: number, role: number, at: number): number {
    const entries = this.#members.entries;
    const entry = index << ENTRY_SHIFT;
    const choice = this.#choice;
    switch (role) {
      case Role.time:
        return choice.timeIsExact ? at : this.#writeUnder(APP_TIME, index, at);
      case Role.level:
        return at;
      case Role.message: {
        const kind = entries[entry + FLAGS] & KIND_MASK;
        return kind === Kind.object || kind === Kind.array ? this.#writeUnder(APP_MESSAGE, index, at) : at;
      }
      case Role.caller:
        return this.#writeCaller(entry, at);
      case Role.error:
        return this.#writeError(entry, choice.errorText, choice.errorGives, at);
      case Role.stack:
        return this.#writeError(entry, choice.stackText, choice.stackGives, at);
      default:
        at = copyConstant(PREFIXES[role], this.#out, at);
        return this.#writeValue(index, at);
    }
  }

  /** `dir/file.go:12` becomes a name and a number. */
  #writeCaller(entry: number, at: number): number {
    const entries = this.#members.entries;
    const start = entries[entry + VALUE_START] + 1;
    const end = entries[entry + VALUE_END] - 1;
    const colon = lineColon(this.#source.bytes, start, end);
    at = this.#writeText(Role.originFile, start, colon, at);
    at = copyConstant(PREFIXES[Role.originLine], this.#out, at);
    return this.#copy(colon + 1, end, at);
  }

  /** An error text becomes its type, its first line and, where it has more lines, all of it. */
  #writeError(entry: number, text: ErrorText, gives: number, at: number): number {
    const entries = this.#members.entries;
    const start = entries[entry + VALUE_START] + 1;
    const end = entries[entry + VALUE_END] - 1;
    if ((gives & Gives.type) !== 0) at = this.#writeText(Role.errorType, start, text.typeEnd, at);
    const messageEnd = (gives & Gives.stack) !== 0 ? text.lineEnd : end;
    if ((gives & Gives.message) !== 0) at = this.#writeText(Role.errorMessage, start, messageEnd, at);
    if ((gives & Gives.stack) !== 0) at = this.#writeText(Role.errorStack, start, end, at);
    return at;
  }

  /** Writes a part of a JSON text under the name of a role. */
  #writeText(role: number, start: number, end: number, at: number): number {
    this.#log.complete = false;
    const out = this.#out;
    at = copyConstant(PREFIXES[role], out, at);
    out.bytes[at++] = QUOTE;
    at = this.#copy(start, end, at);
    out.bytes[at++] = QUOTE;
    return at;
  }

  /** An object that ECS has fields under: its members go to the top. */
  #writeOpened(index: number, id: number, at: number): number {
    const entries = this.#members.entries;
    const end = entries[(index << ENTRY_SHIFT) + NEXT];
    for (let i = index + 1; i < end; i = entries[(i << ENTRY_SHIFT) + NEXT]!) at = this.#writeMember(i, id, at);
    return at;
  }

  /** An object with members that mean something: those go to the top, the rest of it stays. */
  #writePicked(index: number, at: number): number {
    const entries = this.#members.entries;
    const entry = index << ENTRY_SHIFT;
    const end = entries[entry + NEXT];
    let rest = 0;
    let picked = 0;
    for (let i = index + 1; i < end; i = entries[(i << ENTRY_SHIFT) + NEXT]!) {
      const role = entries[(i << ENTRY_SHIFT) + NAME] >> ROLE_SHIFT;
      if (role === Role.none) {
        rest++;
      } else {
        picked++;
        at = this.#writeRole(i, role, at);
      }
    }
    if (picked > 0 && rest === 0) return at;
    const out = this.#out;
    out.bytes[at++] = COMMA;
    at = this.#copy(entries[entry + KEY_START] - 1, entries[entry + VALUE_START], at);
    if (picked === 0) return this.#writeValue(index, at);
    out.bytes[at++] = OPEN_BRACE;
    const first = at;
    let empty = hasMemberNamedEmpty(this.#source.bytes, this.#members, index + 1);
    for (let i = index + 1; i < end; i = entries[(i << ENTRY_SHIFT) + NEXT]!) {
      const member = i << ENTRY_SHIFT;
      const flags = entries[member + FLAGS];
      if (entries[member + NAME] >> ROLE_SHIFT !== Role.none) continue;
      const blank = (flags & MemberFlag.blankKey) !== 0;
      if ((flags & MemberFlag.superseded) !== 0 || (blank && empty)) {
        this.#duplicates.add(member);
        continue;
      }
      if (at > first) out.bytes[at++] = COMMA;
      if (blank) {
        empty = true;
        at = copyConstant(EMPTY_KEY, out, at);
      } else {
        at = this.#copy(entries[member + KEY_START] - 1, entries[member + VALUE_START], at);
      }
      at = this.#writeValue(i, at);
    }
    out.bytes[at++] = CLOSE_BRACE;
    return at;
  }

  /** Writes a member under a name that pannier makes; when the record has that name already its value is kept as a duplicate. */
  #writeUnder(name: Constant, index: number, at: number): number {
    const out = this.#out;
    const before = at;
    out.bytes[at++] = COMMA;
    out.bytes[at++] = QUOTE;
    at = copyConstant(name, out, at);
    return this.#finishNamed(index, before, at);
  }

  /** The same with the name: prefix, name of the opened object, key. */
  #writeNamed(prefix: Constant, parent: number, index: number, at: number): number {
    const entries = this.#members.entries;
    const entry = index << ENTRY_SHIFT;
    const out = this.#out;
    const before = at;
    out.bytes[at++] = COMMA;
    out.bytes[at++] = QUOTE;
    at = copyConstant(prefix, out, at);
    if (parent !== 0) {
      at = copyConstant(this.#vocabulary.names.textOf(parent), out, at);
      out.bytes[at++] = DOT;
    }
    // A key is the same for all lines of a shape, so it is none of the log's spans.
    at = copySpan(this.#source, entries[entry + KEY_START], entries[entry + KEY_END], out, at);
    return this.#finishNamed(index, before, at);
  }

  #finishNamed(index: number, before: number, at: number): number {
    const out = this.#out;
    if (!this.#taken.take(this.#source.bytes, this.#members, out.bytes, before + 2, at)) {
      this.#duplicates.add(index << ENTRY_SHIFT);
      return before;
    }
    out.bytes[at++] = QUOTE;
    out.bytes[at++] = COLON;
    return this.#writeValue(index, at);
  }

  #writeValue(index: number, at: number): number {
    const entries = this.#members.entries;
    const entry = index << ENTRY_SHIFT;
    if ((entries[entry + FLAGS] & UNCLEAN) !== 0) {
      this.#log.complete = false;
      return writeClean(this.#source, this.#members, index, this.#duplicates, this.#out, at);
    }
    return this.#copy(entries[entry + VALUE_START], entries[entry + VALUE_END], at);
  }
}
