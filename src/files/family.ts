import type { FileRecord } from "../core/state.ts";
import type { Dormant } from "./dormant.ts";
import type { Look } from "./open.ts";
import type { Source } from "./source.ts";

/** A name in a directory that belongs to a family. */
export interface Entry {
  readonly look: Look;
  /** What follows the base name; "" for the base itself. */
  readonly suffix: string;
  /** A pattern of the user's matches this very path. */
  readonly matched: boolean;
}

/** Most families have nothing in one of their lists. */
const NONE: readonly never[] = [];

/** One watched path and the rotated siblings beside it. There is one per file, so it is small: arrays, since families are. */
export class Family {
  /** The path without any rotation suffix. */
  readonly base: string;
  input: number;
  /** Files that are open, or whose last bytes are still in flight. */
  members: readonly Source[] = NONE;
  dormant: readonly Dormant[] = NONE;
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
    const rest = this.members.filter((member) => member !== source);
    this.members = rest.length === 0 ? NONE : rest;
  }

  putAside(dormant: Dormant): void {
    this.wake(dormant.id);
    this.dormant = this.dormant.concat(dormant);
  }

  wake(id: string): void {
    const rest = this.dormant.filter((dormant) => dormant.id !== id);
    this.dormant = rest.length === 0 ? NONE : rest;
  }

  forgetDormant(): void {
    this.dormant = NONE;
  }

  /** The file as it was put aside, if it still looks as it did then. */
  asleep(look: Look): Dormant | undefined {
    const dormant = this.dormant.find((each) => each.is(look));
    return dormant?.looksLike(look) === true ? dormant : undefined;
  }

  /** A file that was put aside because it holds nothing but the beginning of this content. */
  copyOf(record: FileRecord): Dormant | undefined {
    return this.dormant.find((dormant) => dormant.copyOf === record);
  }

  /** Whether a file of it that is open or was put aside has no entry. */
  hasMissing(entries: readonly Entry[] = []): boolean {
    return (
      !this.members.every(({ id }) => entries.some(({ look }) => look.id === id)) ||
      !this.dormant.every((dormant) => entries.some(({ look }) => dormant.is(look)))
    );
  }

  get isEmpty(): boolean {
    return this.members.length === 0 && this.dormant.length === 0;
  }
}
