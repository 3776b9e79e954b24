import type { CompiledDialect, Vocabulary } from "./dialects/compile.ts";
import { Opening } from "./dialects/compile.ts";
import type { Constant } from "./copy.ts";
import { sampleHash } from "./keys.ts";
import {
  ENTRY_SHIFT,
  FLAGS,
  HASH,
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
import { Role, ROLE_KINDS, ROLES } from "./roles.ts";
import type { Guards } from "./shape.ts";
import type { RecordTime } from "./time/record-time.ts";
import { isHexId } from "./trace-id.ts";
import { lineColon } from "./caller.ts";
import { ErrorText } from "./error-text.ts";

/** Longest dotted name that can mean something. */
const DOTTED_MAX_BYTES = 64;

/** In an entry's NAME: bits 0–15 the name's id, from here on the role that was given to it. */
export const ROLE_SHIFT = 16;
export const ID_MASK = 0xffff;

/** Which fields a text gives. A set of bits. */
export const Gives = { type: 1, message: 2, stack: 4 } as const;

/** Digits of trace ids, and of span and transaction ids. */
const TRACE_ID_DIGITS = 32;
const SPAN_ID_DIGITS = 16;

/** Roles (1 << role) that look at a value itself and not at its kind only. */
const DECIDED_BY_VALUE =
  (1 << Role.time) |
  (1 << Role.level) |
  (1 << Role.traceId) |
  (1 << Role.spanId) |
  (1 << Role.transactionId) |
  (1 << Role.caller) |
  (1 << Role.error) |
  (1 << Role.stack);

const IGNORED = MemberFlag.superseded | MemberFlag.blankKey;

/**
 * Decides what each member of a line is in the record. It looks at the members at the top and inside of objects that ECS opens,
 * names them by number, finds the dialect by the names that are there, and gives each role to the best member that fits.
 */
export class Choice {
  /** Entry that has the role: index role; -1 when none has. */
  readonly best: Int32Array = new Int32Array(ROLES);
  /** Best entries for time and level whose value is none: they keep it under `app.`. */
  unfitTime = -1;
  unfitLevel = -1;
  /** What is written for the level, if a member has that role. */
  level: Constant | undefined = undefined;
  dialect: CompiledDialect;

  timeIsExact = true;
  /** The line has the added field under its own name: index as in the vocabulary. */
  readonly hasAdded: Uint8Array;
  readonly errorText: ErrorText = new ErrorText();
  readonly stackText: ErrorText = new ErrorText();
  errorGives = 0;
  stackGives = 0;

  readonly #vocabulary: Vocabulary;
  readonly #time: RecordTime;
  readonly #ranks = new Uint8Array(ROLES);
  /** Entries with a name that means something. */
  readonly #known: number[] = [];
  #knownCount = 0;
  readonly #dotted = Buffer.alloc(DOTTED_MAX_BYTES);
  #factsLow = 0;
  #factsHigh = 0;
  #unfitTimeRank = 0;
  #unfitLevelRank = 0;
  /** `filename` and `line_number` say where a record came from only together. */
  readonly #filename: number;
  readonly #lineNumber: number;
  #hasFilename = false;
  #hasLineNumber = false;

  constructor(vocabulary: Vocabulary, time: RecordTime) {
    this.#vocabulary = vocabulary;
    this.#time = time;
    this.dialect = vocabulary.dialects[0]!;
    this.hasAdded = new Uint8Array(vocabulary.addedCount + 1);
    this.#filename = vocabulary.names.idOf("filename");
    this.#lineNumber = vocabulary.names.idOf("line_number");
  }

  choose(bytes: Buffer, members: Members): void {
    const entries = members.entries;
    this.#knownCount = 0;
    this.#factsLow = 0;
    this.#factsHigh = 0;
    for (let i = 0; i < this.hasAdded.length; i++) this.hasAdded[i] = 0;
    this.#hasFilename = false;
    this.#hasLineNumber = false;
    this.#nameMembers(bytes, members, 0, members.count, 0);
    this.#findDialect();
    for (let role = 0; role < ROLES; role++) this.best[role] = -1;
    this.unfitTime = -1;
    this.unfitLevel = -1;
    this.level = undefined;
    const roles = this.dialect.roles;
    for (let k = 0; k < this.#knownCount; k++) {
      const at = this.#known[k];
      const id = entries[at + NAME];
      const role = roles[id];
      if (role !== Role.none) this.#consider(bytes, entries, at, id, role);
    }
    for (let role = 1; role < ROLES; role++) {
      const at = this.best[role];
      if (at >= 0) entries[at + NAME] |= role << ROLE_SHIFT;
    }
    this.#deriveFields(bytes, entries);
  }

  /** Numbers the members in [from, to); those inside of an object under a dotted name, of which `prefix` bytes are in `#dotted`. */
  #nameMembers(bytes: Buffer, members: Members, from: number, to: number, prefix: number): void {
    const entries = members.entries;
    const { factsLow, factsHigh, mayOpen } = this.#vocabulary;
    for (let i = from; i < to;) {
      const at = i << ENTRY_SHIFT;
      const flags = entries[at + FLAGS];
      const next = entries[at + NEXT];
      const id =
        prefix === 0 ? this.#idAtTop(bytes, members, at, flags) : this.#idInside(bytes, entries, at, flags, prefix);
      entries[at + NAME] = id;
      if (id !== 0) {
        this.#known[this.#knownCount++] = at;
        const kind = flags & KIND_MASK;
        if (id === this.#filename) this.#hasFilename = kind === Kind.text;
        if (id === this.#lineNumber) this.#hasLineNumber = kind === Kind.number;
        const added = this.#vocabulary.added[id];
        if (added !== 0 && ((this.#vocabulary.kinds[id] >> kind) & 1) !== 0) this.hasAdded[added] = 1;
        const fact = (id << 3) | kind;
        this.#factsLow |= factsLow[fact];
        this.#factsHigh |= factsHigh[fact];
        if (kind === Kind.object && mayOpen[id] !== Opening.none && next > i + 1) {
          const length = this.#writeParent(id);
          this.#dotted[length] = 0x2e;
          this.#nameMembers(bytes, members, i + 1, next, length + 1);
        }
      }
      i = next;
    }
  }

  /** Puts the name of an opened object into `#dotted`. */
  #writeParent(id: number): number {
    const { source, length } = this.#vocabulary.names.textOf(id);
    return source.bytes.copy(this.#dotted, 0, 0, length);
  }

  #idAtTop(bytes: Buffer, members: Members, at: number, flags: number): number {
    if ((flags & IGNORED) !== 0) return 0;
    const entries = members.entries;
    const start = entries[at + KEY_START];
    const end = entries[at + KEY_END];
    const names = this.#vocabulary.names;
    if ((flags & MemberFlag.keyEscaped) !== 0) return names.findEscaped(bytes, start, end);
    return names.find(bytes, start, end, entries[at + HASH]);
  }

  #idInside(bytes: Buffer, entries: Int32Array, at: number, flags: number, prefix: number): number {
    if ((flags & IGNORED) !== 0) return 0;
    const start = entries[at + KEY_START];
    const end = prefix + entries[at + KEY_END] - start;
    if (end >= DOTTED_MAX_BYTES) return 0;
    const dotted = this.#dotted;
    for (let p = prefix; p < end; p++) dotted[p] = bytes[start + p - prefix]!;
    const names = this.#vocabulary.names;
    if ((flags & MemberFlag.keyEscaped) !== 0) return names.findEscaped(dotted, 0, end);
    return names.find(dotted, 0, end, sampleHash(dotted, 0, end));
  }

  #findDialect(): void {
    const low = this.#factsLow;
    const high = this.#factsHigh;
    for (const dialect of this.#vocabulary.dialects) {
      const { when, unless } = dialect;
      if ((low & unless.low) !== 0 || (high & unless.high) !== 0) continue;
      let holds = when.length === 0;
      for (let i = 0; i < when.length && !holds; i++) {
        const facts = when[i];
        holds = (low & facts.low) === facts.low && (high & facts.high) === facts.high;
      }
      if (holds) {
        this.dialect = dialect;
        return;
      }
    }
  }

  /** Gives the role to the entry if it fits and none better has it; of two equally good ones the last wins, as with duplicate keys. */
  #consider(bytes: Buffer, entries: Int32Array, at: number, id: number, role: number): void {
    const kind = entries[at + FLAGS] & KIND_MASK;
    if (((ROLE_KINDS[role] >> kind) & 1) === 0) return;
    const rank = this.dialect.ranks[id];
    if (this.best[role] >= 0 && this.#ranks[role] < rank) return;
    if (id === this.#filename ? !this.#hasLineNumber : id === this.#lineNumber && !this.#hasFilename) return;
    const quote = kind === Kind.text ? 1 : 0;
    const start = entries[at + VALUE_START] + quote;
    const end = entries[at + VALUE_END] - quote;
    switch (role) {
      case Role.time: {
        const time = this.#time;
        if (!(quote === 1 ? time.readText(bytes, start, end) : time.readNumber(bytes, start, end))) {
          if (this.unfitTime < 0 || rank <= this.#unfitTimeRank) {
            this.unfitTime = at;
            this.#unfitTimeRank = rank;
          }
          return;
        }
        this.timeIsExact = time.exact;
        break;
      }
      case Role.level: {
        const level = this.dialect.levels.find(bytes, start, end);
        if (level === undefined) {
          if (this.unfitLevel < 0 || rank <= this.#unfitLevelRank) {
            this.unfitLevel = at;
            this.#unfitLevelRank = rank;
          }
          return;
        }
        this.level = level;
        break;
      }
      case Role.message:
        // `body`, `event`, `log` and the like are messages only as text.
        if (quote === 0 && rank > 1) return;
        break;
      case Role.traceId:
        if (!isHexId(bytes, start, end, TRACE_ID_DIGITS)) return;
        break;
      case Role.spanId:
      case Role.transactionId:
        if (!isHexId(bytes, start, end, SPAN_ID_DIGITS)) return;
        break;
      case Role.caller:
        if (lineColon(bytes, start, end) < 0) return;
        break;
    }
    this.best[role] = at;
    this.#ranks[role] = rank;
  }

  /**
   * A text can stand for several fields: a caller for file and line, an error for type, message and stack trace. It gives those that no member
   * has; a text with nothing to give stays where it is.
   */
  #deriveFields(bytes: Buffer, entries: Int32Array): void {
    const best = this.best;
    const caller = best[Role.caller];
    if (caller >= 0) {
      if (best[Role.originFile] >= 0 || best[Role.originLine] >= 0) this.#release(entries, Role.caller);
      else best[Role.originFile] = best[Role.originLine] = caller;
    }
    const error = best[Role.error];
    if (error >= 0) {
      const end = entries[error + VALUE_END] - 1;
      this.errorText.read(bytes, entries[error + VALUE_START] + 1, end);
      this.errorGives = best[Role.errorMessage] < 0 ? Gives.message : 0;
      if (this.errorGives === 0) {
        this.#release(entries, Role.error);
      } else {
        best[Role.errorMessage] = error;
        if (this.errorText.typeEnd >= 0 && this.#claim(Role.errorType, error)) this.errorGives |= Gives.type;
        if (best[Role.stack] < 0 && this.errorText.lineEnd < end && this.#claim(Role.errorStack, error))
          this.errorGives |= Gives.stack;
      }
    }
    const stack = best[Role.stack];
    if (stack >= 0) {
      if (!this.#claim(Role.errorStack, stack)) {
        this.#release(entries, Role.stack);
      } else {
        this.stackText.read(bytes, entries[stack + VALUE_START] + 1, entries[stack + VALUE_END] - 1);
        this.stackGives = Gives.stack;
        if (this.stackText.typeEnd >= 0) {
          if (this.#claim(Role.errorType, stack)) this.stackGives |= Gives.type;
          if (this.#claim(Role.errorMessage, stack)) this.stackGives |= Gives.message;
        }
      }
    }
  }

  /**
   * Whether every line of this line's shape whose values pass the guards is treated like it. It is not when a value decided something that the guards
   * do not ask about: a better key whose value was no time, a text that might be an error's.
   */
  isDecidedByShape(entries: Int32Array): boolean {
    const { roles, ranks } = this.dialect;
    for (let k = 0; k < this.#knownCount; k++) {
      const at = this.#known[k];
      const id = entries[at + NAME] & ID_MASK;
      const role = roles[id];
      if (((DECIDED_BY_VALUE >> role) & 1) === 0) continue;
      if (((ROLE_KINDS[role] >> (entries[at + FLAGS] & KIND_MASK)) & 1) === 0) continue;
      if (role === Role.error || role === Role.stack || role === Role.caller) return false;
      const isBest = this.best[role] === at;
      if (!isBest && !(this.best[role] >= 0 && this.#ranks[role] < ranks[id])) return false;
    }
    return true;
  }

  /** What has to hold for the values of another line of this shape. */
  guards(): Guards {
    const ids = [
      { entry: this.best[Role.traceId], digits: TRACE_ID_DIGITS },
      { entry: this.best[Role.spanId], digits: SPAN_ID_DIGITS },
      { entry: this.best[Role.transactionId], digits: SPAN_ID_DIGITS },
    ];
    return {
      time: this.best[Role.time],
      level: this.best[Role.level],
      ids: ids.filter(({ entry }) => entry >= 0),
    };
  }

  #claim(role: number, at: number): boolean {
    if (this.best[role] >= 0) return false;
    this.best[role] = at;
    return true;
  }

  #release(entries: Int32Array, role: number): void {
    entries[this.best[role] + NAME] &= ID_MASK;
    this.best[role] = -1;
  }
}
