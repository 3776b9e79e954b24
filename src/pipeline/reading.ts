import type { Clock } from "../core/clock.ts";
import { TAIL_QUIET_DRAIN_MS } from "../core/limits.ts";
import type { Log } from "../core/log.ts";
import type { SourceFile } from "../core/source.ts";
import { EventIdSeed } from "../batches/event-id.ts";
import type { Cursor } from "./cursor.ts";
import type { Filling } from "./filling.ts";
import type { Turn } from "./input.ts";
import { ReadQueue } from "./queue.ts";
import { reportWaiting } from "./report.ts";
import type { TurnReader } from "./turn.ts";

/** Pause after a journal or file failed. */
const RETRY_MS = 1_000;

/** What reading asks of the catalogue of files. */
export interface FileAccess {
  /** Journals the file's key when it can be known; see FileCatalogue.ensureKey. */
  ensureKey(file: SourceFile, force: boolean): boolean;
  /** Gives the file a descriptor again if it has none; see FileCatalogue.reopen. */
  reopen(file: SourceFile): boolean;
  /** The bytes before a cursor have changed: the file has new content. */
  replace(file: SourceFile): void;
}

export interface ReadingOptions extends FileAccess {
  /** All of the pipeline, by the ordinal of their file. */
  readonly cursors: ReadonlyMap<number, Cursor>;
  readonly filling: Filling;
  readonly reader: TurnReader;
  readonly clock: Clock;
  readonly log: Log;
  /** Name of the sink. */
  readonly sinkName: string;
}

/** Reads for one sink: one chunk of one file per turn of the event loop, as long as a batch can take it. */
export class Reading {
  readonly #o: ReadingOptions;
  readonly #queue: ReadQueue;
  #turn: NodeJS.Immediate | undefined;
  #tailTimer: NodeJS.Timeout | undefined;
  /** Could not be read just now, and wait together. */
  readonly #failed = new Set<Cursor>();
  #retryTimer: NodeJS.Timeout | undefined;
  /** Nothing waits for more: tails are ended and batches sealed as soon as nothing more can be read. */
  #finishing = false;
  #paused = false;
  #stopped = false;

  constructor(options: ReadingOptions) {
    this.#o = options;
    this.#queue = new ReadQueue(options.cursors);
  }

  /** Begins to end tails; what is woken is read also before. */
  start(): void {
    this.#tailTimer ??= setInterval(() => this.endQuietTails(), TAIL_QUIET_DRAIN_MS);
  }

  /** The file of a cursor may have more to read. */
  wake(cursor: Cursor): void {
    cursor.noteGrowth();
    if (cursor.file.status !== "replaced" && this.#queue.add(cursor)) this.schedule();
  }

  /** Its file is no longer followed. */
  remove(cursor: Cursor): void {
    this.#failed.delete(cursor);
    this.#queue.remove(cursor);
  }

  /** No cursor waits for its turn. */
  get isIdle(): boolean {
    return this.#queue.length === 0;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.schedule();
  }

  /** From now on tails end when they are quiet, and batches go when nothing is left to read. */
  finish(): void {
    this.#finishing = true;
    for (const cursor of this.#o.cursors.values()) this.wake(cursor);
    this.schedule();
  }

  stop(): void {
    this.#stopped = true;
    clearImmediate(this.#turn);
    clearTimeout(this.#retryTimer);
    clearInterval(this.#tailTimer);
    this.#failed.clear();
    this.#queue.clear();
  }

  /** Ends unterminated tails that have been quiet long enough; called a few times a second. */
  endQuietTails(): void {
    if (this.#paused) return;
    const { cursors, reader, clock } = this.#o;
    const now = clock.monotonicMs();
    for (const cursor of cursors.values()) {
      if (!cursor.isTailDue(now, this.#finishing)) continue;
      try {
        if (!this.#isOpen(cursor)) continue;
        if (!this.#identify(cursor, false)) {
          if (!this.#identify(cursor, true)) continue;
          reader.endTail(cursor);
        } else if (cursor.scannedTo >= cursor.file.size) reader.endTail(cursor);
      } catch (error) {
        this.#report(error);
      }
      this.wake(cursor);
    }
  }

  /** Something is to be read, or a batch is free again. */
  schedule(): void {
    if (this.#turn !== undefined || this.#paused || this.#stopped) return;
    this.#turn = setImmediate(() => {
      this.#turn = undefined;
      this.#takeTurn();
    });
  }

  /** One chunk of one file. A pipeline without a free batch does not read: that is the backpressure. */
  #takeTurn(): void {
    if (this.#paused) return;
    const { filling, reader } = this.#o;
    if (this.isIdle) {
      if (this.#finishing) filling.seal();
      return;
    }
    const batch = filling.open();
    const cursor = batch && this.#queue.take();
    if (batch === undefined || cursor === undefined) return;
    let turn: Turn = "idle";
    try {
      // Replaced while it waited for its turn: there is nothing to read any more.
      if (cursor.file.status === "replaced") turn = "idle";
      else if (!this.#isOpen(cursor)) turn = "failed";
      else if (this.#identify(cursor, false)) turn = reader.turn(cursor, batch);
      if (turn === "changed") this.#o.replace(cursor.file);
    } catch (error) {
      this.#report(error);
      turn = "failed";
    }
    filling.note(cursor);
    this.#handle(cursor, turn);
    this.schedule();
  }

  #isOpen({ file }: Cursor): boolean {
    return file.fd >= 0 || this.#o.reopen(file);
  }

  #handle(cursor: Cursor, turn: Turn): void {
    if (turn === "progress" || turn === "full") this.#queue.again(cursor);
    else this.#queue.release(cursor);
    if (turn === "full") this.#o.filling.seal();
    if (turn === "failed") this.#retryLater(cursor);
  }

  #retryLater(cursor: Cursor): void {
    this.#failed.add(cursor);
    this.#retryTimer ??= setTimeout(() => {
      this.#retryTimer = undefined;
      const failed = [...this.#failed];
      this.#failed.clear();
      for (const each of failed) this.wake(each);
    }, RETRY_MS);
  }

  #identify(cursor: Cursor, force: boolean): boolean {
    if (cursor.seed !== undefined) return true;
    if (!this.#o.ensureKey(cursor.file, force)) return false;
    cursor.seed = new EventIdSeed(cursor.file.record.key);
    return true;
  }

  #report(error: unknown): void {
    reportWaiting(this.#o.log, this.#o.sinkName, error);
  }
}
