import { Opening } from "../dialects/compile.ts";
import type { CompiledDialect, Vocabulary } from "../dialects/compile.ts";
import { sampleHash } from "../formats/keys.ts";
import { ENTRY_SHIFT, FLAGS, HASH, KEY_END, KEY_START, Kind, KIND_MASK, MemberFlag, NAME, NEXT } from "../members.ts";
import type { Members } from "../members.ts";

/** Longest dotted name that can mean something. */
const DOTTED_MAX_BYTES = 64;

const IGNORED = MemberFlag.superseded | MemberFlag.blankKey;

/**
 * Gives numbers to the names of a line's members, at the top and inside of the objects that are opened, so that all that follows works with tables; and finds the
 * dialect by the names that are there.
 */
export class Naming {
  /** Entries with a name that means something: the first `count`. */
  readonly known: number[] = [];
  count = 0;
  dialect: CompiledDialect;
  /** The line has the added field under its own name: index as in the vocabulary. */
  readonly hasAdded: Uint8Array;
  /** `filename` and `line_number` say where a record came from only together. */
  readonly filename: number;
  readonly lineNumber: number;
  hasFilename = false;
  hasLineNumber = false;

  readonly #vocabulary: Vocabulary;
  readonly #dotted = Buffer.alloc(DOTTED_MAX_BYTES);
  #factsLow = 0;
  #factsHigh = 0;

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
    this.dialect = vocabulary.dialects[0]!;
    this.hasAdded = new Uint8Array(vocabulary.addedCount + 1);
    this.filename = vocabulary.names.idOf("filename");
    this.lineNumber = vocabulary.names.idOf("line_number");
  }

  /** Writes each member's number to `NAME`; 0 is for names that mean nothing. */
  name(bytes: Buffer, members: Members): void {
    this.count = 0;
    this.#factsLow = 0;
    this.#factsHigh = 0;
    for (let i = 0; i < this.hasAdded.length; i++) this.hasAdded[i] = 0;
    this.hasFilename = false;
    this.hasLineNumber = false;
    this.#nameMembers(bytes, members, 0, members.count, 0);
    this.dialect = this.#findDialect();
  }

  /** Numbers the members in [from, to); those inside of an object under a dotted name, of which `prefix` bytes are in `#dotted`. */
  #nameMembers(bytes: Buffer, members: Members, from: number, to: number, prefix: number): void {
    const entries = members.entries;
    const { mayOpen } = this.#vocabulary;
    for (let i = from; i < to;) {
      const at = i << ENTRY_SHIFT;
      const flags = entries[at + FLAGS];
      const next = entries[at + NEXT];
      const id =
        prefix === 0 ? this.#idAtTop(bytes, members, at, flags) : this.#idInside(bytes, entries, at, flags, prefix);
      entries[at + NAME] = id;
      if (id !== 0) {
        const kind = flags & KIND_MASK;
        this.known[this.count++] = at;
        this.#note(id, kind);
        if (kind === Kind.object && mayOpen[id] !== Opening.none && next > i + 1) {
          const length = this.#writeParent(id);
          this.#dotted[length] = 0x2e;
          this.#nameMembers(bytes, members, i + 1, next, length + 1);
        }
      }
      i = next;
    }
  }

  /** Remembers that a member of that name and kind is there. */
  #note(id: number, kind: number): void {
    const { added, kinds, factsLow, factsHigh } = this.#vocabulary;
    if (id === this.filename) this.hasFilename = kind === Kind.text;
    if (id === this.lineNumber) this.hasLineNumber = kind === Kind.number;
    if (added[id] !== 0 && ((kinds[id] >> kind) & 1) !== 0) this.hasAdded[added[id]] = 1;
    const fact = (id << 3) | kind;
    this.#factsLow |= factsLow[fact];
    this.#factsHigh |= factsHigh[fact];
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

  #findDialect(): CompiledDialect {
    const low = this.#factsLow;
    const high = this.#factsHigh;
    const { dialects } = this.#vocabulary;
    for (let d = 0; d < dialects.length - 1; d++) {
      const { when, unless } = dialects[d];
      if ((low & unless.low) !== 0 || (high & unless.high) !== 0) continue;
      for (let i = 0; i < when.length; i++) {
        if ((low & when[i].low) === when[i].low && (high & when[i].high) === when[i].high) return dialects[d];
      }
    }
    return dialects[dialects.length - 1];
  }
}
