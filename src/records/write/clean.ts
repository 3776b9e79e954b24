import { JSON_MAX_DEPTH } from "../../core/limits.ts";
import { Constant, copyConstant, copySpan } from "../copy.ts";
import type { Window } from "../copy.ts";
import type { Duplicates } from "./duplicates.ts";
import { isHugeNumber, skipEscapedText, STOPS_TEXT } from "../formats/json-tokens.ts";
import { keyText } from "../formats/keys.ts";
import {
  ENTRY_SHIFT,
  FLAGS,
  KEY_END,
  KEY_START,
  MemberFlag,
  NEXT,
  OWNER_SHIFT,
  VALUE_END,
  VALUE_START,
} from "../members.ts";
import type { Members } from "../members.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;

const IN_NUMBER = new Uint8Array(256).fill(1, 0x30, 0x3a);
for (const char of "-+.eE") IN_NUMBER[char.charCodeAt(0)] = 1;

export const EMPTY_KEY: Constant = new Constant('"app.empty":');

/** For each open object or array: whether something was written into it, and whether it has its `app.empty`. */
const begun = new Uint8Array(JSON_MAX_DEPTH + 1);
const hasEmpty = new Uint8Array(JSON_MAX_DEPTH + 1);

/**
 * Writes the value of the member at index `holder` without what servers refuse inside of it: superseded members go to the duplicates, an empty key
 * becomes `app.empty`, a huge number a text. White space between tokens is left out. The value is known to be valid JSON, and its members
 * follow the holder in the table in the order of their keys, so one walk over the text and the table is enough.
 */
export function writeClean(
  source: Window,
  members: Members,
  holder: number,
  duplicates: Duplicates,
  to: Window,
  at: number,
): number {
  const bytes = source.bytes;
  const out = to.bytes;
  const entries = members.entries;
  const end = entries[(holder << ENTRY_SHIFT) + VALUE_END];
  let member = holder + 1;
  let depth = 0;
  let keyed = false;
  for (let p = entries[(holder << ENTRY_SHIFT) + VALUE_START]; p < end;) {
    const c = bytes[p];
    if (c === COMMA || c === 0x3a || c <= 0x20) {
      p++;
      continue;
    }
    if (c === 0x7d || c === 0x5d) {
      out[at++] = c;
      depth--;
      p++;
      continue;
    }
    if (!keyed) {
      const entry = member << ENTRY_SHIFT;
      const isKey = c === QUOTE && member < members.count && entries[entry + KEY_START] === p + 1;
      if (isKey) {
        const flags = entries[entry + FLAGS];
        const blank = (flags & MemberFlag.blankKey) !== 0;
        if (
          (flags & MemberFlag.superseded) !== 0 ||
          (blank && (hasEmpty[depth] === 1 || hasMemberNamedEmpty(bytes, members, member)))
        ) {
          duplicates.add(entry);
          p = entries[entry + VALUE_END]!;
          member = entries[entry + NEXT]!;
          continue;
        }
        if (begun[depth] === 1) out[at++] = COMMA;
        begun[depth] = 1;
        p = entries[entry + VALUE_START]!;
        if (blank) {
          hasEmpty[depth] = 1;
          at = copyConstant(EMPTY_KEY, to, at);
        } else {
          at = copySpan(source, entries[entry + KEY_START] - 1, p, to, at);
        }
        member++;
        keyed = true;
        continue;
      }
      if (depth > 0) {
        if (begun[depth] === 1) out[at++] = COMMA;
        begun[depth] = 1;
      }
    }
    keyed = false;
    if (c === 0x7b || c === 0x5b) {
      out[at++] = c;
      p++;
      depth++;
      begun[depth] = 0;
      hasEmpty[depth] = 0;
      continue;
    }
    const start = p;
    p = skipScalar(bytes, p);
    const huge = (c === 0x2d || (c >= 0x30 && c <= 0x39)) && isHugeNumber(bytes, start, p);
    if (huge) out[at++] = QUOTE;
    at = copySpan(source, start, p, to, at);
    if (huge) out[at++] = QUOTE;
  }
  return at;
}

/** Whether the object that has the member at this index has one that is called `app.empty` already. */
export function hasMemberNamedEmpty(bytes: Buffer, members: Members, index: number): boolean {
  const { entries, count } = members;
  const owner = entries[(index << ENTRY_SHIFT) + FLAGS] >> OWNER_SHIFT;
  for (let at = owner << ENTRY_SHIFT; at < count << ENTRY_SHIFT; at = entries[at + NEXT] << ENTRY_SHIFT) {
    if (entries[at + FLAGS] >> OWNER_SHIFT !== owner) break;
    if (keyText(bytes, entries[at + KEY_START], entries[at + KEY_END]) === "app.empty") return true;
  }
  return false;
}

/** The offset behind a text, number or literal that is known to be valid. */
function skipScalar(bytes: Buffer, p: number): number {
  const c = bytes[p];
  if (c === QUOTE) {
    p++;
    while (STOPS_TEXT[bytes[p]] === 0) p++;
    return skipEscapedText(bytes, p) + 1;
  }
  if (c === 0x66) return p + 5;
  if (c === 0x74 || c === 0x6e) return p + 4;
  while (IN_NUMBER[bytes[p]] === 1) p++;
  return p;
}
