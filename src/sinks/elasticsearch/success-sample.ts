/** Longest success that is kept; longer ones are followed like any item. */
const SAMPLE_MAX_BYTES = 256;
/** Successes that are compared at once. */
export const RUN_ITEMS = 32;

const COMMA = 0x2c;

/**
 * What a success looks like in this answer. Almost all items of almost all answers have the same bytes, and a native
 * comparison with 32 of them in a row costs no more than following a third of one.
 */
export class SuccessSample {
  readonly #run: Buffer = Buffer.alloc(RUN_ITEMS * (SAMPLE_MAX_BYTES + 1));
  /** Bytes of one item; 0 while there is none. */
  itemBytes = 0;

  clear(): void {
    this.itemBytes = 0;
  }

  /** Bytes of a run, with a comma behind each item. */
  get runBytes(): number {
    return RUN_ITEMS * (this.itemBytes + 1);
  }

  /** Keeps the item chunk[from, to). */
  keep(chunk: Buffer, from: number, to: number): void {
    const length = to - from;
    if (length > SAMPLE_MAX_BYTES) return;
    this.itemBytes = length;
    for (let i = 0; i < RUN_ITEMS; i++) {
      const at = i * (length + 1);
      chunk.copy(this.#run, at, from, to);
      this.#run[at + length] = COMMA;
    }
  }

  hasRun(chunk: Buffer, at: number): boolean {
    const end = at + this.runBytes;
    return this.itemBytes > 0 && end <= chunk.length && this.#run.compare(chunk, at, end, 0, end - at) === 0;
  }

  hasOne(chunk: Buffer, at: number): boolean {
    const length = this.itemBytes;
    if (length === 0 || at + length > chunk.length) return false;
    const run = this.#run;
    for (let k = 0; k < length; k++) if (chunk[at + k] !== run[k]) return false;
    return true;
  }
}
