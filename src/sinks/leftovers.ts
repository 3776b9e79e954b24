import type { Batch } from "../core/batch.ts";
import { BATCH_MAX_RECORDS, BATCH_MAX_SEGMENTS } from "../core/limits.ts";
import type { PoisonWatch } from "./breakers.ts";
import type { Load } from "./load.ts";

/** What is left of a batch whose other records are settled: it waits to be sent once more. */
export interface Leftover {
  readonly batch: Batch;
  /** In the memory of the batch. */
  readonly load: Load;
  readonly poison: PoisonWatch;
  readonly convicted: Set<number>;
}

/**
 * Where deliveries wait that have tried some records again and again. A few records that nobody takes would hold a batch's
 * memory for minutes, or for ever, and as many of them as there are batches would stop the sink. So what comes to wait here
 * is added to what waits already, as far as its memory goes, and its own batch is free.
 */
export class Leftovers {
  readonly #waiting: Set<Leftover> = new Set();

  /** Waits for its next try; resolves with true at once when another leftover took the records over. */
  async join(own: Leftover, wait: () => Promise<void>): Promise<boolean> {
    for (const other of this.#waiting) if (merge(own, other)) return true;
    this.#waiting.add(own);
    try {
      await wait();
    } finally {
      this.#waiting.delete(own);
    }
    return false;
  }
}

/** Moves every record of one leftover into another, if there is room for all. */
function merge(from: Leftover, into: Leftover): boolean {
  const { load, batch } = into;
  const end = load.endBytes;
  const bytes = from.load.endBytes;
  if (batch.count + from.load.count > BATCH_MAX_RECORDS || end + bytes > load.buffer.length) return false;
  if (batch.segments.length + segmentsOf(from).size > BATCH_MAX_SEGMENTS) return false;
  from.load.buffer.copy(load.buffer, end, 0, bytes);
  for (let i = 0; i < from.load.count; i++) {
    const record = from.load.records[i];
    const start = end + from.load.starts[i];
    const adopted = batch.adopt(from.batch, record, start, end + from.load.ends[i]);
    load.add(adopted, start, batch.ends[adopted]);
    into.poison.adopt(from.poison, record, adopted);
    if (from.convicted.has(record)) into.convicted.add(adopted);
  }
  return true;
}

function segmentsOf({ batch, load }: Leftover): ReadonlySet<number> {
  const segments = new Set<number>();
  for (let i = 0; i < load.count; i++) segments.add(batch.segmentOf[load.records[i]]);
  return segments;
}
