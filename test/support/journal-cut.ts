import { existsSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";

const SAMPLE_INTERVAL_MS = 50;
const NAMES = ["journal", "journal.old"];

/** Watches the sizes of the journal, to cut off what was written last, as a power cut does. */
export class JournalCut {
  readonly #stateDir: string;
  readonly #samples: { readonly atMs: number; readonly sizes: readonly number[] }[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(stateDir: string) {
    this.#stateDir = stateDir;
    this.#timer = setInterval(() => this.#sample(), SAMPLE_INTERVAL_MS);
  }

  #sample(): void {
    this.#samples.push({ atMs: performance.now(), sizes: NAMES.map((name) => this.#size(name)) });
  }

  #size(name: string): number {
    const path = join(this.#stateDir, name);
    return existsSync(path) ? statSync(path).size : 0;
  }

  /** Cuts every journal back to what it was `agoMs` ago; returns the bytes cut off. To be called when the agent is dead. */
  cut(agoMs: number): number {
    clearInterval(this.#timer);
    const now = performance.now();
    const then = this.#samples.findLast((sample) => sample.atMs <= now - agoMs);
    let cutBytes = 0;
    for (const [i, name] of NAMES.entries()) {
      const [size, before] = [this.#size(name), then?.sizes[i] ?? 0];
      if (before === 0 || before >= size) continue;
      truncateSync(join(this.#stateDir, name), before);
      cutBytes += size - before;
    }
    return cutBytes;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
