import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { mixedLines, TIMED_FIRST, type MixedLine } from "./mixed-lines.ts";
import { seededRandom, type Random } from "./random.ts";

const LINES_PER_WRITE = 4096;

/**
 * Spreads mixed lines over some files, portion by portion, and remembers where each sequence number went. The first lines go
 * round robin, so that each file begins with one that has a time.
 */
export class MixedFiles {
  readonly paths: readonly string[];
  /** By sequence number: the index in `paths`, the offset, the length without the line end, and whether the line has a time. */
  readonly fileOf: Uint8Array;
  readonly offsets: Float64Array;
  readonly lengths: Uint32Array;
  readonly timed: Uint8Array;
  /** Sequence numbers that were written: 0 … written - 1. */
  written = 0;
  readonly #lines: Generator<MixedLine>;
  readonly #random: Random;
  readonly #sizes: number[];

  constructor(directory: string, count: number, seed: number, startMs: number, files = 3) {
    this.paths = Array.from({ length: files }, (_, i) => join(directory, `app-${i}.log`));
    this.fileOf = new Uint8Array(count);
    this.offsets = new Float64Array(count);
    this.lengths = new Uint32Array(count);
    this.timed = new Uint8Array(count);
    this.#lines = mixedLines(count, seed, startMs);
    this.#random = seededRandom(seed + 1);
    this.#sizes = this.paths.map(() => 0);
  }

  get bytes(): number {
    return this.#sizes.reduce((sum, size) => sum + size, 0);
  }

  /** Appends lines until `count` more of them had a sequence number, or none are left. */
  write(count: number): void {
    const pending: Buffer[][] = this.paths.map(() => []);
    const until = this.written + count;
    while (this.written < until) {
      const next = this.#lines.next();
      if (next.done === true) break;
      const line = next.value;
      const file =
        this.written < TIMED_FIRST ? this.written % this.paths.length : this.#random.below(this.paths.length);
      const bytes = Buffer.from(line.text + line.end);
      if (line.seq !== undefined) this.#remember(line.seq, file, bytes.length - line.end.length, line.timed);
      this.#sizes[file] += bytes.length;
      pending[file].push(bytes);
      if (pending[file].length === LINES_PER_WRITE)
        appendFileSync(this.paths[file], Buffer.concat(pending[file].splice(0)));
    }
    for (const [file, path] of this.paths.entries()) appendFileSync(path, Buffer.concat(pending[file]));
  }

  #remember(sequence: number, file: number, length: number, timed: boolean): void {
    this.fileOf[sequence] = file;
    this.offsets[sequence] = this.#sizes[file];
    this.lengths[sequence] = length;
    this.timed[sequence] = timed ? 1 : 0;
    this.written = sequence + 1;
  }
}
