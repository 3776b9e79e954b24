import { JSON_MAX_MEMBERS } from "../core/limits.ts";

/** What a value is: the low bits of a member's flags. */
export const Kind = { text: 1, number: 2, boolean: 3, null: 4, object: 5, array: 6 } as const;
export const KIND_MASK = 7;

/** What else is known about a member. A set of bits beside its kind. */
export const MemberFlag = {
  /** The key, or the text that is the value, contains a backslash. */
  keyEscaped: 8,
  valueEscaped: 16,
  /** A later member of the same object has the same key. */
  superseded: 32,
  /** The key is empty or white space only. */
  blankKey: 64,
  /** A number beyond a double, or with too many digits. */
  hugeNumber: 128,
  /** Somewhere inside the value is a superseded or blank key or a huge number: it cannot be copied as it is. */
  unclean: 256,
} as const;

/** Bits above these hold the index of the first member of the same object: equal for siblings, different otherwise. */
export const OWNER_SHIFT = 12;

/** Places in an entry. An entry is a power of two long, so that its address is a shift. */
export const ENTRY_SHIFT = 3;
export const KEY_START = 0;
export const KEY_END = 1;
export const VALUE_START = 2;
export const VALUE_END = 3;
export const FLAGS = 4;
/** Index of the first member behind this one and everything inside it. */
export const NEXT = 5;
export const HASH = 6;
/** While keys are checked: the previous member in the same slot of the hash table. Afterwards: the key's name id, and its role. */
export const NAME = 7;

/**
 * The members of all objects of one line, in the order of their keys. Keys are spans without their quotes, values with
 * them. The direct members of an object follow it, each `NEXT` of the one before. One table serves all lines.
 */
export class Members {
  readonly entries: Int32Array = new Int32Array(JSON_MAX_MEMBERS << ENTRY_SHIFT);
  count = 0;
  /** There is a line break between the tokens. */
  hasLineBreaks = false;
}

export const MEMBERS_BYTES: number = (JSON_MAX_MEMBERS << ENTRY_SHIFT) * 4;
