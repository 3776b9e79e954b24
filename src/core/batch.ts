import { BATCH_MAX_RECORDS } from "./limits.ts";
import type { Segment } from "./segment.ts";

/** What became of a record; `pending` until its sink has decided. `moved`: it waits in another batch now. */
export const Outcome = { pending: 0, delivered: 1, deadLettered: 2, moved: 3 } as const;

/** Facts of a record that change how its sink's answer is read. A set of bits. */
export const RecordFlag = {
  /** It may have reached the sink before: a conflict is a delivery. */
  maybeSent: 1,
  /** It was refused and is being sent as plain text. */
  asText: 2,
  /** It was refused in its first form, and that was counted. */
  refused: 4,
  /** It goes under another id than the one in its wire bytes. */
  salted: 8,
  /** Its id was found taken before it was ever stored: whatever comes of a later send, only a look-up tells whose event has it. */
  disputed: 16,
} as const;

/** Behind these, the LineFlag bits of the record's line. */
export const LINE_FLAGS_SHIFT = 5;

/**
 * Bytes in a sink's wire format and the list of records in them. The memory is taken once and used again and again.
 * Record i's wire bytes are buffer[starts[i], ends[i]); its event is bytes [from[i], to[i]) of `segments[segmentOf[i]].file`.
 * A sink may move wire bytes (compaction) and set `outcome`, `flags`, `starts` and `ends`; the rest is fixed once sealed.
 */
export class Batch {
  readonly slot: number;
  readonly buffer: Buffer;
  length = 0;
  count = 0;
  readonly starts: Int32Array = new Int32Array(BATCH_MAX_RECORDS);
  readonly ends: Int32Array = new Int32Array(BATCH_MAX_RECORDS);
  readonly from: Float64Array = new Float64Array(BATCH_MAX_RECORDS);
  readonly to: Float64Array = new Float64Array(BATCH_MAX_RECORDS);
  /** Bytes of the event that are not in the document, because it was cut; mostly 0. */
  readonly cut: Float64Array = new Float64Array(BATCH_MAX_RECORDS);
  /** The content hash of the event, from which its id is made again. */
  readonly hashHigh: Int32Array = new Int32Array(BATCH_MAX_RECORDS);
  readonly hashLow: Int32Array = new Int32Array(BATCH_MAX_RECORDS);
  readonly segmentOf: Uint16Array = new Uint16Array(BATCH_MAX_RECORDS);
  readonly flags: Uint8Array = new Uint8Array(BATCH_MAX_RECORDS);
  readonly outcome: Uint8Array = new Uint8Array(BATCH_MAX_RECORDS);
  segments: Segment[] = [];
  /** `clock.monotonicMs()` of the first record. */
  openedAtMs = 0;

  constructor(slot: number, buffer: Buffer) {
    this.slot = slot;
    this.buffer = buffer;
  }

  reset(): void {
    this.length = 0;
    this.count = 0;
    this.segments = [];
    this.openedAtMs = 0;
  }

  /** Takes a record over from another batch, with its segment; its wire bytes stand here already, at [start, end). */
  adopt(other: Batch, record: number, start: number, end: number): number {
    const segment = other.segments[other.segmentOf[record]];
    const known = this.segments.lastIndexOf(segment);
    const adopted = this.count++;
    this.segmentOf[adopted] = known >= 0 ? known : this.segments.push(segment) - 1;
    this.starts[adopted] = start;
    this.ends[adopted] = end;
    this.from[adopted] = other.from[record];
    this.to[adopted] = other.to[record];
    this.cut[adopted] = other.cut[record];
    this.hashHigh[adopted] = other.hashHigh[record];
    this.hashLow[adopted] = other.hashLow[record];
    this.flags[adopted] = other.flags[record];
    this.outcome[adopted] = Outcome.pending;
    other.outcome[record] = Outcome.moved;
    return adopted;
  }

  static readonly BYTES_OF_ARRAYS: number = BATCH_MAX_RECORDS * (4 + 4 + 8 + 8 + 8 + 4 + 4 + 2 + 1 + 1);
}
