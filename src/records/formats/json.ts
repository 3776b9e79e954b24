import { JSON_MAX_DEPTH, JSON_MAX_MEMBERS, NUMBER_MAX_DIGITS } from "../../core/limits.ts";
import { decodedHash, isBlankKey, sampleHash, sameKey, strongHash } from "../keys.ts";
import {
  ENTRY_SHIFT,
  FLAGS,
  HASH,
  KEY_END,
  KEY_START,
  Kind,
  MemberFlag,
  NAME,
  NEXT,
  OWNER_SHIFT,
  VALUE_END,
  VALUE_START,
} from "../members.ts";
import type { Members } from "../members.ts";
import { isHugeNumber, skipEscapedText, skipFraction, skipWhiteSpace, STOPS_TEXT } from "./json-tokens.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const SLOTS = 4_096;

/** A chain this long in the hash table is either an attack on the sampled hash or its worst luck. */
const CHAIN_MAX_STEPS = 32;

/** For each open object or array: the member that holds it (-1: none), the first member in it (-1: none yet, -2: an array). */
const holders = new Int32Array(JSON_MAX_DEPTH + 1);
const owners = new Int32Array(JSON_MAX_DEPTH + 1);
const ARRAY = -2;

/** Hash table over (object, key). A slot is empty unless it holds more than `serial`, so that no line has to clear it. */
const slots = new Int32Array(SLOTS);
let serial = 0;

/**
 * Fills `members` from bytes[start, end) and says whether that is one JSON object (RFC 8259, as JSON.parse takes it) within the limits.
 * The bytes must be valid UTF-8, and bytes[end] must exist and be a control character: it stops every loop over characters,
 * so that none of them has to look for the end.
 *
 * Keys that are equal in one object are found with a hash table over all keys of the line. The hash samples a few bytes
 * of the key, which costs next to nothing; when its chains grow long the line is scanned again with a hash over all bytes.
 */
export function scanJson(bytes: Buffer, start: number, end: number, members: Members): boolean {
  members.strong = false;
  const result = scan(bytes, start, end, members);
  if (result !== 0) return result > 0;
  members.strong = true;
  return scan(bytes, start, end, members) > 0;
}

