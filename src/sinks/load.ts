import type { Batch } from "../core/batch.ts";
import { BATCH_MAX_RECORDS } from "../core/limits.ts";

/**
 * Records on their way, in the order of the file: record numbers of one batch and where their wire bytes stand in `buffer`,
 * which is the batch's own or the repair buffer. Settled records leave, the rest moves together.
 */
export class Load {
  batch: Batch | undefined;
  buffer: Buffer = Buffer.alloc(0);
  count = 0;
  readonly records: Int32Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** 1: has an outcome or waits elsewhere; it leaves with the next `compact`. */
  readonly left: Uint8Array;

  constructor(capacity: number) {
    this.records = new Int32Array(capacity);
    this.starts = new Int32Array(capacity);
    this.ends = new Int32Array(capacity);
    this.left = new Uint8Array(capacity);
  }

  /** Begins with every record of a batch, where it stands. */
  takeBatch(batch: Batch): void {
    this.batch = batch;
    this.buffer = batch.buffer;
    this.count = batch.count;
    for (let i = 0; i < batch.count; i++) this.records[i] = i;
    this.starts.set(batch.starts.subarray(0, batch.count));
    this.ends.set(batch.ends.subarray(0, batch.count));
    this.left.fill(0, 0, batch.count);
  }

  /** Begins empty, over other memory. */
  begin(batch: Batch, buffer: Buffer): void {
    this.batch = batch;
    this.buffer = buffer;
    this.count = 0;
  }

  add(record: number, start: number, end: number): void {
    this.records[this.count] = record;
    this.starts[this.count] = start;
    this.ends[this.count] = end;
    this.left[this.count] = 0;
    this.count++;
  }

  /** Behind the last record's bytes. */
  get endBytes(): number {
    return this.count === 0 ? 0 : this.ends[this.count - 1];
  }

  /** A record that had left comes back to where it stood. */
  takeBack(record: number): void {
    const at = this.records.subarray(0, this.count).indexOf(record);
    if (at < 0) throw new Error(`record ${record} does not stand here any more`);
    this.left[at] = 0;
  }

  /** How many records of a run have left. */
  leftOf(at: number, count: number): number {
    let left = 0;
    for (let i = at; i < at + count; i++) left += this.left[i];
    return left;
  }

  /** How many records from a position on make one request: their bytes stand together, within both limits, but at least one. */
  run(at: number, maxRecords: number, maxBytes: number): number {
    const from = this.starts[at];
    let next = at + 1;
    while (
      next < this.count &&
      next - at < maxRecords &&
      this.starts[next] === this.ends[next - 1] &&
      this.ends[next] - from <= maxBytes
    )
      next++;
    return next - at;
  }

  /**
   * Drops the records that left and moves the bytes of the others to the front, where they stand without a gap. The batch
   * learns the new places, since a record may have to be read from there.
   */
  compact(): void {
    const { batch, buffer, records, starts, ends } = this;
    const own = batch !== undefined && buffer === batch.buffer;
    let kept = 0;
    let end = 0;
    for (let i = 0; i < this.count; i++) {
      if (this.left[i] === 1) continue;
      const length = ends[i] - starts[i];
      if (starts[i] !== end) buffer.copyWithin(end, starts[i], ends[i]);
      records[kept] = records[i];
      starts[kept] = end;
      ends[kept] = end + length;
      this.left[kept] = 0;
      end += length;
      if (own) {
        batch.starts[records[kept]] = starts[kept];
        batch.ends[records[kept]] = ends[kept];
      }
      kept++;
    }
    this.count = kept;
  }

  static readonly BYTES_PER_RECORD = 4 + 4 + 4 + 1;
  static readonly BATCH_BYTES: number = BATCH_MAX_RECORDS * Load.BYTES_PER_RECORD;
}
