import { setTimeout as sleep } from "node:timers/promises";
import type { BatchPool } from "../batches/pool.ts";
import type { Batch } from "../core/batch.ts";
import type { Clock } from "../core/clock.ts";
import { PannierError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Segment } from "../core/segment.ts";
import { DeliveryAborted, type Sink } from "../core/sink.ts";
import type { CursorRecord, StateStore } from "../core/state.ts";
import type { Cursor } from "./cursor.ts";
import { reportWaiting } from "./report.ts";
import { dropCommitted, nextCommit, settleSegments } from "./settle.ts";

/** Pause after the journal could not be written. */
const RETRY_MS = 1_000;

/** Takes sealed batches: marks them as sent when they leave, delivers them, gives the buffer back and commits in file order. */
export class Shipper {
  readonly #sink: Sink;
  readonly #state: StateStore;
  readonly #pool: BatchPool;
  readonly #clock: Clock;
  readonly #log: Log;
  /** A batch is free again, or commits have gone on. */
  readonly #onRoom: () => void;
  readonly #stop = new AbortController();
  readonly #work = new Set<Promise<void>>();
  /** Of every segment that is on its way: records can move from one batch to another, and take their segments along. */
  readonly #cursors = new Map<Segment, Cursor>();
  /** What of them is settled has to be committed. */
  readonly #due = new Set<Cursor>();

  constructor(options: { sink: Sink; state: StateStore; pool: BatchPool; clock: Clock; log: Log; onRoom: () => void }) {
    this.#sink = options.sink;
    this.#state = options.state;
    this.#pool = options.pool;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#onRoom = options.onRoom;
  }

  /** Sends a sealed batch; `cursors` are those of its segments, in their order. */
  ship(batch: Batch, cursors: readonly Cursor[]): void {
    for (const [i, segment] of batch.segments.entries()) this.#cursors.set(segment, cursors[i]);
    this.#track(this.#send(batch));
  }

  /** See RecordSource.leaving. A batch may hold records of segments that came from another one. */
  leaving({ segments }: Batch): Promise<void> {
    const marks = segments.flatMap((segment) => {
      const cursor = this.#cursors.get(segment)?.record;
      return cursor === undefined ? [] : [{ file: segment.file.record, cursor, to: segment.to, tail: segment.tail }];
    });
    return this.#journal(() => this.#state.markSent(marks));
  }

  /** Commits what these cursors can commit, outside of a delivery. */
  commit(cursors: readonly Cursor[]): void {
    this.#track(this.#commit(cursors));
  }

  /** The cursor of a record in a batch that is being sent. */
  cursorOf(batch: Batch, record: number): Cursor {
    return this.#cursors.get(batch.segments[batch.segmentOf[record]])!;
  }

  /** Bytes of this cursor are on their way, or their commit is. */
  isSending(record: CursorRecord): boolean {
    return [...this.#cursors.values(), ...this.#due].some((cursor) => cursor.record === record);
  }

  get isIdle(): boolean {
    return this.#work.size === 0;
  }

  /** Ends deliveries; what is not delivered stays uncommitted. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#sink.stop();
    await Promise.allSettled(this.#work);
  }

  /** An end by `stop` is no error; anything else is a bug, and ends the process by an unhandled rejection. */
  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => {
        if (!(error instanceof DeliveryAborted) && !this.#stop.signal.aborted) throw error;
      })
      .finally(() => {
        this.#work.delete(tracked);
        this.#onRoom();
      });
    this.#work.add(tracked);
  }

  async #send(batch: Batch): Promise<void> {
    const { segments } = batch;
    // A destination that is down gets none of it; should the file go meanwhile, this is what is known to be lost.
    await this.#journal(() => {
      for (const { file, to } of segments) this.#state.noteSize(file.record, to);
    });
    if (batch.count > 0) await this.#sink.deliver(batch);
    settleSegments(batch);
    // A batch that took over records of others can have two segments of one cursor.
    const settled = new Set<Cursor>();
    for (const segment of segments) {
      if (!segment.settled) continue;
      settled.add(this.#cursors.get(segment)!);
      this.#cursors.delete(segment);
    }
    this.#pool.give(batch);
    this.#onRoom();
    await this.#commit([...settled]);
  }

  /**
   * What the journal had no room for goes with the next commit that it takes, not when its own pause is over: a kill before
   * that would leave delivered bytes of a file that may be deleted meanwhile without anybody who knows that they arrived.
   */
  async #commit(cursors: readonly Cursor[]): Promise<void> {
    for (const cursor of cursors) this.#due.add(cursor);
    await this.#journal(() => {
      const commits = [];
      for (const cursor of this.#due) {
        const commit = nextCommit(cursor);
        if (commit !== undefined) commits.push({ cursor, commit });
      }
      if (commits.length > 0) this.#state.commit(commits.map(({ commit }) => commit));
      this.#due.clear();
      for (const { cursor, commit } of commits) dropCommitted(cursor, commit, this.#clock.monotonicMs());
    });
  }

  /** Runs a journal write until it succeeds: without a journal nothing is sent and nothing is committed. */
  async #journal(write: () => void): Promise<void> {
    for (;;) {
      try {
        write();
        return;
      } catch (error) {
        if (!(error instanceof PannierError) || error.code !== "state_write_failed") throw error;
        reportWaiting(this.#log, this.#sink.name, error);
        await sleep(RETRY_MS, undefined, { signal: this.#stop.signal });
      }
    }
  }
}
