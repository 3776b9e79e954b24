import { basename, dirname } from "node:path";
import type { StateStore } from "../core/state.ts";
import { join } from "./folder.ts";
import type { Patterns } from "./patterns.ts";
import { parseSibling } from "./siblings.ts";

/**
 * Which families the state knows, and since when: a rotated sibling that was written to after the oldest known file was
 * first seen is newer than what was shipped, and must be read.
 */
export class KnownFamilies {
  readonly #patterns: Patterns;
  readonly #state: StateStore;
  #oldestMs = new Map<string, number>();

  constructor(patterns: Patterns, state: StateStore) {
    this.#patterns = patterns;
    this.#state = state;
    this.refresh();
  }

  /** Takes over what the state knows now. */
  refresh(): void {
    this.#oldestMs = new Map();
    for (const { path, seenMtimeMs } of this.#state.files.values()) this.note(this.#baseOf(path), seenMtimeMs);
  }

  /** A file of this family was first seen with that modification time. */
  note(base: string, seenMtimeMs: number): void {
    this.#oldestMs.set(base, Math.min(this.#oldestMs.get(base) ?? Infinity, seenMtimeMs));
  }

  /** Undefined for a family without state. */
  oldestMs(base: string): number | undefined {
    return this.#oldestMs.get(base);
  }

  /** The path without a rotation suffix. */
  #baseOf(path: string): string {
    const directory = dirname(path);
    const isWatched = (base: string): boolean => this.#patterns.ownerOf(join(directory, base)) >= 0;
    const sibling = parseSibling(basename(path), isWatched);
    return sibling === undefined ? path : join(directory, sibling.base);
  }
}