/** 1: an object, -1: not, 0: long chains. */
function scan(bytes: Buffer, start: number, end: number, members: Members): -1 | 0 | 1 {
  const { entries, strong } = members;
  members.count = 0;
  members.hasLineBreaks = false;
  serial += JSON_MAX_MEMBERS;
  if (serial > 0x7fff_ffff - JSON_MAX_MEMBERS) {
    slots.fill(0);
    serial = 0;
  }
  let count = 0;
  let p = skipBetween(bytes, start, end, members);
  if (bytes[p] !== OPEN_BRACE) return -1;
  let depth = 1;
  let owner = -1;
  holders[1] = -1;
  p++;
  let c = bytes[p];
  if (c <= 0x20) c = bytes[(p = skipBetween(bytes, p, end, members))]!;
  let closing = c === CLOSE_BRACE;

  for (;;) {
    if (!closing) {
      // One member of an object, or one value of an array. `c` is its first character.
      let at = -1;
      let flags = 0;
      if (owner !== ARRAY) {
        if (c !== QUOTE) return -1;
        const keyStart = ++p;
        while (STOPS_TEXT[bytes[p]] === 0) p++;
        if (bytes[p] !== QUOTE) {
          p = skipEscapedText(bytes, p);
          if (p < 0) return -1;
          flags = MemberFlag.keyEscaped;
        }
        if (count === JSON_MAX_MEMBERS) return -1;
        if (owner < 0) owner = count;
        at = count << ENTRY_SHIFT;
        const hash =
          flags !== 0
            ? decodedHash(bytes, keyStart, p, strong)
            : strong
              ? strongHash(bytes, keyStart, p)
              : sampleHash(bytes, keyStart, p);
        entries[at + KEY_START] = keyStart;
        entries[at + KEY_END] = p;
        entries[at + HASH] = hash;
        flags |= owner << OWNER_SHIFT;
        const slot = (hash ^ (hash >>> 12) ^ (owner * 0x9e5)) & (SLOTS - 1);
        const previous = slots[slot];
        if (previous > serial) {
          entries[at + NAME] = previous - serial - 1;
          const steps = supersede(bytes, members, at, flags);
          if (steps < 0) markUnclean(members, depth);
          if (steps > CHAIN_MAX_STEPS && !strong) return 0;
        } else {
          entries[at + NAME] = -1;
        }
        slots[slot] = serial + ++count;
        const first = bytes[keyStart];
        if (
          (first <= 0x20 || first >= 0xe1 || keyStart === p || (flags & MemberFlag.keyEscaped) !== 0) &&
          isBlankKey(bytes, keyStart, p)
        ) {
          flags |= MemberFlag.blankKey;
          markUnclean(members, depth);
        }
        c = bytes[++p]!;
        if (c !== COLON) {
          p = skipBetween(bytes, p, end, members);
          if (bytes[p] !== COLON) return -1;
        }
        c = bytes[++p]!;
        if (c <= 0x20) c = bytes[(p = skipBetween(bytes, p, end, members))]!;
        entries[at + VALUE_START] = p;
        entries[at + NEXT] = count;
      }

      if (c === QUOTE) {
        p++;
        while (STOPS_TEXT[bytes[p]] === 0) p++;
        flags |= Kind.text;
        if (bytes[p] !== QUOTE) {
          p = skipEscapedText(bytes, p);
          if (p < 0) return -1;
          flags |= MemberFlag.valueEscaped;
        }
        p++;
      } else if (c === OPEN_BRACE || c === OPEN_BRACKET) {
        if (at >= 0) entries[at + FLAGS] = flags | (c === OPEN_BRACE ? Kind.object : Kind.array);
        if (depth === JSON_MAX_DEPTH) return -1;
        owners[depth] = owner;
        depth++;
        holders[depth] = at;
        owner = c === OPEN_BRACE ? -1 : ARRAY;
        const close = c === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET;
        c = bytes[++p]!;
        if (c <= 0x20) c = bytes[(p = skipBetween(bytes, p, end, members))]!;
        closing = c === close;
        continue;
      } else if (c === 0x74) {
        if (bytes[p + 1] !== 0x72 || bytes[p + 2] !== 0x75 || bytes[p + 3] !== 0x65) return -1;
        flags |= Kind.true;
        p += 4;
      } else if (c === 0x66) {
        if (bytes[p + 1] !== 0x61 || bytes[p + 2] !== 0x6c || bytes[p + 3] !== 0x73 || bytes[p + 4] !== 0x65) return -1;
        flags |= Kind.false;
        p += 5;
      } else if (c === 0x6e) {
        if (bytes[p + 1] !== 0x75 || bytes[p + 2] !== 0x6c || bytes[p + 3] !== 0x6c) return -1;
        flags |= Kind.null;
        p += 4;
      } else {
        const numberStart = p;
        if (c === 0x2d) c = bytes[++p]!;
        if (c > 0x30 && c <= 0x39) {
          do c = bytes[++p]!;
          while (c <= 0x39 && c >= 0x30);
        } else {
          if (c !== 0x30) return -1;
          c = bytes[++p]!;
        }
        flags |= Kind.number;
        let huge = p - numberStart > NUMBER_MAX_DIGITS;
        if (c === 0x2e || c === 0x65 || c === 0x45) {
          p = skipFraction(bytes, p);
          if (p < 0) return -1;
          huge = true;
        }
        if (huge && isHugeNumber(bytes, numberStart, p)) {
          flags |= MemberFlag.hugeNumber;
          markUnclean(members, depth);
        }
      }
      if (at >= 0) {
        entries[at + VALUE_END] = p;
        entries[at + FLAGS] = flags;
      }
      c = bytes[p]!;
      if (c <= 0x20) c = bytes[(p = skipBetween(bytes, p, end, members))]!;
    }

    // Behind a value, or (closing) at the end of an empty object or array: close what ends here, then go to the next value.
    for (;;) {
      if (c === COMMA && !closing) {
        c = bytes[++p]!;
        if (c <= 0x20) c = bytes[(p = skipBetween(bytes, p, end, members))]!;
        break;
      }
      if (c !== (owner === ARRAY ? CLOSE_BRACKET : CLOSE_BRACE)) return -1;
      closing = false;
      p++;
      const holder = holders[depth];
      if (holder >= 0) {
        entries[holder + VALUE_END] = p;
        entries[holder + NEXT] = count;
      }
      depth--;
      if (depth === 0) {
        members.count = count;
        return skipBetween(bytes, p, end, members) === end ? 1 : -1;
      }
      owner = owners[depth]!;
      c = bytes[p]!;
      if (c <= 0x20) c = bytes[(p = skipBetween(bytes, p, end, members))]!;
    }
  }
}

/**
 * Walks the chain of members in the new member's slot and marks the one with the same key in the same object as superseded. Returns the
 * number of steps, negative when there was one.
 */
function supersede(bytes: Buffer, members: Members, at: number, flags: number): number {
  const entries = members.entries;
  const hash = entries[at + HASH];
  const owner = flags >> OWNER_SHIFT;
  let steps = 0;
  for (let index = entries[at + NAME]; index >= 0; steps++) {
    const other = index << ENTRY_SHIFT;
    if (
      entries[other + HASH] === hash &&
      entries[other + FLAGS] >> OWNER_SHIFT === owner &&
      sameKey(bytes, entries, at, flags, other, entries[other + FLAGS])
    ) {
      entries[other + FLAGS] |= MemberFlag.superseded;
      return -1;
    }
    index = entries[other + NAME]!;
  }
  return steps;
}

/** Tells every member that holds the open objects and arrays that something inside cannot be copied as it is. */
function markUnclean(members: Members, depth: number): void {
  for (let d = 2; d <= depth; d++) {
    const holder = holders[d];
    if (holder >= 0) members.entries[holder + FLAGS] |= MemberFlag.unclean;
  }
}

/** Skips white space between tokens; line breaks, which no line has unless it was put together of several, are noted. */
function skipBetween(bytes: Buffer, p: number, end: number, members: Members): number {
  const next = skipWhiteSpace(bytes, p, end);
  for (; p < next; p++) if (bytes[p] === 0x0a || bytes[p] === 0x0d) members.hasLineBreaks = true;
  return next;
}
