import { createHash } from "node:crypto";
import { readSync } from "node:fs";
import { HEAD_MAX_BYTES } from "../core/limits.ts";

const LF = 0x0a;
const CR = 0x0d;

const first: Buffer = Buffer.alloc(HEAD_MAX_BYTES);

/** The first bytes of a file, as many as a head may have. Valid until the next call. */
export function readFirst(fd: number): Buffer {
  return first.subarray(0, readSync(fd, first, 0, HEAD_MAX_BYTES, 0));
}

/**
 * The head in a file's first bytes: the first line without its end, cut at HEAD_MAX_BYTES. Undefined while neither a line
 * end nor so many bytes are there. With `force` an unterminated line is a head too, unless it is empty. Only the first
 * HEAD_MAX_BYTES decide, so that the head is the same whenever it is read.
 */
export function headOf(bytes: Buffer, force: boolean): Buffer | undefined {
  const lineFeed = bytes.indexOf(LF);
  if (lineFeed >= 0) return bytes.subarray(0, lineFeed > 0 && bytes[lineFeed - 1] === CR ? lineFeed - 1 : lineFeed);
  return bytes.length === HEAD_MAX_BYTES || (force && bytes.length > 0) ? bytes : undefined;
}

/** The heads that a file begins with, whatever their lengths. */
export class Heads {
  readonly #fd: number;
  readonly #hashes = new Map<number, string>();

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Whether the file begins with the head of a record that has one. */
  has({ headHash, headBytes }: { readonly headHash: string; readonly headBytes: number }): boolean {
    let hash = this.#hashes.get(headBytes);
    if (hash === undefined) {
      const bytes = readFirst(this.#fd);
      hash = bytes.length < headBytes ? "" : hashHead(bytes.subarray(0, headBytes));
      this.#hashes.set(headBytes, hash);
    }
    return hash === headHash;
  }
}

export function hashHead(head: Buffer): string {
  return createHash("sha256").update(head).digest("hex");
}

/** The file key: the first half of SHA-256 over everything that tells one content from another. */
export function fileKey(scope: string, inode: string, generation: number, head: Buffer): string {
  const facts = `${scope}\0${inode}\0${generation}\0`;
  // Not a slice of the text: that would keep all of it.
  return createHash("sha256").update(facts).update(head).digest().toString("hex", 0, 16);
}
