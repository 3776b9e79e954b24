import { Batch } from "../core/batch.ts";

/** The batch buffers of one sink: in_flight + 1, taken once. No free batch means: stop reading. */
export class BatchPool {
  readonly #free: Batch[] = [];

  constructor(size: number, bufferBytes: number) {
    // allocUnsafeSlow: memory of its own, so that nothing else keeps it or is kept by it.
    for (let slot = 0; slot < size; slot++) this.#free.push(new Batch(slot, Buffer.allocUnsafeSlow(bufferBytes)));
  }

  take(): Batch | undefined {
    return this.#free.pop();
  }

  give(batch: Batch): void {
    batch.reset();
    this.#free.push(batch);
  }
}
