import { JSON_MAX_DEPTH, JSON_MAX_MEMBERS } from "../../core/limits.ts";
import { isBlankKey, sameKey, strongHash } from "./keys.ts";
import { ENTRY_SHIFT, FLAGS, HASH, KEY_END, KEY_START, MemberFlag, NAME, NEXT, OWNER_SHIFT } from "../members.ts";
import type { Members } from "../members.ts";

const SLOTS = 4_096;

/** A chain this long in the hash table is either an attack on the sampled hash or its worst luck. */
const CHAIN_MAX_STEPS = 32;

/** Hash table over (object, key). A slot is empty unless it holds more than `serial`, so that no line has to clear it. */
const slots = new Int32Array(SLOTS);
let serial = 0;

/** The members that hold the one at hand, from the outermost on. */
const holders = new Int32Array(JSON_MAX_DEPTH + 1);

/**
 * Marks the keys that servers refuse: empty ones, ones of white space only, and in each object all but the last of those that say the same.
 *
 * Equal keys are found with a hash table over all keys of the line. The hash samples a few bytes of the key, which costs
 * next to nothing; when a chain grows long, all is done again with a hash over all bytes that no one outside can foresee.
 */
export function checkKeys(bytes: Buffer, members: Members): void {
  if (!check(bytes, members, false)) check(bytes, members, true);
}

function check(bytes: Buffer, members: Members, strong: boolean): boolean {
  const { entries, count } = members;
  serial += JSON_MAX_MEMBERS;
  if (serial > 0x7fff_ffff - JSON_MAX_MEMBERS) {
    slots.fill(0);
    serial = 0;
  }
  let depth = 0;
  for (let i = 0; i < count; i++) {
    const at = i << ENTRY_SHIFT;
    while (depth > 0 && entries[(holders[depth - 1] << ENTRY_SHIFT) + NEXT] <= i) depth--;
    const flags = entries[at + FLAGS];
    const start = entries[at + KEY_START];
    const end = entries[at + KEY_END];
    const hash = strong ? strongHash(bytes, start, end, (flags & MemberFlag.keyEscaped) !== 0) : entries[at + HASH];
    const slot = (hash ^ (hash >>> 12) ^ Math.imul(flags >> OWNER_SHIFT, 0x9e5)) & (SLOTS - 1);
    const previous = slots[slot];
    entries[at + NAME] = previous > serial ? previous - serial - 1 : -1;
    slots[slot] = serial + i + 1;
    if (previous > serial) {
      const steps = supersede(bytes, entries, at);
      if (steps < 0) markUnclean(entries, depth);
      if (steps > CHAIN_MAX_STEPS && !strong) return false;
    }
    if (mayBeBlank(bytes, start, end, flags) && isBlankKey(bytes, start, end)) {
      entries[at + FLAGS] |= MemberFlag.blankKey;
      markUnclean(entries, depth);
    }
    if (entries[at + NEXT] > i + 1) holders[depth++] = i;
  }
  return true;
}

/**
 * Walks the chain of members in the slot of this one and marks the one with the same key in the same object. Returns the
 * number of steps, negative when there was one.
 */
function supersede(bytes: Buffer, entries: Int32Array, at: number): number {
  const hash = entries[at + HASH];
  const owner = entries[at + FLAGS] >> OWNER_SHIFT;
  let steps = 0;
  for (let index = entries[at + NAME]; index >= 0; steps++) {
    const other = index << ENTRY_SHIFT;
    if (
      entries[other + HASH] === hash &&
      entries[other + FLAGS] >> OWNER_SHIFT === owner &&
      sameKey(bytes, entries, at, other)
    ) {
      entries[other + FLAGS] |= MemberFlag.superseded;
      return -1;
    }
    index = entries[other + NAME];
  }
  return steps;
}

/** Most keys are told by their first byte: white space begins with a control character, a blank or, beyond ASCII, 0xe1 to 0xe3. */
function mayBeBlank(bytes: Buffer, start: number, end: number, flags: number): boolean {
  if (start === end || (flags & MemberFlag.keyEscaped) !== 0) return true;
  const first = bytes[start];
  return first <= 0x20 || (first >= 0xe1 && first <= 0xe3);
}

/** Tells every member that holds the one at hand that something inside cannot be copied as it is. */
function markUnclean(entries: Int32Array, depth: number): void {
  for (let d = 0; d < depth; d++) entries[(holders[d] << ENTRY_SHIFT) + FLAGS] |= MemberFlag.unclean;
}
