import { decodeText } from "./json-text.ts";
import { FLAGS, KEY_END, KEY_START, MemberFlag } from "../members.ts";

/** Makes collisions of the strong hash unpredictable; it decides nothing that is sent. */
const MULTIPLIER = (Math.floor(Math.random() * 0x4000_0000) << 2) | 5;

/** Keys with escapes are compared as what they say; two of them at once. They grow with the longest such key. */
let left = Buffer.alloc(256);
let right = Buffer.alloc(256);

function decodeLeft(bytes: Buffer, start: number, end: number): number {
  if (left.length < end - start) left = Buffer.alloc((end - start) * 2);
  return decodeText(bytes, start, end, left, 0);
}

function decodeRight(bytes: Buffer, start: number, end: number): number {
  if (right.length < end - start) right = Buffer.alloc((end - start) * 2);
  return decodeText(bytes, start, end, right, 0);
}

/** Number of bytes and four of them: cheap, and enough for the keys of real logs. */
export function sampleHash(bytes: Buffer, start: number, end: number): number {
  const length = end - start;
  if (length === 0) return 0;
  const low = bytes[start] | (bytes[end - 1] << 8);
  const high = bytes[start + (length >> 1)] | (bytes[start + (length >> 2)] << 8);
  const hash = Math.imul(low | ((high << 16) ^ (length << 5)), 0x9e37_79b1);
  return hash ^ (hash >>> 15);
}

/** All bytes of what a key says, unpredictably. */
export function strongHash(bytes: Buffer, start: number, end: number, escaped: boolean): number {
  if (escaped) return strongHash(left, 0, decodeLeft(bytes, start, end), false);
  let hash = end - start;
  for (let p = start; p < end; p++) hash = Math.imul(hash ^ bytes[p], MULTIPLIER) ^ (hash >>> 15);
  return hash ^ (hash >>> 16);
}

/** `sampleHash` of what a key with escapes says. */
export function decodedHash(bytes: Buffer, start: number, end: number): number {
  const length = decodeLeft(bytes, start, end);
  return sampleHash(left, 0, length);
}

/** Whether the keys of two members say the same. */
export function sameKey(bytes: Buffer, entries: Int32Array, a: number, b: number): boolean {
  const aStart = entries[a + KEY_START];
  const aEnd = entries[a + KEY_END];
  const bStart = entries[b + KEY_START];
  const bEnd = entries[b + KEY_END];
  if (((entries[a + FLAGS] | entries[b + FLAGS]) & MemberFlag.keyEscaped) !== 0) {
    const aLength = decodeLeft(bytes, aStart, aEnd);
    const bLength = decodeRight(bytes, bStart, bEnd);
    return aLength === bLength && left.compare(right, 0, bLength, 0, aLength) === 0;
  }
  const length = aEnd - aStart;
  if (bEnd - bStart !== length) return false;
  for (let i = 0; i < length; i++) if (bytes[aStart + i] !== bytes[bStart + i]) return false;
  return true;
}

/** What a key says, as a string: for rare paths. */
export function keyText(bytes: Buffer, start: number, end: number): string {
  return left.toString("utf8", 0, decodeLeft(bytes, start, end));
}

/** Whether a key is empty or says nothing but white space: servers refuse it. */
export function isBlankKey(bytes: Buffer, start: number, end: number): boolean {
  return !/[^\s\u001c-\u001f]/.test(keyText(bytes, start, end));
}
