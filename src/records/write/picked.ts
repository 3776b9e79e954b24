import { ROLE_SHIFT } from "../choose/derived.ts";
import { copyConstant } from "../copy.ts";
import { ENTRY_SHIFT, FLAGS, MemberFlag, NAME, NEXT } from "../members.ts";
import { EMPTY_KEY, hasMemberNamedEmpty } from "./clean.ts";
import type { Output } from "./output.ts";

const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Writes an object with members that mean something, as an error has type, message and stack: those go to the top under the names of their roles,
 * the rest of it stays an object.
 */
export function writePicked(output: Output, index: number, at: number): number {
  const { entries } = output.members;
  const end = entries[(index << ENTRY_SHIFT) + NEXT];
  let picked = 0;
  let left = 0;
  for (let i = index + 1; i < end; i = entries[(i << ENTRY_SHIFT) + NEXT]) {
    const role = roleOf(output, i);
    if (role === 0) {
      left++;
    } else {
      picked++;
      at = output.role(role, i, at);
    }
  }
  if (picked === 0) return output.member(index, at);
  return left === 0 ? at : writeRest(output, index, at);
}

function roleOf({ members }: Output, index: number): number {
  return members.entries[(index << ENTRY_SHIFT) + NAME] >> ROLE_SHIFT;
}

function writeRest(output: Output, index: number, at: number): number {
  const { members, duplicates, out } = output;
  const { entries } = members;
  const end = entries[(index << ENTRY_SHIFT) + NEXT];
  out.bytes[at++] = COMMA;
  at = output.key(index, at);
  out.bytes[at++] = OPEN_BRACE;
  const first = at;
  let hasEmpty = hasMemberNamedEmpty(output.source.bytes, members, index + 1);
  for (let i = index + 1; i < end; i = entries[(i << ENTRY_SHIFT) + NEXT]) {
    if (roleOf(output, i) !== 0) continue;
    const flags = entries[(i << ENTRY_SHIFT) + FLAGS];
    const isBlank = (flags & MemberFlag.blankKey) !== 0;
    if ((flags & MemberFlag.superseded) !== 0 || (isBlank && hasEmpty)) {
      duplicates.add(i << ENTRY_SHIFT);
      continue;
    }
    if (at > first) out.bytes[at++] = COMMA;
    at = isBlank ? copyConstant(EMPTY_KEY, out, at) : output.key(i, at);
    at = output.value(i, at);
    hasEmpty ||= isBlank;
  }
  out.bytes[at++] = CLOSE_BRACE;
  return at;
}
