import type { Constant } from "../copy.ts";
import type { CompiledDialect, Vocabulary } from "../dialects/compile.ts";
import { FLAGS, Kind, KIND_MASK, NAME, VALUE_END, VALUE_START } from "../members.ts";
import type { Members } from "../members.ts";
import { Role, ROLE_KINDS, ROLES } from "../roles.ts";
import type { Guards } from "../shapes/shape.ts";
import type { RecordTime } from "../time/record-time.ts";
import { lineColon } from "./caller.ts";
import { Derived, ID_MASK, ROLE_SHIFT } from "./derived.ts";
import { Naming } from "./naming.ts";
import { isHexId } from "./trace-id.ts";

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

/** Decides what each member of a line is in the record: gives each role to the best member that fits. */
export class Choice {
  /** Entry that has the role: index role; -1 when none has. */
  readonly best: Int32Array = new Int32Array(ROLES);
  readonly derived: Derived = new Derived(this.best);
  /** Best entries for time and level whose value is none: they keep it under `app.`. */
  unfitTime = -1;
  unfitLevel = -1;
  /** What is written for the level, if a member has that role. */
  level: Constant | undefined = undefined;
  timeIsExact = true;

  readonly #naming: Naming;
  readonly #time: RecordTime;
  readonly #ranks = new Uint8Array(ROLES);
  #unfitTimeRank = 0;
  #unfitLevelRank = 0;

  constructor(vocabulary: Vocabulary, time: RecordTime) {
    this.#naming = new Naming(vocabulary);
    this.#time = time;
  }

  get dialect(): CompiledDialect {
    return this.#naming.dialect;
  }

  /** Which added fields the line has under their own names: index as in the vocabulary. */
  get hasAdded(): Uint8Array {
    return this.#naming.hasAdded;
  }

  choose(bytes: Buffer, members: Members): void {
    const entries = members.entries;
    const naming = this.#naming;
    naming.name(bytes, members);
    for (let role = 0; role < ROLES; role++) this.best[role] = -1;
    this.unfitTime = -1;
    this.unfitLevel = -1;
    this.level = undefined;
    const { roles } = naming.dialect;
    for (let k = 0; k < naming.count; k++) {
      const at = naming.known[k];
      const id = entries[at + NAME];
      if (roles[id] !== Role.none) this.#consider(bytes, entries, at, id, roles[id]);
    }
    for (let role = 1; role < ROLES; role++) {
      const at = this.best[role];
      if (at >= 0) entries[at + NAME] |= role << ROLE_SHIFT;
    }
    this.derived.derive(bytes, entries);
  }

  /** Gives the role to the entry if it fits and none better has it; of two equally good ones the last wins, as with duplicate keys. */
  #consider(bytes: Buffer, entries: Int32Array, at: number, id: number, role: number): void {
    const kind = entries[at + FLAGS] & KIND_MASK;
    if (((ROLE_KINDS[role] >> kind) & 1) === 0) return;
    const { dialect, filename, lineNumber, hasFilename, hasLineNumber } = this.#naming;
    const rank = dialect.ranks[id];
    if (this.best[role] >= 0 && this.#ranks[role] < rank) return;
    if (id === filename ? !hasLineNumber : id === lineNumber && !hasFilename) return;
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
        const level = dialect.levels.find(bytes, start, end);
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
   * Whether every line of this line's shape whose values pass the guards is treated like it. It is not when a value decided something that the guards
   * do not ask about: a better key whose value was no time, a text that might be an error's.
   */
  isDecidedByShape(entries: Int32Array): boolean {
    if (this.best[Role.time] >= 0 && !this.timeIsExact) return false;
    const { known, count, dialect } = this.#naming;
    const { roles, ranks } = dialect;
    for (let k = 0; k < count; k++) {
      const at = known[k];
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
      { role: Role.traceId, entry: this.best[Role.traceId], digits: TRACE_ID_DIGITS },
      { role: Role.spanId, entry: this.best[Role.spanId], digits: SPAN_ID_DIGITS },
      { role: Role.transactionId, entry: this.best[Role.transactionId], digits: SPAN_ID_DIGITS },
    ];
    return {
      time: this.best[Role.time],
      level: this.best[Role.level],
      ids: ids.filter(({ entry }) => entry >= 0),
    };
  }
}
