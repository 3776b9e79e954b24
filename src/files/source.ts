import type { SourceFile, SourceStatus } from "../core/source.ts";
import type { FileRecord } from "../core/state.ts";
import type { Family } from "./family.ts";
import type { Look } from "./open.ts";

export interface SourceFacts {
  readonly ordinal: number;
  readonly look: Look;
  readonly record: FileRecord;
  readonly family: Family;
  readonly presentAtStart: boolean;
  readonly startOffset: number;
  readonly status: SourceStatus;
  readonly fd: number;
  /** `clock.monotonicMs()`. */
  readonly nowMs: number;
}

/** What `files/` itself knows of a followed file, beyond what it shows to the other stages. */
export class Source implements SourceFile {
  readonly ordinal: number;
  readonly record: FileRecord;
  input: number;
  readonly presentAtStart: boolean;
  startOffset: number;
  status: SourceStatus;
  path: string;
  fd: number;
  size: number;
  readTo = 0;
  mtimeMs: number;
  quietSinceMs: number;
  /** `Look.id` of the file that its descriptor leads to. */
  id: string;
  family: Family;
  /** It was moved from there: copies that were made before are there still. */
  formerFamily: Family | undefined = undefined;
  /** Its descriptor leads to a copy, which may be shorter than what was read. */
  isAtCopy = false;
  /** It was seen under another base name before, so it was renamed away on purpose. */
  renamed = false;
  /** The next content of the file that was its own. */
  successor: Source | undefined = undefined;
  /** Tells the other stages of it; undefined once they know. */
  untold: (() => void) | undefined = undefined;
  /** `clock.monotonicMs()` since when a parked file is at none of its names. */
  missingSinceMs: number | undefined = undefined;
  /** `clock.monotonicMs()` when its content was found to be gone from its file; Infinity when it is not, or settled. */
  orphanedAtMs = Infinity;
  /** No descriptor and nothing in flight. */
  closed = false;
  /** `clock.monotonicMs()` when it is looked at next. */
  dueAtMs = 0;
  #predecessor: Source | undefined = undefined;

  constructor(facts: SourceFacts) {
    const { look, family } = facts;
    this.ordinal = facts.ordinal;
    this.id = look.id;
    this.record = facts.record;
    this.family = family;
    this.input = family.input;
    this.presentAtStart = facts.presentAtStart;
    this.startOffset = facts.startOffset;
    this.status = facts.status;
    this.path = look.path;
    this.fd = facts.fd;
    this.size = look.size;
    this.mtimeMs = look.mtimeMs;
    this.quietSinceMs = facts.nowMs;
  }

  /** Some sink still wants it, but its descriptor was needed for others: it is opened again when it is its turn. */
  get isParked(): boolean {
    return this.fd < 0 && this.status !== "replaced" && !this.closed;
  }

  /** It belongs to that input from now on. A sink that has nothing of it yet begins as that input says. */
  assign(input: number, startAt: "beginning" | "end"): void {
    this.input = input;
    if (this.untold === undefined) this.startOffset = this.status === "replaced" || startAt === "end" ? this.size : 0;
  }

  /** The older file of the same name, until that one is closed. */
  get predecessor(): Source | undefined {
    if (this.#predecessor?.closed === true) this.#predecessor = undefined;
    return this.#predecessor;
  }

  /** It, or what its file holds now if that is something else. */
  get latest(): Source {
    return this.status === "replaced" && this.successor !== undefined ? this.successor.latest : this;
  }

  /** What followed in its own file is not older, whatever the names say by now. */
  precededBy(older: Source | undefined): void {
    for (let next = this.successor; next !== undefined; next = next.successor) if (next === older) return;
    this.#predecessor = older;
  }
}

/** How an entry is to be opened. */
export interface OpenHow {
  readonly status: SourceStatus;
  /** Only if the state knows it. */
  readonly onlyKnown: boolean;
  /** It came after a file of its family that the state knows. */
  readonly isNewerThanState: boolean;
}

/** How an open file that was identified is begun. */
export interface BeginHow {
  readonly status: SourceStatus;
  readonly record: FileRecord;
  /** The state had the record. */
  readonly isKnown: boolean;
  readonly isNewerThanState: boolean;
}
