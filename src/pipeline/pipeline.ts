import type { BatchPool } from "../batches/pool.ts";
import { EventIdSeed } from "../batches/event-id.ts";
import type { Batch } from "../core/batch.ts";
import type { Clock } from "../core/clock.ts";
import { TAIL_QUIET_DRAIN_MS } from "../core/limits.ts";
import type { Log } from "../core/log.ts";
import type { Sink } from "../core/sink.ts";
import type { SourceFile } from "../core/source.ts";
import type { StateStore } from "../core/state.ts";
import { Cursor } from "./cursor.ts";
import { ReadQueue } from "./queue.ts";
import { reportWaiting } from "./report.ts";
import { loseUnread } from "./settle.ts";
import { Shipper } from "./shipper.ts";
import type { Turn, TurnReader } from "./turn.ts";

/** Pause after a journal or file failed. */
const RETRY_MS = 1_000;

/** Age of a batch once the end of the Pod was announced. */
const HURRIED_AGE_MS = 100;

export interface PipelineOptions {
  readonly sink: Sink;
  readonly state: StateStore;
  readonly pool: BatchPool;
  readonly reader: TurnReader;
  readonly maxAgeMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Journals the file's key when it can be known; see FileCatalogue.ensureKey. */
  ensureKey(file: SourceFile, force: boolean): boolean;
  /** The bytes before a cursor have changed: the file has new content. */
  replace(file: SourceFile): void;
  /** The end of the Pod was announced: batches do not wait for more. */
  isHurried(): boolean;
}

/**
 * One sink's way through all files: reads while a batch can take it, seals batches by size or age, delivers, commits in file
 * order. It shares files and the read buffer with the other pipelines and nothing else: a sink that is down stops here.
 */
export class Pipeline {
  readonly sink: Sink;
  readonly cursors = new Map<number, Cursor>();
  readonly #o: PipelineOptions;
  readonly #queue = new ReadQueue(this.cursors);
  #batch: Batch | undefined;
  /** The cursors of its segments, in their order. */
  #filling: Cursor[] = [];
  #turn: NodeJS.Immediate | undefined;
  #ageTimer: NodeJS.Timeout | undefined;
  #tailTimer: NodeJS.Timeout | undefined;
  /** Set by --once and the drain: tails are ended and batches sealed as soon as nothing more can be read. */
  #finishing = false;
  #stopped = false;
  readonly #shipper: Shipper;

  constructor(options: PipelineOptions) {
    this.sink = options.sink;
    this.#o = options;
    this.#shipper = new Shipper({ ...options, onRoom: () => this.#schedule() });
  }

  /** The cursor of a record in a batch that is being sent. */
  cursorOf(batch: Batch, record: number): Cursor {
    return this.#shipper.cursorOf(batch, record);
  }

  start(): void {
    this.sink.start();
    this.#tailTimer = setInterval(() => this.endQuietTails(), TAIL_QUIET_DRAIN_MS);
  }

  /** A file is open: make or find its cursor and read. */
  addFile(file: SourceFile): void {
    const record = this.#o.state.openCursor(file.record, this.sink.name, file.startOffset);
    this.cursors.set(file.ordinal, new Cursor(file, record));
    this.wake(file);
  }

  /** The sink may still want bytes of this file. */
  needs(file: SourceFile): boolean {
    const cursor = this.cursors.get(file.ordinal);
    return cursor !== undefined && (cursor.uncommitted.length > 0 || !cursor.isCommitted);
  }

  /** Bytes of this file that are committed. */
  committed(file: SourceFile): number {
    return this.cursors.get(file.ordinal)?.record.committed ?? 0;
  }

  /** Its descriptor is closed and everything is committed. */
  removeFile(file: SourceFile): void {
    this.cursors.delete(file.ordinal);
  }

  /** Its content is gone: what was not read counts as lost. */
  abandonFile(file: SourceFile): void {
    const cursor = this.cursors.get(file.ordinal);
    if (cursor === undefined) return;
    const lost = loseUnread(cursor);
    if (lost > 0) {
      const message = `${lost} bytes of ${file.path} were overwritten or truncated before they were read`;
      this.#o.log.warn("bytes_lost", message, { file: file.path, sink: this.sink.name, lost_bytes: lost });
    }
    this.#shipper.commit([cursor]);
  }

