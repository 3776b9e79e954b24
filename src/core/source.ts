import type { FileRecord } from "./state.ts";

/**
 * `live`: found under a watched path. `rotated`: renamed away, its path now belongs to another file or none. `unlinked`: no
 * name is left. `replaced`: its content was truncated or overwritten; what was not read is lost.
 */
export type SourceStatus = "live" | "rotated" | "unlinked" | "replaced";

/** Up to where a sink has come in a file, in bytes, and the last bytes before that as far as they are remembered. */
export interface Place {
  readonly offset: number;
  readonly tail: Buffer;
}

/** One file that is being followed, shared by all sinks. Owned and changed by `files/` alone. */
export interface SourceFile {
  /** Dense number in this process. */
  readonly ordinal: number;
  readonly record: FileRecord;
  /** Index of the input that it belongs to. */
  readonly input: number;
  /** It was there when this process started: its bytes may have been sent by a run that left no state. */
  readonly presentAtStart: boolean;
  /** Where to begin for a sink that has no cursor yet. */
  readonly startOffset: number;
  /** An older file of the same name: read first. */
  readonly predecessor: SourceFile | undefined;
  status: SourceStatus;
  path: string;
  /** Open descriptor, or -1. */
  fd: number;
  /** As last seen, in bytes. It shrinks only when the descriptor was moved to a copy; a shrunken file is `replaced`. */
  size: number;
  /** How far it was read: beyond `size` where it has grown since it was looked at. */
  readTo: number;
  mtimeMs: number;
  /** `clock.monotonicMs()` when it last grew or changed status. */
  quietSinceMs: number;
}
