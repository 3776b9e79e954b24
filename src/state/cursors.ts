import type { CursorRecord, Cursors } from "../core/state.ts";

const NONE: readonly CursorRecord[] = [];

/** The cursors of one file. There are one to a few, and many thousand files: a list takes a third of a Map's memory. */
export class CursorList implements Cursors {
  #list: readonly CursorRecord[] = NONE;

  get size(): number {
    return this.#list.length;
  }

  get(sink: string): CursorRecord | undefined {
    for (const cursor of this.#list) if (cursor.sink === sink) return cursor;
    return undefined;
  }

  has(sink: string): boolean {
    return this.get(sink) !== undefined;
  }

  values(): IterableIterator<CursorRecord> {
    return this.#list.values();
  }

  add(cursor: CursorRecord): void {
    // `concat` makes an array of exactly this size, which `push` does not.
    this.#list = this.#list.concat(cursor);
  }
}
