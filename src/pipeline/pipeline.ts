import type { BatchPool } from "../batches/pool.ts";
import type { Batch } from "../core/batch.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Sink } from "../core/sink.ts";
import type { SourceFile } from "../core/source.ts";
import type { StateStore } from "../core/state.ts";
import { Cursor } from "./cursor.ts";
import { Filling } from "./filling.ts";
import { Losses } from "./losses.ts";
import { type FileAccess, Reading } from "./reading.ts";
import { Shipper } from "./shipper.ts";
import type { TurnReader } from "./turn.ts";

export interface PipelineOptions extends FileAccess {
  readonly sink: Sink;
  readonly state: StateStore;
  readonly pool: BatchPool;
  readonly reader: TurnReader;
  readonly maxAgeMs: number;
  readonly clock: Clock;
  readonly log: Log;
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
  readonly #state: StateStore;
  readonly #reader: TurnReader;
  readonly #reading: Reading;
  readonly #filling: Filling;
  readonly #shipper: Shipper;
  #started = false;

  constructor(options: PipelineOptions) {
    const { sink, state, reader, log } = options;
    this.sink = sink;
    this.#state = state;
    this.#reader = reader;
    this.losses = new Losses(sink.name, log, (record) => this.#shipper.isSending(record));
    this.#shipper = new Shipper({ ...options, onRoom: () => this.#reading.schedule() });
    this.#filling = new Filling({ ...options, ship: (batch, cursors) => this.#shipper.ship(batch, cursors) });
    this.#reading = new Reading({ ...options, cursors: this.cursors, filling: this.#filling, sinkName: sink.name });
  }

  /** The cursor of a record in a batch that is being sent. */
  cursorOf(batch: Batch, record: number): Cursor {
    return this.#shipper.cursorOf(batch, record);
  }

  /** See RecordSource.leaving. */
  leaving(batch: Batch): Promise<void> {
    return this.#shipper.leaving(batch);
  }

  /** Begins, once. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.sink.start();
    this.#reading.start();
  }

  /** A file is followed: make or find its cursor and read. Said again, it changes nothing. */
  addFile(file: SourceFile): void {
    if (!this.cursors.has(file.ordinal)) {
      const record = this.#state.openCursor(file.record, this.sink.name, file.startOffset);
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
    this.#reading.remove(cursor);
    this.losses.leave(cursor);
    this.#shipper.commit([cursor]);
  }

  /** Its content is gone: what was not read counts as lost. */
  abandonFile(file: SourceFile): void {
    const cursor = this.cursors.get(file.ordinal);
    if (cursor === undefined) return;
    this.losses.replaced(cursor);
    this.#shipper.commit([cursor]);
  }

  /** The file may have more to read. */
  wake(file: SourceFile): void {
    const cursor = this.cursors.get(file.ordinal);
    if (cursor !== undefined) this.#reading.wake(cursor);
  }

  /** The end of the Pod was announced: the batch that is being filled goes soon, as do those after it. */
  hurry(): void {
    this.#filling.hurry();
  }

  /** Reads no more; what was read goes out. */
  pause(): void {
    this.#reading.pause();
    this.#filling.seal();
  }

  /** Lets go of the line at hand, and of the memory that it stands in. */
  forgetLine(): void {
    this.#reader.forgetLine();
  }

  resume(): void {
    this.#reading.resume();
  }

  /** Nothing is on its way: whatever was read is committed. */
  get isSettled(): boolean {
    return this.#filling.isEmpty && this.#shipper.isIdle;
  }

  /** See Cursor.isThrough; true of a file that is not followed. */
  isThrough(file: SourceFile, size: number): boolean {
    return this.cursors.get(file.ordinal)?.isThrough(size) ?? true;
  }

  /** Said by --once and the drain: from now on nothing waits for more. */
  finish(): void {
    this.#reading.finish();
  }

  /** See Reading.endQuietTails. */
  endQuietTails(): void {
    this.#reading.endQuietTails();
  }

  /** Nothing to read, nothing in flight, everything committed. */
  get isDone(): boolean {
    if (!this.#reading.isIdle || !this.isSettled) return false;
    return [...this.cursors.values()].every(({ isCommitted, file }) => isCommitted || file.status === "replaced");
  }

  /** Ends reading and delivery; what is in flight stays uncommitted. */
  async stop(): Promise<void> {
    this.#reading.stop();
    this.#filling.stop();
    await this.#shipper.stop();
  }
}
