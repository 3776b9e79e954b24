import { setTimeout as sleep } from "node:timers/promises";
import type { BatchPool } from "../batches/pool.ts";
import { EventIdSeed } from "../batches/event-id.ts";
import type { Batch } from "../core/batch.ts";
import type { Clock } from "../core/clock.ts";
import { describe } from "../core/errors.ts";
import { TAIL_QUIET_DRAIN_MS, TAIL_QUIET_ROTATED_MS, UNCOMMITTED_SEGMENTS_MAX } from "../core/limits.ts";
import type { Log } from "../core/log.ts";
import { DeliveryAborted, type Sink } from "../core/sink.ts";
import type { SourceFile } from "../core/source.ts";
import type { StateStore } from "../core/state.ts";
import { Cursor } from "./cursor.ts";
import { dropCommitted, nextCommit, settleSegments } from "./settle.ts";
import type { TurnReader } from "./turn.ts";

/** Pause after a journal or a file could not be written or read. */
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
  /** Cursors that may have something to read. */
  readonly #queue: Cursor[] = [];
  #batch: Batch | undefined;
  #turn: NodeJS.Immediate | undefined;
  #ageTimer: NodeJS.Timeout | undefined;
  #tailTimer: NodeJS.Timeout | undefined;
  #segmentsOut = 0;
  /** Set by --once and the drain: tails are ended and batches sealed as soon as nothing more can be read. */
  #finishing = false;
  readonly #stop = new AbortController();
  readonly #sending = new Set<Promise<void>>();
  readonly #cursorByBatch = new Map<Batch, Cursor[]>();

  constructor(options: PipelineOptions) {
    this.sink = options.sink;
    this.#o = options;
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
    const lost = file.size - cursor.read;
    if (lost > 0) {
      const terms = { delivered: 0, filtered: 0, deadLettered: 0, cut: 0, lost };
      const lastTime = cursor.lane.lastTime();
      const tail = Buffer.alloc(0);
      cursor.uncommitted.push({ file, from: cursor.read, to: file.size, tail, lastTime, terms, deliveredLines: 0 });
      cursor.read = file.size;
      cursor.scannedTo = file.size;
      this.#o.log.warn(
        "bytes_lost",
        `${lost} bytes of ${file.path} were overwritten or truncated before they were read`,
        {
          file: file.path,
          sink: this.sink.name,
          lost_bytes: lost,
        },
      );
    }
    void this.#commit([cursor]);
  }

  /** The file may have more to read. */
  wake(file: SourceFile): void {
    const cursor = this.cursors.get(file.ordinal);
    if (cursor === undefined || cursor.queued || file.status === "replaced") return;
    cursor.queued = true;
    this.#queue.push(cursor);
    this.#schedule();
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
      if (cursor.queued || cursor.unread === 0 || cursor.scannedTo < file.size || file.status === "replaced") continue;
      const quietMs = this.#finishing ? TAIL_QUIET_DRAIN_MS : file.status === "live" ? Infinity : TAIL_QUIET_ROTATED_MS;
      if (now - file.quietSinceMs < quietMs) continue;
      try {
        if (!this.#identify(cursor, true)) continue;
        this.#o.reader.endTail(cursor);
      } catch (error) {
        this.#reportState(error);
      }
      this.wake(file);
    }
  }

  /** Nothing to read, nothing in flight, everything committed. */
  get isDone(): boolean {
    if (this.#queue.length > 0 || this.#sending.size > 0 || this.#batch !== undefined) return false;
    for (const cursor of this.cursors.values())
      if (!cursor.isCommitted && cursor.file.status !== "replaced") return false;
    return true;
  }

  /** Ends reading and delivery; what is in flight stays uncommitted. */
  async stop(): Promise<void> {
    this.#stop.abort();
    clearImmediate(this.#turn);
    clearTimeout(this.#ageTimer);
    clearInterval(this.#tailTimer);
    this.#queue.length = 0;
    await this.sink.stop();
    await Promise.allSettled(this.#sending);
  }

  #schedule(): void {
    if (this.#turn !== undefined || this.#stop.signal.aborted) return;
    this.#turn = setImmediate(() => {
      this.#turn = undefined;
      this.#takeTurn();
    });
  }

  /** One chunk of one file. A pipeline without a free batch does not read: that is the backpressure. */
  #takeTurn(): void {
    if (this.#queue.length === 0) return this.#sealWhenFinishing();
    if (this.#segmentsOut >= UNCOMMITTED_SEGMENTS_MAX) return;
    this.#batch ??= this.#o.pool.take();
    const batch = this.#batch;
    if (batch === undefined) return;
    const cursor = this.#nextCursor();
    try {
      if (!this.#identify(cursor, false)) cursor.queued = false;
      else this.#handle(cursor, this.#o.reader.turn(cursor, batch), batch);
    } catch (error) {
      this.#reportState(error);
      this.#wakeLater(cursor);
    }
    this.#noteBatch(batch);
    this.#schedule();
  }

  #wakeLater(cursor: Cursor): void {
    cursor.queued = false;
    setTimeout(() => this.wake(cursor.file), RETRY_MS).unref();
  }

  #handle(cursor: Cursor, turn: ReturnType<TurnReader["turn"]>, batch: Batch): void {
    if (turn === "progress" || turn === "full") this.#queue.push(cursor);
    else cursor.queued = false;
    if (turn === "full") this.#seal(batch);
    if (turn === "changed") this.#o.replace(cursor.file);
    if (turn === "failed") this.#wakeLater(cursor);
  }

  /** First in the queue whose older siblings have been read. */
  #nextCursor(): Cursor {
    for (let waiting = this.#queue.length; waiting > 1; waiting--) {
      const cursor = this.#queue.shift()!;
      const older = cursor.file.predecessor && this.cursors.get(cursor.file.predecessor.ordinal);
      if (older === undefined || !older.queued) return cursor;
      this.#queue.push(cursor);
    }
    return this.#queue.shift()!;
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
    clearTimeout(this.#ageTimer);
    const maxAgeMs = this.#o.isHurried() ? Math.min(this.#o.maxAgeMs, HURRIED_AGE_MS) : this.#o.maxAgeMs;
    this.#ageTimer = setTimeout(() => this.#seal(batch), maxAgeMs);
  }

  #sealWhenFinishing(): void {
    if (this.#finishing && this.#batch !== undefined) this.#seal(this.#batch);
  }

  #seal(batch: Batch): void {
    if (batch !== this.#batch) return;
    this.#batch = undefined;
    clearTimeout(this.#ageTimer);
    if (batch.segments.length === 0) {
      this.#o.pool.give(batch);
      return;
    }
    const cursors = batch.segments.map((segment) => this.#release(segment.file.ordinal));
    this.#cursorByBatch.set(batch, cursors);
    this.#segmentsOut += batch.segments.length;
    const sending = this.#send(batch, cursors).finally(() => this.#sending.delete(sending));
    this.#sending.add(sending);
  }

  /** The cursor's next bytes belong to another batch. */
  #release(ordinal: number): Cursor {
    const cursor = this.cursors.get(ordinal)!;
    cursor.batch = undefined;
    cursor.segment = undefined;
    return cursor;
  }

  /** Marks as sent, delivers, commits. Resolves also when it was aborted; nothing is committed then. */
  async #send(batch: Batch, cursors: readonly Cursor[]): Promise<void> {
    try {
      await this.#journal(() => {
        const marks = batch.segments.map((segment, i) => ({
          file: segment.file.record,
          cursor: cursors[i]!.record,
          to: segment.to,
        }));
        this.#o.state.markSent(marks);
      });
      if (batch.count > 0) await this.sink.deliver(batch);
    } catch (error) {
      if (error instanceof DeliveryAborted || this.#stop.signal.aborted) return;
      throw error;
    }
    settleSegments(batch);
    const segments = batch.segments.length;
    this.#cursorByBatch.delete(batch);
    this.#o.pool.give(batch);
    this.#schedule();
    await this.#commit(cursors);
    this.#segmentsOut -= segments;
    this.#schedule();
  }

  async #commit(cursors: readonly Cursor[]): Promise<void> {
    await this.#journal(() => {
      const due = [];
      for (const cursor of cursors) {
        const commit = nextCommit(cursor);
        if (commit !== undefined) due.push({ cursor, commit });
      }
      if (due.length === 0) return;
      this.#o.state.commit(due.map(({ commit }) => commit));
      for (const { cursor, commit } of due) dropCommitted(cursor, commit);
    });
  }

  /** Runs a journal write until it succeeds: without a journal nothing is sent and nothing is committed. */
  async #journal(write: () => void): Promise<void> {
    for (;;) {
      try {
        return write();
      } catch (error) {
        this.#reportState(error);
        await sleep(RETRY_MS, undefined, { signal: this.#stop.signal });
      }
    }
  }

  #reportState(error: unknown): void {
    this.#o.log.error(
      "state_write_failed",
      `${describe(error)}; ${this.sink.name} waits and tries again, nothing is lost`,
      {
        sink: this.sink.name,
      },
    );
  }

  /** The cursor of a record in a batch that is in flight. */
  cursorOf(batch: Batch, record: number): Cursor {
    return this.#cursorByBatch.get(batch)![batch.segmentOf[record]!]!;
  }
}
