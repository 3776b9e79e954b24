import { Constant } from "../copy.ts";
import type { Level } from "../dialects/dialect.ts";
import { sampleHash } from "../formats/keys.ts";
import { Names } from "../names.ts";

/** Longest name of a level, as loggers write it. */
const LEVEL_MAX_BYTES = 16;

/** Longest value that is remembered, and for how many values. */
const REMEMBERED_MAX_BYTES = 8;
const REMEMBERED = 32;

/** The names of levels in one dialect. */
export class Levels {
  readonly #names: Names;
  /** What is written for a name: index its id. */
  readonly #members: (Constant | undefined)[] = [undefined];
  readonly #lower = Buffer.alloc(LEVEL_MAX_BYTES);
  /** The same few values come again and again: their bytes as two numbers, and what they stood for. */
  readonly #lows = new Int32Array(REMEMBERED);
  readonly #highs = new Int32Array(REMEMBERED);
  readonly #remembered: (Constant | undefined)[] = Array.from({ length: REMEMBERED });

  constructor(levels: Readonly<Record<string, Level>>) {
    this.#names = new Names(Object.keys(levels));
    for (const [name, level] of Object.entries(levels)) {
      this.#members[this.#names.idOf(name)] = new Constant(`,"log.level":${JSON.stringify(level)}`);
    }
  }

  /** `,"log.level":…` for the value bytes[start, end), without regard to case and padding; undefined when it is no level. */
  find(bytes: Buffer, start: number, end: number): Constant | undefined {
    if (end - start > REMEMBERED_MAX_BYTES) return this.#look(bytes, start, end);
    let low = 0;
    let high = 0;
    for (let p = start; p < end; p++) {
      high = (high << 8) | (low >>> 24);
      low = (low << 8) | bytes[p];
    }
    const slot = (low ^ (low >>> 5) ^ high) & (REMEMBERED - 1);
    if (this.#lows[slot] !== low || this.#highs[slot] !== high || this.#remembered[slot] === undefined) {
      this.#lows[slot] = low;
      this.#highs[slot] = high;
      this.#remembered[slot] = this.#look(bytes, start, end);
    }
    return this.#remembered[slot];
  }

  #look(bytes: Buffer, start: number, end: number): Constant | undefined {
    while (start < end && bytes[start] === 0x20) start++;
    while (start < end && bytes[end - 1] === 0x20) end--;
    const length = end - start;
    if (length > LEVEL_MAX_BYTES) return undefined;
    const lower = this.#lower;
    for (let i = 0; i < length; i++) {
      const c = bytes[start + i];
      lower[i] = c >= 0x41 && c <= 0x5a ? c | 0x20 : c;
    }
    return this.#members[this.#names.find(lower, 0, length, sampleHash(lower, 0, length))];
  }
}
