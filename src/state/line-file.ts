import { closeSync, fdatasync, fdatasyncSync, ftruncateSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { promisify } from "../core/builtins.ts";
import { describe } from "../core/errors.ts";
import { STATE_BUFFER_BYTES, STATE_LINE_MAX_BYTES } from "../core/limits.ts";
import { isSameFile } from "./directory.ts";
import { decodeEntry, encodeEntry } from "./entries.ts";
import type { Entry } from "./entries.ts";

const fdatasyncLater = promisify(fdatasync);
const LINE_FEED = 10;

/** One buffer for all writing and reading of state: everything here is synchronous between two uses of it. */
const scratch = Buffer.allocUnsafeSlow(STATE_BUFFER_BYTES);

/** A file of entries that is being written. It always ends with a whole line, or knows that it does not. */
export class LineFile {
  readonly fd: number;
  /** Bytes of whole lines; what is behind them is rubbish of a failed write. */
  size = 0;
  #torn = false;

  /** Makes the file anew. What stood under the name is removed, not opened: it might be a link to somewhere else. */
  constructor(path: string) {
    rmSync(path, { force: true });
    this.fd = openSync(path, "wx", 0o600);
  }

  /** Appends all entries, or none: after a failed write the file is cut back to where it was, and the error is thrown. */
  append(entries: Iterable<Entry>): void {
    if (this.#torn) this.#cutBack();
    let at = this.size;
    let used = 0;
    try {
      for (const entry of entries) {
        const line = encodeEntry(entry);
        // A UTF-16 unit takes three bytes at the most.
        if (line.length * 3 > scratch.length - used) {
          at = this.#write(scratch, used, at);
          used = 0;
        }
        if (line.length * 3 <= scratch.length) {
          used += scratch.write(line, used);
        } else {
          const bytes = Buffer.from(line);
          at = this.#write(bytes, bytes.length, at);
        }
      }
      this.size = this.#write(scratch, used, at);
    } catch (error) {
      this.#torn = true;
      this.#tryCutBack();
      throw error;
    }
  }

  /** Forgets everything behind `size` bytes. */
  rollBack(size: number): void {
    this.size = size;
    this.#torn = true;
    this.#tryCutBack();
  }

  syncNow(): void {
    fdatasyncSync(this.fd);
  }

  async sync(): Promise<void> {
    await fdatasyncLater(this.fd);
  }

  /** It is the file that this path leads to now. */
  isAt(path: string): boolean {
    return isSameFile(this.fd, path);
  }

  close(): void {
    closeSync(this.fd);
  }

  /** Writes bytes[0, length) at `at` and returns the offset behind it. */
  #write(bytes: Buffer, length: number, at: number): number {
    let done = 0;
    while (done < length) done += writeSync(this.fd, bytes, done, length - done, at + done);
    return at + length;
  }

  #cutBack(): void {
    ftruncateSync(this.fd, this.size);
    this.#torn = false;
  }

  /** When even cutting back fails, the next append tries again before it writes. */
  #tryCutBack(): void {
    try {
      this.#cutBack();
    } catch {
      // `#torn` stays set.
    }
  }
}

/** What reading a file of entries met besides its entries. */
export interface Damage {
  /** Stretches between two line ends whose checksum is wrong. */
  damagedLines: number;
  /** Bytes behind the last line end: a line whose writing was cut off. */
  tornBytes: number;
  /** Reading failed here, and what follows is unknown: a bad block. */
  readError: string | undefined;
}

/** Reads every whole line; damaged ones are counted and reading goes on at the next line end. Undefined: there is no such file. */
export function readEntries(path: string, take: (entry: { readonly t: string }) => void): Damage | undefined {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    return readLines(fd, take);
  } finally {
    closeSync(fd);
  }
}

function tryRead(fd: number, buffer: Buffer, at: number, damage: Damage): number {
  try {
    return readSync(fd, buffer, at, buffer.length - at, null);
  } catch (error) {
    damage.readError = describe(error);
    return 0;
  }
}

function readLines(fd: number, take: (entry: { readonly t: string }) => void): Damage {
  const damage: Damage = { damagedLines: 0, tornBytes: 0, readError: undefined };
  let buffer = Buffer.allocUnsafeSlow(STATE_BUFFER_BYTES);
  let filled = 0;
  /** Bytes given up of a line over the limit, which is none of ours; everything up to the next line end belongs to it. */
  let givenUp = 0;
  for (;;) {
    const got = tryRead(fd, buffer, filled, damage);
    if (got === 0) break;
    const searchFrom = filled;
    filled += got;
    let start = 0;
    let end = buffer.subarray(0, filled).indexOf(LINE_FEED, searchFrom);
    while (end >= 0) {
      const entry = givenUp > 0 ? undefined : decodeEntry(buffer.subarray(start, end));
      if (entry === undefined) damage.damagedLines += 1;
      else take(entry);
      givenUp = 0;
      start = end + 1;
      end = buffer.subarray(0, filled).indexOf(LINE_FEED, start);
    }
    buffer.copyWithin(0, start, filled);
    filled -= start;
    if (filled < buffer.length) continue;
    if (buffer.length < STATE_LINE_MAX_BYTES) {
      const larger = Buffer.allocUnsafeSlow(buffer.length * 2);
      buffer.copy(larger, 0, 0, filled);
      buffer = larger;
    } else {
      givenUp += filled;
      filled = 0;
    }
  }
  damage.tornBytes = givenUp + filled;
  return damage;
}
