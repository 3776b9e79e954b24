import type { Log } from "../core/log.ts";

/** A level of the log. */
export type Level = keyof Log;

/** What was said, as far as its repetitions need it. */
export interface Said {
  readonly level: Level;
  readonly code: string;
  readonly message: string;
  readonly file: unknown;
  readonly sink: unknown;
}

interface Entry {
  said: Said;
  sinceMs: number;
  repeated: number;
}

/**
 * Remembers what was said lately. A message is the same as another when level, code and subject (file, sink) are; without a
 * subject the text must be the same too, since nothing else tells the two apart.
 */
export class Folding {
  readonly #windowMs: number;
  readonly #maxKeys: number;
  /** In the order of `sinceMs`. */
  readonly #entries = new Map<string, Entry>();

  constructor(windowMs: number, maxKeys: number) {
    this.#windowMs = windowMs;
    this.#maxKeys = maxKeys;
  }

  /**
   * Whether this is to be written now: undefined when it is folded, else the number of those that were folded before it.
   * `evicted` gets what had to be forgotten for it, if that had repetitions.
   */
  admit(said: Said, nowMs: number, evicted: (said: Said, repeated: number) => void): number | undefined {
    const key = keyOf(said);
    const entry = this.#entries.get(key);
    if (entry !== undefined && nowMs - entry.sinceMs < this.#windowMs) {
      entry.repeated++;
      entry.said = said;
      return undefined;
    }
    this.#entries.delete(key);
    if (this.#entries.size >= this.#maxKeys) this.#evictOldest(evicted);
    this.#entries.set(key, { said, sinceMs: nowMs, repeated: 0 });
    return entry?.repeated ?? 0;
  }

  /** When the first folded message is due, or undefined when nothing is folded. */
  dueMs(): number | undefined {
    for (const entry of this.#entries.values()) {
      if (entry.repeated > 0) return entry.sinceMs + this.#windowMs;
    }
    return undefined;
  }

  /** Hands out what was folded and whose window is over; another begins. Entries without repetitions are forgotten. */
  release(nowMs: number, each: (said: Said, repeated: number) => void): void {
    const due = [...this.#entries].filter(([, entry]) => nowMs - entry.sinceMs >= this.#windowMs);
    for (const [key, { said, repeated }] of due) {
      this.#entries.delete(key);
      if (repeated === 0) continue;
      each(said, repeated);
      this.#entries.set(key, { said, sinceMs: nowMs, repeated: 0 });
    }
  }

  /** Hands out all that is folded, whatever its time. */
  flush(each: (said: Said, repeated: number) => void): void {
    for (const entry of this.#entries.values()) {
      if (entry.repeated > 0) each(entry.said, entry.repeated);
      entry.repeated = 0;
    }
  }

  #evictOldest(evicted: (said: Said, repeated: number) => void): void {
    for (const [key, entry] of this.#entries) {
      this.#entries.delete(key);
      if (entry.repeated > 0) evicted(entry.said, entry.repeated);
      return;
    }
  }
}

function keyOf(said: Said): string {
  const subject = said.file === undefined && said.sink === undefined ? [said.message] : [said.file, said.sink, ""];
  return JSON.stringify([said.level, said.code, ...subject]);
}
