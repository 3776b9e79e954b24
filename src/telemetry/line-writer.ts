import { writeSync } from "node:fs";
import { systemCode } from "../core/errors.ts";
import { LOG_WRITE_PATIENCE_MS } from "../core/limits.ts";

const RETRY_MS = 5;
const pause = new Int32Array(new SharedArrayBuffer(4));

/**
 * Writes whole lines to a descriptor before it returns, so that a line is out even when the next moment is a SIGKILL. A pipe
 * that nobody empties would stop the agent: after a short patience the line is dropped, and the number of dropped lines is
 * said as soon as there is room. A reader that has gone away (EPIPE) is no reason to stop either.
 */
export class LineWriter {
  readonly #fd: number;
  readonly #patienceMs: number;
  #stalled = false;
  /** A part of a line went out and the rest did not. */
  #torn = false;
  #dropped = 0;

  constructor(fd: number, patienceMs: number = LOG_WRITE_PATIENCE_MS) {
    this.#fd = fd;
    this.#patienceMs = patienceMs;
  }

  /** `line` without its line end. */
  write(line: string): void {
    const missing = this.#dropped === 0 ? "" : `${droppedLine(this.#dropped)}\n`;
    const bytes = Buffer.from(`${this.#torn ? "\n" : ""}${missing}${line}\n`);
    if (this.#put(bytes)) this.#dropped = 0;
    else this.#dropped++;
  }

  #put(bytes: Buffer): boolean {
    // While the reader is known to stall, one try per line is enough: waiting again for every line would be the stall itself.
    const giveUpAt = performance.now() + (this.#stalled ? 0 : this.#patienceMs);
    let done = 0;
    while (done < bytes.length) {
      try {
        done += writeSync(this.#fd, bytes, done);
      } catch (error) {
        const again = systemCode(error) === "EAGAIN";
        if (again && performance.now() < giveUpAt) {
          Atomics.wait(pause, 0, 0, RETRY_MS);
          continue;
        }
        this.#stalled = again;
        this.#torn ||= done > 0;
        return false;
      }
    }
    this.#stalled = false;
    this.#torn = false;
    return true;
  }

  /** The next line is worth the full patience again. */
  insist(): void {
    this.#stalled = false;
  }
}

function droppedLine(dropped: number): string {
  const msg = `stderr was not read in time: ${dropped} lines of this log are missing before this one`;
  return JSON.stringify({ time: new Date().toISOString(), level: "warn", code: "log_lines_dropped", msg, dropped });
}
