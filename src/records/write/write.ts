import { lineColon } from "../choose/caller.ts";
import type { Choice } from "../choose/choose.ts";
import { Gives, ID_MASK, ROLE_SHIFT } from "../choose/derived.ts";
import type { ErrorText } from "../choose/error-text.ts";
import { Constant } from "../copy.ts";
import type { Window } from "../copy.ts";
import { Opening } from "../dialects/compile.ts";
import type { Vocabulary } from "../dialects/compile.ts";
import {
  ENTRY_SHIFT,
  FLAGS,
  KEY_START,
  Kind,
  KIND_MASK,
  MemberFlag,
  NAME,
  NEXT,
  VALUE_END,
  VALUE_START,
} from "../members.ts";
import type { Members } from "../members.ts";
import { Role } from "../roles.ts";
import type { SpanLog } from "../shapes/span-log.ts";
import { Output } from "./output.ts";
import { writePicked } from "./picked.ts";
import { TakenNames } from "./taken-names.ts";

const SPECIAL = MemberFlag.superseded | MemberFlag.blankKey | MemberFlag.hugeNumber | MemberFlag.unclean;

const APP = new Constant("app.");
const NO_PREFIX = new Constant("");
const APP_TIME = new Constant("app.time");
const APP_LEVEL = new Constant("app.level");
const APP_MESSAGE = new Constant("app.message");
const APP_EMPTY = new Constant("app.empty");

/** Writes the application's own fields in their order, behind the three that stand first. */
export class FieldWriter {
  readonly #vocabulary: Vocabulary;
  readonly #choice: Choice;
  readonly #members: Members;
  readonly #output: Output;
  /** Kinds of value that may stand under a name in the record at hand. */
  #kinds: Uint8Array;

  constructor(vocabulary: Vocabulary, choice: Choice, members: Members, log: SpanLog) {
    this.#vocabulary = vocabulary;
    this.#choice = choice;
    this.#members = members;
    this.#output = new Output(members, vocabulary.names, new TakenNames(vocabulary, choice), log);
    this.#kinds = vocabulary.kinds;
  }

  /** `kinds`: which kinds of value may stand under a name in this record. */
  write(source: Window, kinds: Uint8Array, out: Window, at: number): number {
    const { entries, count } = this.#members;
    const output = this.#output;
    output.begin(source, out);
    this.#kinds = kinds;
    // Members that stay as they are and stand side by side are copied in one go, with what is between them.
    let runStart = -1;
    let runEnd = 0;
    for (let i = 0; i < count; i = entries[(i << ENTRY_SHIFT) + NEXT]) {
      const entry = i << ENTRY_SHIFT;
      if (this.#stays(entry)) {
        if (runStart < 0) runStart = entries[entry + KEY_START] - 1;
        runEnd = entries[entry + VALUE_END];
        continue;
      }
      if (runStart >= 0) at = output.run(runStart, runEnd, at);
      runStart = -1;
      at = this.#writeMember(i, 0, at);
    }
    if (runStart >= 0) at = output.run(runStart, runEnd, at);
    return output.end(at);
  }

