import type { FileRecord } from "../core/state.ts";
import type { Look } from "./open.ts";
import type { Source } from "./source.ts";

/** A file that is known and not open: fully committed, or left out. It is opened when it no longer looks like this. */
export interface Dormant {
  readonly record: FileRecord | undefined;
  readonly look: Look;
}

/** A name in a directory that belongs to a family. */
export interface Entry {
  readonly look: Look;
  /** What follows the base name; "" for the base itself. */
  readonly suffix: string;
  /** A pattern of the user's matches this very path. */
  readonly matched: boolean;
}

/** One watched path and the rotated siblings beside it. There is one per file, so it is small: arrays, since families are. */
export class Family {
  /** The path without any rotation suffix. */
  readonly base: string;
  input: number;
  /** Files that are open, or whose last bytes are still in flight. */
  members: readonly Source[] = [];
  dormant: readonly Dormant[] = [];
  /** The newest file that was opened. */
  newest: Source | undefined = undefined;
  /** `clock.monotonicMs()` when one of its files last grew, appeared or went. */
  activeAtMs: number;

  constructor(base: string, input: number, activeAtMs: number) {
    this.base = base;
    this.input = input;
    this.activeAtMs = activeAtMs;
  }

  add(source: Source): void {
    // `concat` makes an array of exactly this size, which a spread does not; there may be many thousand of these.
    this.members = this.members.concat(source);
  }

  remove(source: Source): void {
    this.members = this.members.filter((member) => member !== source);
  }

  putAside(dormant: Dormant): void {
    this.wake(dormant.look.id);
    this.dormant = this.dormant.concat(dormant);
  }

  wake(id: string): void {
    this.dormant = this.dormant.filter(({ look }) => look.id !== id);
  }

  /** Whether a file was put aside and looks as it did then. */
  isAsleep(look: Look): boolean {
    const before = this.dormant.find((dormant) => dormant.look.id === look.id)?.look;
    if (before === undefined) return false;
    return before.size === look.size && before.mtimeNs === look.mtimeNs && before.birthtimeMs === look.birthtimeMs;
  }

  /** Whether a file of it that is open or was put aside has no entry. */
  hasMissing(entries: readonly Entry[] = []): boolean {
    const isThere = (id: string): boolean => entries.some(({ look }) => look.id === id);
    return !this.members.every(({ id }) => isThere(id)) || !this.dormant.every(({ look }) => isThere(look.id));
  }

  get isEmpty(): boolean {
    return this.members.length === 0 && this.dormant.length === 0;
  }
}
