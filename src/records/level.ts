import { sampleHash } from "./keys.ts";
import type { Names } from "./names.ts";

/** Longest name of a level, as loggers write it. */
const LEVEL_MAX_BYTES = 16;

const lower = Buffer.alloc(LEVEL_MAX_BYTES);

/** The id of the level bytes[start, end) among the dialect's, without regard to case and padding; 0 when it is none of them. */
export function findLevel(names: Names, bytes: Buffer, start: number, end: number): number {
  while (start < end && bytes[start] === 0x20) start++;
  while (start < end && bytes[end - 1] === 0x20) end--;
  const length = end - start;
  if (length > LEVEL_MAX_BYTES) return 0;
  for (let i = 0; i < length; i++) {
    const c = bytes[start + i];
    lower[i] = c >= 0x41 && c <= 0x5a ? c | 0x20 : c;
  }
  return names.find(lower, 0, length, sampleHash(lower, 0, length));
}
