import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { TERMINATION_LOG_MAX_BYTES } from "../core/limits.ts";

/** Where Kubernetes reads why a container ended. */
export const TERMINATION_LOG_PATH = "/dev/termination-log";

const SPACE = 0x20;

/**
 * The termination log of a container. The kubelet mounts this one file into it, so it can be neither created nor replaced by
 * a rename. Each write is one `pwrite` of at most a page, padded with spaces to the longest text so far: whenever a SIGKILL
 * comes, the file holds one whole text and nothing of the one before. The padding goes with the last text.
 */
export class TerminationLog {
  readonly #fd: number;
  readonly #page = Buffer.alloc(TERMINATION_LOG_MAX_BYTES);
  #length: number;
  #closed = false;

  private constructor(fd: number, length: number) {
    this.#fd = fd;
    this.#length = length;
  }

  /** Undefined where there is no such file, or none that may be written. */
  static open(path: string): TerminationLog | undefined {
    let fd: number;
    try {
      fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch {
      return undefined;
    }
    const facts = fstatSync(fd);
    if (!facts.isFile()) {
      closeSync(fd);
      return undefined;
    }
    const log = new TerminationLog(fd, Math.min(facts.size, TERMINATION_LOG_MAX_BYTES));
    if (facts.size > TERMINATION_LOG_MAX_BYTES) log.#try(() => ftruncateSync(fd, TERMINATION_LOG_MAX_BYTES));
    return log;
  }

  /** Replaces the text; it has at most `TERMINATION_LOG_MAX_BYTES` bytes. */
  write(text: string): void {
    if (this.#closed) return;
    const bytes = this.#page.write(text);
    this.#length = Math.max(this.#length, bytes);
    this.#page.fill(SPACE, bytes, this.#length);
    this.#try(() => writeSync(this.#fd, this.#page, 0, this.#length, 0));
  }

  /** Writes the last text, without padding. */
  close(text: string): void {
    if (this.#closed) return;
    this.write(text);
    this.#try(() => ftruncateSync(this.#fd, Buffer.byteLength(text)));
    this.#closed = true;
    closeSync(this.#fd);
  }

  /** A full or read-only volume is no reason to fail a drain: stderr has the record too. */
  #try(action: () => void): void {
    try {
      action();
    } catch {
      return;
    }
  }
}
