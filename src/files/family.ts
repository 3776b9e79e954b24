import type { FileRecord } from "../core/state.ts";
import type { Look } from "./open.ts";
import type { Source } from "./source.ts";

/** A file that is known and not open: fully committed, or left out. It is opened when it no longer looks like this. */
export interface Dormant {
  readonly record: FileRecord | undefined;
  look: Look;
}

/** One watched path and the rotated siblings beside it. */
export interface Family {
  /** The path without any rotation suffix. */
  readonly base: string;
  readonly input: number;
  /** Those that are open, or whose last bytes are still in flight. */
  readonly members: Set<Source>;
  /** By `device:inode`. */
  readonly dormant: Map<string, Dormant>;
  /** The newest file that was opened. */
  newest: Source | undefined;
  /** `clock.monotonicMs()` when one of its files last grew, appeared or went. */
  activeAtMs: number;
}

/** A name in a directory that belongs to a family. */
export interface Entry {
  readonly look: Look;
  /** What follows the base name; "" for the base itself. */
  readonly suffix: string;
  /** A pattern of the user's matches this very path. */
  readonly matched: boolean;
}

/** Whether a file was put aside and looks as it did then. */
export function isAsleep(family: Family, look: Look): boolean {
  const before = family.dormant.get(look.id)?.look;
  if (before === undefined) return false;
  return before.size === look.size && before.mtimeNs === look.mtimeNs && before.birthtimeMs === look.birthtimeMs;
}
