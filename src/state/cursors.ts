import type { CursorRecord, Cursors } from "../core/state.ts";

const NONE: readonly CursorRecord[] = [];

/** The cursors of one file. There are one to a few, and many thousand files: a list takes a third of a Map's memory. */
export class CursorList implements Cursors {
  /** Nearly always the only one. */
  #first: CursorRecord | undefined = undefined;
  #others: readonly CursorRecord[] = NONE;

  get size(): number {
    return this.#first === undefined ? 0 : 1 + this.#others.length;
  }

  get(sink: string): CursorRecord | undefined {
    if (this.#first?.sink === sink) return this.#first;
    return this.#others.find((cursor) => cursor.sink === sink);
  }

  has(sink: string): boolean {
    return this.get(sink) !== undefined;
  }

  *values(): IterableIterator<CursorRecord> {
    if (this.#first === undefined) return;
    yield this.#first;
    yield* this.#others;
  }

  add(cursor: CursorRecord): void {
    // `concat` makes an array of exactly this size, which `push` does not.
    if (this.#first === undefined) this.#first = cursor;
    else this.#others = this.#others.concat(cursor);
  }
}
