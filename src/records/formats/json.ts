import { JSON_MAX_DEPTH, JSON_MAX_MEMBERS, NUMBER_MAX_DIGITS } from "../../core/limits.ts";
import { decodedHash, sampleHash } from "./keys.ts";
import {
  ENTRY_SHIFT,
  FLAGS,
  HASH,
  KEY_END,
  KEY_START,
  Kind,
  MemberFlag,
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

/** For each open object or array: the member that holds it (-1: none), the first member in it (-1: none yet, -2: an array). */
const holders = new Int32Array(JSON_MAX_DEPTH + 1);
const owners = new Int32Array(JSON_MAX_DEPTH + 1);
const ARRAY = -2;

/**
 * Fills `members` from bytes[start, end) and says whether that is one JSON object (RFC 8259, as JSON.parse takes it) within
 * the limits. The bytes must be valid UTF-8, and bytes[end] must exist and be a control character: it stops every loop over
 * characters, so that none of them has to look for the end. `checkKeys` says what is wrong with the keys.
 */
export function scanJson(bytes: Buffer, start: number, end: number, members: Members): boolean {
  const { entries } = members;
  members.count = 0;
  members.hasLineBreaks = false;
  let count = 0;
  let p = skipBetween(bytes, start, end, members);
  if (bytes[p] !== OPEN_BRACE) return false;
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
        if (c !== QUOTE) return false;
        const keyStart = ++p;
        while (STOPS_TEXT[bytes[p]] === 0) p++;
        if (bytes[p] !== QUOTE) {
          p = skipEscapedText(bytes, p);
          if (p < 0) return false;
          flags = MemberFlag.keyEscaped;
        }
        if (count === JSON_MAX_MEMBERS) return false;
        if (owner < 0) owner = count;
        at = count << ENTRY_SHIFT;
        entries[at + KEY_START] = keyStart;
        entries[at + KEY_END] = p;
        entries[at + HASH] = flags === 0 ? sampleHash(bytes, keyStart, p) : decodedHash(bytes, keyStart, p);
        flags |= owner << OWNER_SHIFT;
        count++;
        c = bytes[++p]!;
        if (c !== COLON) {
          p = skipBetween(bytes, p, end, members);
          if (bytes[p] !== COLON) return false;
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
          if (p < 0) return false;
          flags |= MemberFlag.valueEscaped;
        }
        p++;
      } else if (c === OPEN_BRACE || c === OPEN_BRACKET) {
        if (at >= 0) entries[at + FLAGS] = flags | (c === OPEN_BRACE ? Kind.object : Kind.array);
        if (depth === JSON_MAX_DEPTH) return false;
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
        if (bytes[p + 1] !== 0x72 || bytes[p + 2] !== 0x75 || bytes[p + 3] !== 0x65) return false;
        flags |= Kind.boolean;
        p += 4;
      } else if (c === 0x66) {
        if (bytes[p + 1] !== 0x61 || bytes[p + 2] !== 0x6c || bytes[p + 3] !== 0x73 || bytes[p + 4] !== 0x65)
          return false;
        flags |= Kind.boolean;
        p += 5;
      } else if (c === 0x6e) {
        if (bytes[p + 1] !== 0x75 || bytes[p + 2] !== 0x6c || bytes[p + 3] !== 0x6c) return false;
        flags |= Kind.null;
        p += 4;
      } else {
        const numberStart = p;
        if (c === 0x2d) c = bytes[++p]!;
        if (c > 0x30 && c <= 0x39) {
          do c = bytes[++p]!;
          while (c <= 0x39 && c >= 0x30);
        } else {
          if (c !== 0x30) return false;
          c = bytes[++p]!;
        }
        flags |= Kind.number;
        let huge = p - numberStart > NUMBER_MAX_DIGITS;
        if (c === 0x2e || c === 0x65 || c === 0x45) {
          p = skipFraction(bytes, p);
          if (p < 0) return false;
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
      if (c !== (owner === ARRAY ? CLOSE_BRACKET : CLOSE_BRACE)) return false;
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
        return skipBetween(bytes, p, end, members) === end;
      }
      owner = owners[depth]!;
      c = bytes[p]!;
      if (c <= 0x20) c = bytes[(p = skipBetween(bytes, p, end, members))]!;
    }
  }
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