  /** Whether a member at the top goes out as it stands on the line. */
  #stays(entry: number): boolean {
    const { entries } = this.#members;
    const { best, dialect } = this.#choice;
    const flags = entries[entry + FLAGS];
    if ((flags & SPECIAL) !== 0) return false;
    const id = entries[entry + NAME];
    if (id === 0) return true;
    if (id > ID_MASK || this.#isUnfit(entry)) return false;
    const kind = flags & KIND_MASK;
    if (kind === Kind.object && dialect.openings[id] !== Opening.none) return false;
    const role = this.#vocabulary.fieldRoles[id];
    return ((this.#kinds[id] >> kind) & 1) === 1 && (role === Role.none || best[role] < 0);
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
    const { entries } = this.#members;
    const output = this.#output;
    const entry = index << ENTRY_SHIFT;
    const flags = entries[entry + FLAGS];
    const id = entries[entry + NAME] & ID_MASK;
    const role = entries[entry + NAME] >> ROLE_SHIFT;
    if ((flags & MemberFlag.superseded) !== 0) {
      output.duplicates.add(entry);
      return at;
    }
    if ((flags & MemberFlag.blankKey) !== 0) return output.under(APP_EMPTY, index, at);
    if (role !== Role.none) return this.#writeRole(index, role, at);
    const choice = this.#choice;
    if (this.#isUnfit(entry)) return output.under(entry === choice.unfitTime ? APP_TIME : APP_LEVEL, index, at);
    const kind = flags & KIND_MASK;
    if (kind === Kind.object && entries[entry + NEXT] > index + 1) {
      const opening = choice.dialect.openings[id];
      if (opening === Opening.dotted) return this.#writeOpened(index, id, at);
      if (opening === Opening.picked && parent === 0) return writePicked(output, index, at);
    }
    const fieldRole = this.#vocabulary.fieldRoles[id];
    const other = fieldRole === Role.none ? -1 : choice.best[fieldRole];
    if (other >= 0 && (entries[other + NAME] & ID_MASK) === id) {
      output.duplicates.add(entry);
      return at;
    }
    const misplaced = other >= 0 || (id !== 0 && ((this.#kinds[id] >> kind) & 1) === 0);
    if (misplaced) return output.named(APP, parent, index, at);
    if (parent !== 0) return output.named(NO_PREFIX, parent, index, at);
    return output.member(index, at);
  }

  #writeRole(index: number, role: number, at: number): number {
    const { entries } = this.#members;
    const entry = index << ENTRY_SHIFT;
    const choice = this.#choice;
    const output = this.#output;
    switch (role) {
      case Role.time:
        return choice.timeIsExact ? at : output.under(APP_TIME, index, at);
      case Role.level:
        return at;
      case Role.message: {
        const kind = entries[entry + FLAGS] & KIND_MASK;
        return kind === Kind.object || kind === Kind.array ? output.under(APP_MESSAGE, index, at) : at;
      }
      case Role.caller:
        return this.#writeCaller(entry, at);
      case Role.error:
        return this.#writeError(entry, choice.derived.error, choice.derived.errorGives, at);
      case Role.stack:
        return this.#writeError(entry, choice.derived.stack, choice.derived.stackGives, at);
      default:
        return output.role(role, index, at);
    }
  }

  /** `dir/file.go:12` becomes a name and a number. */
  #writeCaller(entry: number, at: number): number {
    const { entries } = this.#members;
    const start = entries[entry + VALUE_START] + 1;
    const end = entries[entry + VALUE_END] - 1;
    const colon = lineColon(this.#output.source.bytes, start, end);
    at = this.#output.text(Role.originFile, start, colon, at);
    return this.#output.digits(Role.originLine, colon + 1, end, at);
  }

  /** An error text becomes its type, its first line and, where it has more lines, all of it. */
  #writeError(entry: number, text: ErrorText, gives: number, at: number): number {
    const { entries } = this.#members;
    const output = this.#output;
    const start = entries[entry + VALUE_START] + 1;
    const end = entries[entry + VALUE_END] - 1;
    const messageEnd = (gives & Gives.stack) !== 0 ? text.lineEnd : end;
    if ((gives & Gives.type) !== 0) at = output.text(Role.errorType, start, text.typeEnd, at);
    if ((gives & Gives.message) !== 0) at = output.text(Role.errorMessage, start, messageEnd, at);
    if ((gives & Gives.stack) !== 0) at = output.text(Role.errorStack, start, end, at);
    return at;
  }

  /** An object that ECS has fields under: its members go to the top. */
  #writeOpened(index: number, id: number, at: number): number {
    const { entries } = this.#members;
    const end = entries[(index << ENTRY_SHIFT) + NEXT];
    for (let i = index + 1; i < end; i = entries[(i << ENTRY_SHIFT) + NEXT]) at = this.#writeMember(i, id, at);
    return at;
  }
}
