import type { Choice } from "../choose/choose.ts";
import type { Vocabulary } from "../dialects/compile.ts";
import { decodedHash, keyText, sampleHash } from "../formats/keys.ts";
import { ENTRY_SHIFT, FLAGS, HASH, KEY_END, KEY_START, MemberFlag, NEXT } from "../members.ts";
import type { Members } from "../members.ts";

const BACKSLASH = 0x5c;

/**
 * Guards against two fields of one name in a record. Names that members have at the top of the line are unique already, and roles go to one member
 * each; what is left are names that pannier makes up: `app.NAME`, and the dotted names of members that ECS opens.
 */
export class TakenNames {
  readonly #vocabulary: Vocabulary;
  readonly #choice: Choice;
  /** Where the names made up so far stand in the output. */
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #hashes: number[] = [];
  readonly #escaped: boolean[] = [];
  #count = 0;

  constructor(vocabulary: Vocabulary, choice: Choice) {
    this.#vocabulary = vocabulary;
    this.#choice = choice;
  }

  clear(): void {
    this.#count = 0;
  }

  /** Takes the name out[start, end), the inside of a JSON text; false when the record has it already. */
  take(bytes: Buffer, members: Members, out: Buffer, start: number, end: number): boolean {
    const escaped = hasBackslash(out, start, end);
    const hash = escaped ? decodedHash(out, start, end) : sampleHash(out, start, end);
    const { names, kinds, fieldRoles } = this.#vocabulary;
    const id = escaped ? names.findEscaped(out, start, end) : names.find(out, start, end, hash);
    if (id !== 0 && (kinds[id] === 0 || (fieldRoles[id] !== 0 && this.#choice.best[fieldRoles[id]] >= 0))) return false;
    if (this.#isAtTop(bytes, members, out, start, end, escaped, hash)) return false;
    for (let i = 0; i < this.#count; i++) {
      if (this.#hashes[i] !== hash) continue;
      if (sameText(out, this.#starts[i], this.#ends[i], this.#escaped[i], out, start, end, escaped)) return false;
    }
    this.#starts[this.#count] = start;
    this.#ends[this.#count] = end;
    this.#hashes[this.#count] = hash;
    this.#escaped[this.#count] = escaped;
    this.#count++;
    return true;
  }

  #isAtTop(
    bytes: Buffer,
    members: Members,
    out: Buffer,
    start: number,
    end: number,
    escaped: boolean,
    hash: number,
  ): boolean {
    const { entries, count } = members;
    for (let at = 0; at < count << ENTRY_SHIFT; at = entries[at + NEXT] << ENTRY_SHIFT) {
      const keyStart = entries[at + KEY_START];
      const keyEnd = entries[at + KEY_END];
      const keyEscaped = (entries[at + FLAGS] & MemberFlag.keyEscaped) !== 0;
      if (entries[at + HASH] === hash && sameText(bytes, keyStart, keyEnd, keyEscaped, out, start, end, escaped))
        return true;
    }
    return false;
  }
}

function hasBackslash(bytes: Buffer, start: number, end: number): boolean {
  for (let p = start; p < end; p++) if (bytes[p] === BACKSLASH) return true;
  return false;
}

/** Whether the insides of two JSON texts say the same. */
function sameText(
  a: Buffer,
  aStart: number,
  aEnd: number,
  aEscaped: boolean,
  b: Buffer,
  bStart: number,
  bEnd: number,
  bEscaped: boolean,
): boolean {
  if (aEscaped || bEscaped) return keyText(a, aStart, aEnd) === keyText(b, bStart, bEnd);
  if (aEnd - aStart !== bEnd - bStart) return false;
  for (let i = aStart, j = bStart; i < aEnd; i++, j++) if (a[i] !== b[j]) return false;
  return true;
}