  /** The file may have more to read. */
  wake(file: SourceFile): void {
    const cursor = this.cursors.get(file.ordinal);
    if (cursor !== undefined && file.status !== "replaced" && this.#queue.add(cursor)) this.#schedule();
  }

  /** The end of the Pod was announced: the batch that is being filled goes soon, as do those after it. */
  hurry(): void {
    const batch = this.#batch;
    if (batch !== undefined && batch.openedAtMs !== 0)
      this.#ageBatch(batch, Math.min(this.#o.maxAgeMs, HURRIED_AGE_MS));
  }

  /** From now on nothing waits for more: tails end when they are quiet, batches go when nothing is left to read. */
  finish(): void {
    this.#finishing = true;
    for (const cursor of this.cursors.values()) this.wake(cursor.file);
    this.#schedule();
  }

  /** Ends unterminated tails that have been quiet long enough; called a few times a second. */
  endQuietTails(): void {
    const now = this.#o.clock.monotonicMs();
    for (const cursor of this.cursors.values()) {
      const { file } = cursor;
      if (!cursor.isTailDue(now, this.#finishing)) continue;
      try {
        if (!this.#identify(cursor, false)) {
          if (!this.#identify(cursor, true)) continue;
          this.#o.reader.endTail(cursor);
        } else if (cursor.scannedTo >= file.size) this.#o.reader.endTail(cursor);
      } catch (error) {
        reportWaiting(this.#o.log, this.sink.name, error);
      }
      this.wake(file);
    }
  }

  /** Nothing to read, nothing in flight, everything committed. */
  get isDone(): boolean {
    if (this.#queue.length > 0 || !this.#shipper.isIdle || this.#batch !== undefined) return false;
    for (const cursor of this.cursors.values())
      if (!cursor.isCommitted && cursor.file.status !== "replaced") return false;
    return true;
  }

  /** Ends reading and delivery; what is in flight stays uncommitted. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearImmediate(this.#turn);
    clearTimeout(this.#ageTimer);
    clearInterval(this.#tailTimer);
    this.#queue.clear();
    await this.#shipper.stop();
  }

  #schedule(): void {
    if (this.#turn !== undefined || this.#stopped) return;
    this.#turn = setImmediate(() => {
      this.#turn = undefined;
      this.#takeTurn();
    });
  }

  /** One chunk of one file. A pipeline without a free batch does not read: that is the backpressure. */
  #takeTurn(): void {
    if (this.#queue.length === 0) {
      if (this.#finishing && this.#batch !== undefined) this.#seal(this.#batch);
      return;
    }
    this.#batch ??= this.#o.pool.take();
    const batch = this.#batch;
    if (batch === undefined) return;
    const cursor = this.#queue.take();
    let turn: Turn = "idle";
    try {
      // Replaced while it waited for its turn: there is nothing to read any more.
      const isThere = cursor.file.status !== "replaced";
      if (isThere && this.#identify(cursor, false)) turn = this.#o.reader.turn(cursor, batch);
      if (turn === "changed") this.#o.replace(cursor.file);
    } catch (error) {
      reportWaiting(this.#o.log, this.sink.name, error);
      turn = "failed";
    }
    // Also a turn that failed may have opened a segment; the list of cursors has to follow that of segments.
    if (batch.segments.length > this.#filling.length) this.#filling.push(cursor);
    this.#handle(cursor, turn, batch);
    this.#noteBatch(batch);
    this.#schedule();
  }

  #handle(cursor: Cursor, turn: Turn, batch: Batch): void {
    if (turn === "progress" || turn === "full") this.#queue.again(cursor);
    else this.#queue.release(cursor);
    if (turn === "full") this.#seal(batch);
    if (turn === "failed") setTimeout(() => this.wake(cursor.file), RETRY_MS).unref();
  }

  #identify(cursor: Cursor, force: boolean): boolean {
    if (cursor.seed !== undefined) return true;
    if (!this.#o.ensureKey(cursor.file, force)) return false;
    cursor.seed = new EventIdSeed(cursor.file.record.key);
    return true;
  }

  /** A batch that holds something gets an age, and goes when it is old enough. */
  #noteBatch(batch: Batch): void {
    if (batch !== this.#batch || batch.segments.length === 0 || batch.openedAtMs !== 0) return;
    batch.openedAtMs = this.#o.clock.monotonicMs();
    this.#ageBatch(batch, this.#o.isHurried() ? Math.min(this.#o.maxAgeMs, HURRIED_AGE_MS) : this.#o.maxAgeMs);
  }

  #ageBatch(batch: Batch, maxAgeMs: number): void {
    clearTimeout(this.#ageTimer);
    this.#ageTimer = setTimeout(() => this.#seal(batch), maxAgeMs);
  }

  #seal(batch: Batch): void {
    if (batch !== this.#batch) return;
    this.#batch = undefined;
    clearTimeout(this.#ageTimer);
    if (batch.segments.length === 0) {
      this.#o.pool.give(batch);
      return;
    }
    const cursors = this.#filling;
    this.#filling = [];
    for (const cursor of cursors) {
      cursor.batch = undefined;
      cursor.segment = undefined;
    }
    this.#shipper.ship(batch, cursors);
  }
}
