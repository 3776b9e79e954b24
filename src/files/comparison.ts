import { readSync } from "node:fs";
import type { Place } from "../core/source.ts";

/** Compared at once. */
const BLOCK_BYTES = 4_096;
/** Places in which two files are compared: with the first and the last block, and others evenly between them. */
const BLOCKS_MAX = 16;

const block: Buffer = Buffer.alloc(BLOCK_BYTES);
const other: Buffer = Buffer.alloc(BLOCK_BYTES);

/** Whether the bytes of a file right before `offset` are `tail`. */
function endsWith(fd: number, offset: number, tail: Buffer): boolean {
  const count = readSync(fd, block, 0, tail.length, offset - tail.length);
  return count === tail.length && block.compare(tail, 0, tail.length, 0, tail.length) === 0;
}

/**
 * How far the bytes before remembered places are in a file of this size; 0 when none of them lies so far ahead, -1 when the
 * bytes before one of them are others.
 */
export function provenBytes(places: readonly Place[], fd: number, sizeBytes: number): number {
  let proven = 0;
  for (const { offset, tail } of places) {
    if (tail.length === 0 || offset > sizeBytes) continue;
    if (!endsWith(fd, offset, tail)) return -1;
    proven = Math.max(proven, offset);
  }
  return proven;
}

const LINE_FEED = 0x0a;
/** Where a longer line was ended is looked for only so far. */
const LINE_LOOKED_AT_MAX_BYTES = 256 * 1024;

/** Whether a line ends between two offsets of a file. */
export function hasLineEnd(fd: number, from: number, to: number): boolean {
  const end = Math.min(to, from + LINE_LOOKED_AT_MAX_BYTES);
  for (let at = from; at < end; at += BLOCK_BYTES) {
    const count = readSync(fd, block, 0, Math.min(BLOCK_BYTES, end - at), at);
    if (block.subarray(0, count).includes(LINE_FEED)) return true;
  }
  return false;
}

/**
 * Whether the first `bytes` bytes of two files are the same. Of a long file only samples are compared, its first and last
 * block among them, since it may have gigabytes and is looked at while nothing else runs.
 */
export function beginAlike(one: number, two: number, bytes: number): boolean {
  const last = Math.max(0, bytes - BLOCK_BYTES);
  const step = Math.max(BLOCK_BYTES, Math.ceil(last / (BLOCKS_MAX - 1)));
  for (let at = 0; at < last; at += step) if (!isSameBlock(one, two, at, BLOCK_BYTES)) return false;
  return isSameBlock(one, two, last, bytes - last);
}

function isSameBlock(one: number, two: number, at: number, bytes: number): boolean {
  const count = readSync(one, block, 0, bytes, at);
  return count === bytes && readSync(two, other, 0, bytes, at) === bytes && equal(bytes);
}

function equal(bytes: number): boolean {
  return block.compare(other, 0, bytes, 0, bytes) === 0;
}
