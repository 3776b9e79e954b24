/**
 * The `_id` of an event: 22 characters of base64url that say where the event stands and what it holds.
 *
 *   6 characters   36 bits of the file key
 *   7 characters   42 bits: the offset at which the event begins, exact up to 4 TiB
 *   9 characters   54 bits: hash over (file key, offset, every byte of the event)
 *
 * Place comes first and is not hashed, for two reasons: two events of one file can never share an id, whatever their bytes
 * are; and neighbours share a prefix and ascend, which is what Lucene's term dictionary needs to answer "is this id known"
 * from a segment's smallest and largest term instead of reading a block.
 */

export const EVENT_ID_BYTES = 22;
const PREFIX_CHARS = 6;
const ALPHABET = Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", "latin1");

/** What the ids of one file have in common. */
export class EventIdSeed {
  /** A text, since a Buffer would take several times its memory. */
  readonly prefix: string;
  readonly high: number;
  readonly low: number;

  /** `key`: the file key, 32 hex digits. */
  constructor(key: string) {
    this.prefix = Buffer.from(key.slice(0, 10), "hex").toString("base64url").slice(0, PREFIX_CHARS);
    this.high = Number.parseInt(key.slice(10, 18), 16) | 0;
    this.low = Number.parseInt(key.slice(18, 26), 16) | 0;
  }
}

/**
 * Hashes events 32 bits at a time. Words are read where they lie, so the buffer's alignment must follow the file's: index ≡
 * offset (mod 4). The words at both ends are masked; length and offset are part of the seed, so the zeros that masking leaves
 * cannot be taken for content. The results are in `high` and `low` (two numbers per call would mean an object per line).
 */
export class EventHasher {
  high = 0;
  low = 0;

  /** `words` views the same memory as the bytes; `length` tells a cut event from a whole one with the same bytes. */
  hash(words: Int32Array, start: number, end: number, seed: EventIdSeed, offset: number, length: number): void {
    let high = Math.imul(seed.high ^ (offset % 0x1_0000_0000), 0x9e3779b1) ^ length;
    let low = Math.imul(seed.low ^ length, 0x85ebca77) ^ Math.floor(offset / 0x1_0000_0000);
    if (end > start) {
      const last = (end - 1) >> 2;
      let at = start >> 2;
      let word = words[at] & (-1 << ((start & 3) << 3));
      while (at < last) {
        high = Math.imul(high ^ word, 0x9e3779b1);
        high = (high << 13) | (high >>> 19);
        low = (Math.imul((low << 11) | (low >>> 21), 0xc2b2ae3d) + word) | 0;
        word = words[++at]!;
      }
      word &= -1 >>> ((3 - ((end - 1) & 3)) << 3);
      high = Math.imul(high ^ word, 0x9e3779b1);
      low = (Math.imul((low << 11) | (low >>> 21), 0xc2b2ae3d) + word) | 0;
    }
    this.high = finish(high ^ Math.imul(low, 0x27d4eb2f));
    this.low = finish(low ^ Math.imul(high, 0x165667b1));
  }
}

/** Murmur3's 32-bit finaliser: every input bit reaches every output bit. */
function finish(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Writes the id at out[at] and returns the offset behind it. */
export function writeEventId(
  out: Buffer,
  at: number,
  seed: EventIdSeed,
  offset: number,
  high: number,
  low: number,
): number {
  const prefix = seed.prefix;
  for (let i = 0; i < PREFIX_CHARS; i++) out[at++] = prefix.charCodeAt(i);
  const offsetHigh = Math.floor(offset / 0x100_0000); // 18 bits above, 24 below
  const offsetLow = offset % 0x100_0000;
  out[at++] = ALPHABET[(offsetHigh >> 12) & 63]!;
  out[at++] = ALPHABET[(offsetHigh >> 6) & 63]!;
  out[at++] = ALPHABET[offsetHigh & 63]!;
  for (let shift = 18; shift >= 0; shift -= 6) out[at++] = ALPHABET[(offsetLow >> shift) & 63]!;
  for (let shift = 24; shift >= 0; shift -= 6) out[at++] = ALPHABET[(high >>> shift) & 63]!;
  for (let shift = 18; shift >= 0; shift -= 6) out[at++] = ALPHABET[(low >>> shift) & 63]!;
  return at;
}

/** Appends `~N` for a salted id; 0 appends nothing. */
export function writeSalt(out: Buffer, at: number, salt: number): number {
  return salt === 0 ? at : at + out.write(`~${salt}`, at, "latin1");
}

/** Longest id: a salt has at most ten digits. */
export const EVENT_ID_MAX_BYTES: number = EVENT_ID_BYTES + 11;
