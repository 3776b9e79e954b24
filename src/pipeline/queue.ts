import type { Cursor } from "./cursor.ts";

/** Cursors that may have something to read, in the order in which they get their turns: round robin, older siblings first. */
export class ReadQueue {
  readonly #waiting: Cursor[] = [];
  readonly #cursors: ReadonlyMap<number, Cursor>;

  /** `cursors`: all of the pipeline, by the ordinal of their file. */
  constructor(cursors: ReadonlyMap<number, Cursor>) {
    this.#cursors = cursors;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** False: it waits already. */
  add(cursor: Cursor): boolean {
    if (cursor.queued) return false;
    cursor.queued = true;
    this.#waiting.push(cursor);
    return true;
  }

  /** Takes the next one off; it counts as waiting until `again` or `release`. */
  take(): Cursor {
    for (let rest = this.#waiting.length; rest > 1; rest--) {
      const cursor = this.#waiting.shift()!;
      const { predecessor } = cursor.file;
      if (predecessor === undefined || this.#cursors.get(predecessor.ordinal)?.queued !== true) return cursor;
      this.#waiting.push(cursor);
    }
    return this.#waiting.shift()!;
  }

  again(cursor: Cursor): void {
    this.#waiting.push(cursor);
  }

  release(cursor: Cursor): void {
    cursor.queued = false;
  }

  clear(): void {
    for (const cursor of this.#waiting) cursor.queued = false;
    this.#waiting.length = 0;
  }
}
