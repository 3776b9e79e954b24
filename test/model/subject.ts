import type { Receiver } from "./index.ts";

/** Where stories are played, and with what. */
export interface Stage {
  /** Directories to play in, on file systems that differ; the seed of a story chooses. */
  readonly places: readonly string[];
  /** Makes pannier and its receiver for a story below `root`. */
  set(root: string): Promise<{ readonly receiver: Receiver; readonly subject: Subject }>;
}

/** What a case needs of pannier, be it the real process or its core inside this one. */
export interface Subject {
  /** Resolves when it follows. Until then, while it looks at the files for the first time, others take a step now and then. */
  start(step: () => void): Promise<void>;
  /** `kill -9`. */
  kill(): Promise<void>;
  /** It is killed in the middle of what it does: after so many of its steps, also of those of its next start. */
  crashSoon(steps: number, onCrash: () => void): void;
  readonly isAlive: boolean;
  /** SIGHUP, with another configuration: 0 or 1. */
  reload(variant: number): void;
  /** SIGTERM; true when all was committed before the deadline. */
  drain(): Promise<boolean>;
  /** Its clock, which may be faster than ours. */
  nowMs(): number;
  /** Time passes. */
  pass(ms: number): Promise<void>;
  /** What it says about the files that it has open. */
  look(): Promise<readonly Followed[]>;
  /** Numbers of the inodes that it has open. */
  openInodes(): ReadonlySet<number>;
  /** Final terms of all cursors, as the state directory has them; only while it does not run. */
  terms(): readonly CursorTerms[];
  /** Conflicts that were not expected, over all its lives. */
  unexpectedConflicts(): number;
  /** Bytes that it said to be lost, over all its lives. */
  saidLostBytes(): number;
  /** Ends it for good and says what it said last, for a failure. */
  end(): Promise<string>;
}

export interface Followed {
  readonly path: string;
  readonly size: number;
  readonly unread: number;
  readonly inFlight: number;
}

export interface CursorTerms {
  readonly path: string;
  readonly start: number;
  readonly committed: number;
  readonly delivered: number;
  readonly filtered: number;
  readonly deadLettered: number;
  readonly cut: number;
  readonly lost: number;
}
