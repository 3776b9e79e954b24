import type { Placement } from "./record.ts";

/** What is known about files across restarts. `state/` keeps it on disk; the other stages read and change it through `StateStore`. */

/** A boundary that bytes alone do not decide; a re-read obeys it (design idea 5). */
export interface Boundary {
  readonly from: number;
  /** Offset behind the event, line end included if there was one. */
  readonly to: number;
  /** Bytes of the event that were kept when it was cut by `max_line_bytes`; undefined when it was not. */
  readonly kept?: number;
  /** The event had no line end yet: what follows it is "continued". */
  readonly unterminated?: boolean;
}

/** How far one sink has come in one file. Offsets and counts are bytes of the file. */
export interface CursorRecord {
  readonly sink: string;
  /** Bytes before are not seen by this sink. */
  readonly start: number;
  /** Behind the longest prefix whose every byte is delivered, filtered, dead-lettered, cut or lost. */
  committed: number;
  /** Up to TAIL_BYTES bytes before `committed`. */
  tail: Buffer;
  /** `@timestamp` of the last record before `committed`, as sent; "" when there was none. The next record without a time takes it. */
  lastTime: string;
  /** Bytes below may have been sent before: a conflict there is a delivery. */
  sent: number;
  /** Up to TAIL_BYTES bytes before `sent`; none once all of that is committed, nor where an older pannier wrote the state. */
  sentTail: Buffer;
  /** The five final terms of contract §5; their sum is `committed - start`. */
  delivered: number;
  filtered: number;
  deadLettered: number;
  cut: number;
  lost: number;
  /** Ascending by `from`; kept until `committed` is above `to`. */
  boundaries: Boundary[];
  /** Salt of the `_id` by `from`; kept until `committed` is above `from`. */
  salts: Map<number, number>;
  /** Ascending by `from`; kept until `committed` is above that of the next one of its kind. */
  placements: Placement[];
}

/** The five final terms, as increments. */
export interface Terms {
  delivered: number;
  filtered: number;
  deadLettered: number;
  cut: number;
  lost: number;
}

/** Nothing yet. */
export function noTerms(): Terms {
  return { delivered: 0, filtered: 0, deadLettered: 0, cut: 0, lost: 0 };
}

/** The cursors of a file, by sink. Only the store changes it. */
export interface Cursors {
  readonly size: number;
  get(sink: string): CursorRecord | undefined;
  has(sink: string): boolean;
  values(): IterableIterator<CursorRecord>;
}

/** One content of one file: a truncated or replaced file is a new record with a higher generation. */
export interface FileRecord {
  /** Number of the record in the state directory; never used twice. */
  readonly uid: number;
  readonly device: string;
  readonly inode: string;
  readonly birthtimeMs: number;
  /** Path under which it was first seen: `log.file.path`, kept through renames. */
  readonly path: string;
  /** Modification time at first sight, the time of records before the first with a time. */
  readonly seenMtimeMs: number;
  readonly generation: number;
  /** Path under which it was last seen; follows renames. */
  lastPath: string;
  /** Hex of the head's SHA-256 and the number of bytes under it; "" and 0 until the head is known. */
  headHash: string;
  headBytes: number;
  /** 32 hex digits; "" until it is first used. Never computed again after that. */
  key: string;
  /** The latest copy of it. The content lives on there once its own file holds another one. */
  copy: CopyPlace | undefined;
  /** Its size as far as the journal knows, in bytes: what is gone before it was committed is lost up to here. */
  seenBytes: number;
  /** When the file was last found to be gone, milliseconds since 1970; 0 while it exists. */
  goneAtMs: number;
  readonly cursors: Cursors;
}

/** Another file that holds the beginning of a content: what copytruncate makes. */
export interface CopyPlace {
  readonly device: string;
  readonly inode: string;
  readonly birthtimeMs: number;
  /** How many bytes it had when it was found to be one; Infinity where an older pannier wrote the state. */
  readonly size: number;
}

/** Size of a file as far as the journal knows: what was sent of it was seen, too. */
export function seenSize({ seenBytes, cursors }: FileRecord): number {
  let size = seenBytes;
  for (const { sent } of cursors.values()) size = Math.max(size, sent);
  return size;
}

/** Bytes of a file that is gone which a sink has not committed. */
export interface Missing {
  /** Nobody sent them. */
  readonly lost: number;
  /** They may have been sent, and the journal has no answer: the process ended before it came, or was killed before it was written. */
  readonly perhapsLost: number;
}

/** What a sink has not committed of a file that is gone. */
export function missingOf(file: FileRecord, { committed, sent }: CursorRecord): Missing {
  const perhapsLost = Math.max(0, sent - committed);
  return { lost: Math.max(0, seenSize(file) - committed - perhapsLost), perhapsLost };
}

/** What this start found in the state directory. */
export type Found = "nothing" | "stopped" | "crashed" | "damaged";

export interface Commit {
  readonly file: FileRecord;
  readonly cursor: CursorRecord;
  readonly committed: number;
  readonly tail: Buffer;
  readonly lastTime: string;
  readonly terms: Terms;
  /** Size of the file, if it was seen to be larger than `committed`. */
  readonly seenBytes?: number;
}

/** What is before `to` is about to be sent. */
export interface SentMark {
  readonly file: FileRecord;
  readonly cursor: CursorRecord;
  readonly to: number;
  readonly tail: Buffer;
}

/**
 * Every change is written to the journal before the call returns (it survives `kill -9`), and fsynced in groups. Calls
 * documented as durable are fsynced before they return. All throw PannierError `state_write_failed` when the journal cannot
 * be written; nothing has changed then and the call may be repeated.
 */
export interface StateStore {
  readonly found: Found;
  /** Names this machine or Pod in file keys: POD_UID, the machine id, or a UUID of its own. */
  readonly scope: string;
  readonly files: ReadonlyMap<number, FileRecord>;

  /** A file (or new content of one) is seen. Durable when `generation` > 0. */
  addFile(facts: {
    device: string;
    inode: string;
    birthtimeMs: number;
    path: string;
    seenMtimeMs: number;
    generation: number;
  }): FileRecord;
  /** Sets head and key, once. */
  nameFile(file: FileRecord, headHash: string, headBytes: number, key: string): void;
  moveFile(file: FileRecord, path: string): void;
  /** Another file holds the beginning of this one's content. */
  addCopy(file: FileRecord, copy: CopyPlace): void;
  /** The file was seen to be so large; a smaller size than the known one is not written. */
  noteSize(file: FileRecord, seenBytes: number): void;
  /** Marks a file as gone, or (0) as back. */
  markGone(file: FileRecord, goneAtMs: number): void;
  /** The cursor of a sink in a file, made with `start` when there is none. */
  openCursor(file: FileRecord, sink: string, start: number): CursorRecord;
  /** Raises sent-marks; entries that do not rise are not written. */
  markSent(marks: readonly SentMark[]): void;
  addBoundary(file: FileRecord, cursor: CursorRecord, boundary: Boundary): void;
  /** Durable. */
  addSalt(file: FileRecord, cursor: CursorRecord, from: number, salt: number): void;
  addPlacement(file: FileRecord, cursor: CursorRecord, placement: Placement): void;
  commit(commits: readonly Commit[]): void;
  /** Writes the stop record, fsyncs and releases the lock. */
  stop(): Promise<void>;
}
