import { existsSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";

const NAMES = ["journal", "journal.old"];
/** Ten seconds of samples; the oldest are overwritten. */
const SAMPLES = 200;
/** A sample is a time in milliseconds since 1970 and the size of each file, 0 for one that was not there. */
const SAMPLE_LENGTH = 1 + NAMES.length;

/**
 * Watches the sizes of the journal, to cut off what was written last, as a power cut does. A thread of its own watches: the
 * test that writes a million lines keeps its own busy for seconds.
 */
export class JournalCut {
  readonly #paths: readonly string[];
  readonly #samples = new Float64Array(new SharedArrayBuffer(SAMPLES * SAMPLE_LENGTH * 8));
  readonly #sampler: Worker;

  constructor(stateDir: string) {
    this.#paths = NAMES.map((name) => join(stateDir, name));
    const workerData = { paths: this.#paths, samples: this.#samples };
    this.#sampler = new Worker(new URL("journal-sampler.ts", import.meta.url), { workerData });
    this.#sampler.unref();
  }

  /** Cuts every journal back to what it was `agoMs` ago; returns the bytes cut off. To be called when the agent is dead. */
  async cut(agoMs: number): Promise<number> {
    await this.#sampler.terminate();
    const grown = this.#grownSince(agoMs);
    for (const { path, before } of grown) truncateSync(path, before);
    return grown.reduce((sum, { size, before }) => sum + size - before, 0);
  }

  /** Whether a cut would find something. */
  hasGrownSince(agoMs: number): boolean {
    return this.#grownSince(agoMs).length > 0;
  }

  #grownSince(agoMs: number): { path: string; size: number; before: number }[] {
    const then = this.#sampleBefore(Date.now() - agoMs);
    return this.#paths
      .map((path, i) => ({ path, size: existsSync(path) ? statSync(path).size : 0, before: then[i] }))
      .filter(({ size, before }) => before > 0 && before < size);
  }

  /** The sizes in the last sample up to a moment; zeros when there is none. */
  #sampleBefore(atMs: number): number[] {
    let [latestMs, latest] = [0, 0];
    for (let at = 0; at < this.#samples.length; at += SAMPLE_LENGTH)
      if (this.#samples[at] <= atMs && this.#samples[at] > latestMs) [latestMs, latest] = [this.#samples[at], at];
    return latestMs === 0 ? NAMES.map(() => 0) : [...this.#samples.subarray(latest + 1, latest + SAMPLE_LENGTH)];
  }
}
