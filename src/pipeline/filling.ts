import type { BatchPool } from "../batches/pool.ts";
import type { Batch } from "../core/batch.ts";
import type { Clock } from "../core/clock.ts";
import type { Cursor } from "./cursor.ts";

/** Age of a batch once the end of the Pod was announced. */
const HURRIED_AGE_MS = 100;

export interface FillingOptions {
  readonly pool: BatchPool;
  readonly clock: Clock;
  readonly maxAgeMs: number;
  /** The end of the Pod was announced: batches do not wait for more. */
  isHurried(): boolean;
  /** Takes a sealed batch; `cursors` are those of its segments, in their order. */
  ship(batch: Batch, cursors: readonly Cursor[]): void;
}

/** The batch that is being filled. It goes when it is full, or old enough. */
export class Filling {
  readonly #o: FillingOptions;
  #batch: Batch | undefined;
  /** The cursors of its segments, in their order. */
  #cursors: Cursor[] = [];
  #ageTimer: NodeJS.Timeout | undefined;

  constructor(options: FillingOptions) {
    this.#o = options;
  }

  get isEmpty(): boolean {
    return this.#batch === undefined;
  }

  /** The batch to write into; undefined when none is free. */
  open(): Batch | undefined {
    this.#batch ??= this.#o.pool.take();
    return this.#batch;
  }

  /**
   * A cursor has had its turn. Also one that failed may have opened a segment; the list of cursors has to follow that of
   * segments. A batch that holds something begins to age.
   */
  note(cursor: Cursor): void {
    const batch = this.#batch;
    if (batch === undefined) return;
    if (batch.segments.length > this.#cursors.length) this.#cursors.push(cursor);
    if (batch.segments.length === 0 || batch.openedAtMs !== 0) return;
    batch.openedAtMs = this.#o.clock.monotonicMs();
    this.#sealIn(this.#o.isHurried() ? Math.min(this.#o.maxAgeMs, HURRIED_AGE_MS) : this.#o.maxAgeMs);
  }

  /** The end of the Pod was announced: what is there goes soon. */
  hurry(): void {
    if (this.#batch !== undefined && this.#batch.openedAtMs !== 0)
      this.#sealIn(Math.min(this.#o.maxAgeMs, HURRIED_AGE_MS));
  }

  #sealIn(ms: number): void {
    clearTimeout(this.#ageTimer);
    this.#ageTimer = setTimeout(() => this.seal(), ms);
  }

  /** Sends what there is. */
  seal(): void {
    const batch = this.#batch;
    const cursors = this.#cursors;
    this.stop();
    this.#batch = undefined;
    this.#cursors = [];
    if (batch === undefined) return;
    if (batch.segments.length === 0) return this.#o.pool.give(batch);
    for (const cursor of cursors) {
      cursor.batch = undefined;
      cursor.segment = undefined;
    }
    this.#o.ship(batch, cursors);
  }

  stop(): void {
    clearTimeout(this.#ageTimer);
  }
}
