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
import { Filling } from "./filling.ts";
import { Losses } from "./losses.ts";
import { ReadQueue } from "./queue.ts";
import { reportWaiting } from "./report.ts";
import { Shipper } from "./shipper.ts";
import type { Turn } from "./input.ts";
import type { TurnReader } from "./turn.ts";

/** Pause after a journal or file failed. */
const RETRY_MS = 1_000;

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
  /** Gives the file a descriptor again if it has none; see FileCatalogue.reopen. */
  reopen(file: SourceFile): boolean;
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
  readonly losses: Losses;
  readonly #o: PipelineOptions;
  readonly #queue = new ReadQueue(this.cursors);
  readonly #filling: Filling;
  #turn: NodeJS.Immediate | undefined;
  #tailTimer: NodeJS.Timeout | undefined;
  /** Set by --once and the drain: tails are ended and batches sealed as soon as nothing more can be read. */
  #finishing = false;
  #paused = false;
  #stopped = false;
  readonly #shipper: Shipper;

  constructor(options: PipelineOptions) {
    this.sink = options.sink;
    this.#o = options;
    this.losses = new Losses(options.sink.name, options.log, (record) => this.#shipper.isSending(record));
    this.#shipper = new Shipper({ ...options, onRoom: () => this.#schedule() });
    this.#filling = new Filling({ ...options, ship: (batch, cursors) => this.#shipper.ship(batch, cursors) });
  }

  /** The cursor of a record in a batch that is being sent. */
  cursorOf(batch: Batch, record: number): Cursor {
    return this.#shipper.cursorOf(batch, record);
  }

  /** Begins, once. */
  start(): void {
    if (this.#tailTimer !== undefined) return;
    this.sink.start();
    this.#tailTimer = setInterval(() => this.endQuietTails(), TAIL_QUIET_DRAIN_MS);
  }

  /** A file is followed: make or find its cursor and read. Said again, it changes nothing. */
  addFile(file: SourceFile): void {
    if (!this.cursors.has(file.ordinal)) {
      const record = this.#o.state.openCursor(file.record, this.sink.name, file.startOffset);
      this.cursors.set(file.ordinal, new Cursor(file, record));
    }
    if (file.status === "replaced") this.abandonFile(file);
    else this.wake(file);
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

  /** Its descriptor is closed: everything is committed, or no input follows it any more. */
  removeFile(file: SourceFile): void {
    const cursor = this.cursors.get(file.ordinal);
    if (cursor === undefined) return;
    this.cursors.delete(file.ordinal);
    this.#queue.remove(cursor);
    this.losses.leave(cursor);
    this.#shipper.commit([cursor]);
  }

  /** Its content is gone: what was not read counts as lost. */
  abandonFile(file: SourceFile): void {
    const cursor = this.cursors.get(file.ordinal);
    if (cursor !== undefined) this.losses.replaced(cursor);
    if (cursor !== undefined) this.#shipper.commit([cursor]);
  }

  /** The file may have more to read. */
  wake(file: SourceFile): void {
    const cursor = this.cursors.get(file.ordinal);
    cursor?.noteGrowth();
    if (cursor !== undefined && file.status !== "replaced" && this.#queue.add(cursor)) this.#schedule();
  }

  /** The end of the Pod was announced: the batch that is being filled goes soon, as do those after it. */
  hurry(): void {
    this.#filling.hurry();
  }

  /** Reads no more; what was read goes out. */
  pause(): void {
    this.#paused = true;
    this.#filling.seal();
  }

  /** Lets go of the line at hand, and of the memory that it stands in. */
  forgetLine(): void {
    this.#o.reader.forgetLine();
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  /** Nothing is on its way: whatever was read is committed. */
  get isSettled(): boolean {
    return this.#filling.isEmpty && this.#shipper.isIdle;
  }

  /** See Cursor.isThrough; true of a file that is not followed. */
  isThrough(file: SourceFile, size: number): boolean {
    return this.cursors.get(file.ordinal)?.isThrough(size) ?? true;
  }

  /** From now on nothing waits for more: tails end when they are quiet, batches go when nothing is left to read. */
  finish(): void {
    this.#finishing = true;
    for (const cursor of this.cursors.values()) this.wake(cursor.file);
    this.#schedule();
  }

  /** Ends unterminated tails that have been quiet long enough; called a few times a second. */
  endQuietTails(): void {
    if (this.#paused) return;
    const now = this.#o.clock.monotonicMs();
    for (const cursor of this.cursors.values()) {
      const { file } = cursor;
      if (!cursor.isTailDue(now, this.#finishing)) continue;
      try {
        if (!this.#isOpen(cursor)) continue;
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
    if (this.#queue.length > 0 || !this.isSettled) return false;
    return [...this.cursors.values()].every(({ isCommitted, file }) => isCommitted || file.status === "replaced");
  }

  /** Ends reading and delivery; what is in flight stays uncommitted. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearImmediate(this.#turn);
    this.#filling.stop();
    clearInterval(this.#tailTimer);
    this.#queue.clear();
    await this.#shipper.stop();
  }

  #schedule(): void {
    if (this.#turn !== undefined || this.#paused || this.#stopped) return;
    this.#turn = setImmediate(() => {
      this.#turn = undefined;
      this.#takeTurn();
    });
  }

  /** One chunk of one file. A pipeline without a free batch does not read: that is the backpressure. */
  #takeTurn(): void {
    if (this.#paused) return;
    if (this.#queue.length === 0) {
      if (this.#finishing) this.#filling.seal();
      return;
    }
    const batch = this.#filling.open();
    const cursor = batch && this.#queue.take();
    if (batch === undefined || cursor === undefined) return;
    let turn: Turn = "idle";
    try {
      // Replaced while it waited for its turn: there is nothing to read any more.
      if (cursor.file.status === "replaced") turn = "idle";
      else if (!this.#isOpen(cursor)) turn = "failed";
      else if (this.#identify(cursor, false)) turn = this.#o.reader.turn(cursor, batch);
      if (turn === "changed") this.#o.replace(cursor.file);
    } catch (error) {
      reportWaiting(this.#o.log, this.sink.name, error);
      turn = "failed";
    }
    this.#filling.note(cursor);
    this.#handle(cursor, turn);
    this.#schedule();
  }

  #isOpen({ file }: Cursor): boolean {
    return file.fd >= 0 || this.#o.reopen(file);
  }

  #handle(cursor: Cursor, turn: Turn): void {
    if (turn === "progress" || turn === "full") this.#queue.again(cursor);
    else this.#queue.release(cursor);
    if (turn === "full") this.#filling.seal();
    if (turn === "failed") setTimeout(() => this.wake(cursor.file), RETRY_MS).unref();
  }

  #identify(cursor: Cursor, force: boolean): boolean {
    if (cursor.seed !== undefined) return true;
    if (!this.#o.ensureKey(cursor.file, force)) return false;
    cursor.seed = new EventIdSeed(cursor.file.record.key);
    return true;
  }
}
