import type { Cursor } from "./cursor.ts";

/** Cursors that may have something to read, in the order in which they get their turns: round robin, older siblings first. */
export class ReadQueue {
  readonly #ready: Cursor[] = [];
  /** Cursors that wait for an older sibling, by that one: there may be thousands after an outage, and none is asked in vain. */
  readonly #behind = new Map<Cursor, Cursor[]>();
  readonly #cursors: ReadonlyMap<number, Cursor>;
  #length = 0;

  /** `cursors`: all of the pipeline, by the ordinal of their file. */
  constructor(cursors: ReadonlyMap<number, Cursor>) {
    this.#cursors = cursors;
  }

  get length(): number {
    return this.#length;
  }

  /** False: it waits already. */
  add(cursor: Cursor): boolean {
    if (cursor.queued) return false;
    cursor.queued = true;
    this.#length++;
    this.#ready.push(cursor);
    return true;
  }

  /** Takes the next one off; it counts as waiting until `again` or `release`. */
  take(): Cursor | undefined {
    for (;;) {
      const cursor = this.#ready.shift();
      const older = cursor && this.#olderOf(cursor);
      if (cursor === undefined || older === undefined) return cursor;
      const behind = this.#behind.get(older);
      if (behind === undefined) this.#behind.set(older, [cursor]);
      else behind.push(cursor);
    }
  }

  #olderOf(cursor: Cursor): Cursor | undefined {
    const { predecessor } = cursor.file;
    const older = predecessor && this.#cursors.get(predecessor.ordinal);
    return older?.queued === true ? older : undefined;
  }

  again(cursor: Cursor): void {
    this.#ready.push(cursor);
  }

  release(cursor: Cursor): void {
    cursor.queued = false;
    this.#length--;
    this.#ready.push(...(this.#behind.get(cursor) ?? []));
    this.#behind.delete(cursor);
  }

  /** Its file is no longer followed. */
  remove(cursor: Cursor): void {
    if (!cursor.queued) return;
    for (const list of [this.#ready, ...this.#behind.values()]) {
      const at = list.indexOf(cursor);
      if (at >= 0) list.splice(at, 1);
    }
    this.release(cursor);
  }

  clear(): void {
    for (const cursor of this.#cursors.values()) cursor.queued = false;
    this.#ready.length = 0;
    this.#behind.clear();
    this.#length = 0;
  }
}
