import type { Batch } from "../core/batch.ts";
import { TAIL_BYTES, TAIL_QUIET_DRAIN_MS, TAIL_QUIET_ROTATED_MS, TIME_LAST_SECOND } from "../core/limits.ts";
import { Lane, TIME_TEXT_BYTES, Tail } from "../core/record.ts";
import type { Segment } from "../core/segment.ts";
import type { Place, SourceFile } from "../core/source.ts";
import type { Boundary, CursorRecord } from "../core/state.ts";
import type { EventIdSeed } from "../batches/event-id.ts";

/**
 * Where one sink stands in one file. `record` is what the journal knows; the rest is made again from it at each start.
 *
 *   start … committed … read … scannedTo … size
 *            in flight ┘  └ begun line ┘
 */
export class Cursor {
  readonly file: SourceFile;
  readonly record: CursorRecord;
  /** The time of records before the first with one. */
  readonly fallbackTime: string;
  readonly lane: Lane;
  /** Offset of the first byte that is in no batch yet: the beginning of an event. */
  read: number;
  readonly readTail: Tail;
  /** There is no line end in [read, scannedTo): of a line that grows, only new bytes are looked at. */
  scannedTo: number;
  readonly scannedTail: Tail;
  /** A line end that was found behind `scannedTo`; the line is then read whole. 0 when none. */
  lineEnd = 0;
  /** Offset at which an unterminated event was ended: what follows is "continued". -1 when there is none. */
  continuesAt = -1;
  /** Bytes below may have been sent by an earlier process. */
  readonly maybeSentBelow: number;
  /** What the last line of the last turn was taken for; undefined before the first. */
  format: string | undefined = undefined;
  dialect: string | null = null;
  /** Set once the file's key is known. */
  seed: EventIdSeed | undefined = undefined;
  /** The segment that is being filled, and the batch that it is in. */
  segment: Segment | undefined = undefined;
  segmentIndex = 0;
  batch: Batch | undefined = undefined;
  /** Segments sent or being filled, in file order: the first undone one holds the commit back. */
  readonly uncommitted: Segment[] = [];
  /** `clock.monotonicMs()` since when nothing was committed of what waits; Infinity while nothing does. */
  behindSinceMs = Infinity;
  /** It stands in its pipeline's queue of cursors to read. */
  queued = false;

  constructor(file: SourceFile, record: CursorRecord) {
    this.file = file;
    this.record = record;
    // A modification time can be anything; what is sent must be a time for the server.
    const mtimeMs = Math.min(Math.max(file.record.seenMtimeMs, 0), TIME_LAST_SECOND * 1_000);
    this.fallbackTime = new Date(mtimeMs).toISOString();
    // One piece of memory: each on its own costs 300 bytes more, and there may be a thousand open files that do nothing.
    const memory = Buffer.allocUnsafeSlow(2 * TAIL_BYTES + TIME_TEXT_BYTES);
    this.readTail = new Tail(memory.subarray(0, TAIL_BYTES));
    this.scannedTail = new Tail(memory.subarray(TAIL_BYTES, 2 * TAIL_BYTES));
    this.lane = new Lane(memory.subarray(2 * TAIL_BYTES));
    this.read = record.committed;
    this.scannedTo = record.committed;
    this.readTail.set(record.tail, 0, record.tail.length);
    this.maybeSentBelow = record.sent;
    this.lane.setLastTime(record.lastTime);
    if (record.boundaries.some((b) => b.to === record.committed && b.unterminated === true))
      this.continuesAt = this.read;
  }

  /** The journaled boundary of the event that begins at `offset`, if there is one. */
  boundaryAt(offset: number): Boundary | undefined {
    return this.record.boundaries.length === 0 ? undefined : this.record.boundaries.find((b) => b.from === offset);
  }

  /** Offset of the first journaled boundary behind `read`, or Infinity. */
  nextBoundary(): number {
    for (const boundary of this.record.boundaries) if (boundary.from > this.read) return boundary.from;
    return Infinity;
  }

  /**
   * The unterminated tail has been quiet long enough to be delivered as it is: at the end of pannier's run, or when the file
   * was rotated away. Bytes that nobody has looked at may hold a line end; a file without a key is known to have none.
   */
  isTailDue(nowMs: number, finishing: boolean): boolean {
    const { file } = this;
    if (this.queued || this.unread === 0 || file.status === "replaced") return false;
    if (this.seed !== undefined && this.scannedTo < file.size) return false;
    const quietMs = finishing ? TAIL_QUIET_DRAIN_MS : file.status === "live" ? Infinity : TAIL_QUIET_ROTATED_MS;
    return nowMs - file.quietSinceMs >= quietMs;
  }

  /** Its file may have grown. */
  noteGrowth(): void {
    if (this.behindSinceMs === Infinity && !this.isCommitted) this.behindSinceMs = this.file.quietSinceMs;
  }

  /** The first bytes of the file, up to `size`, are committed, or all that is complete in it is. */
  isThrough(size: number): boolean {
    if (this.record.committed >= size || this.file.status === "replaced") return true;
    return !this.queued && this.uncommitted.length === 0 && this.scannedTo >= size;
  }

  /** The file's descriptor leads to a copy now. What was read stands there too, as far as it reaches; the rest is looked at again. */
  rescan(): void {
    this.scannedTo = this.read;
    this.lineEnd = 0;
  }

  /** What was read, is committed, or may have been sent. None while nothing of the file has left it. */
  *places(): Generator<Place> {
    const { start, committed, tail, sent, sentTail } = this.record;
    if (this.read > start) yield { offset: this.read, tail: this.readTail.copy() };
    if (committed > start && committed < this.read) yield { offset: committed, tail };
    if (sent > this.read) yield { offset: sent, tail: sentTail };
  }

  get unread(): number {
    return Math.max(0, this.file.size - this.read);
  }

  get isCommitted(): boolean {
    return this.record.committed >= this.file.size;
  }
}
