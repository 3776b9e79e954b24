import { type Batch, RecordFlag } from "../core/batch.ts";
import { REPAIR_MAX_RECORDS, REPAIR_MIN_BYTES } from "../core/delivery-limits.ts";
import type { RecordSource } from "../core/sink.ts";
import type { Destination, Refusal } from "./destination.ts";
import type { Exchange } from "./exchange.ts";
import { Load } from "./load.ts";
import { Turnstile } from "./wait.ts";

/** A record that is sent in another form: as its refusal asks for (`text`: mostly that), or under a salted id. */
export type Repair =
  | { readonly form: "text"; readonly record: number; readonly refusal: Refusal }
  | { readonly form: "salted"; readonly record: number };

/** Records on their way, and the request that they are in. */
export interface Lane {
  readonly load: Load;
  readonly exchange: Exchange;
}

/** A salt makes an id a little longer. */
const SALT_ROOM_BYTES = 32;

/**
 * The one place where records are written anew, shared by all requests of a sink: an escaped line can be six times as long as
 * it was, so they do not fit where they stand.
 */
export class RepairDesk {
  readonly turnstile = new Turnstile();
  readonly lane: Lane;
  readonly buffer: Buffer;
  readonly #source: RecordSource;
  readonly #destination: Destination;

  constructor(source: RecordSource, destination: Destination, exchange: Exchange, maxRecordBytes: number) {
    this.#source = source;
    this.#destination = destination;
    this.buffer = Buffer.alloc(repairBufferBytes(maxRecordBytes));
    this.lane = { load: new Load(REPAIR_MAX_RECORDS), exchange };
  }

  /** Writes as many records as fit and returns how many; 0 when not even the first one does. */
  fill(batch: Batch, repairs: readonly Repair[]): number {
    const { load } = this.lane;
    load.begin(batch, this.buffer);
    let at = 0;
    for (const repair of repairs) {
      const { record } = repair;
      const wireBytes = batch.ends[record] - batch.starts[record];
      const needed =
        repair.form === "text"
          ? this.#destination.maxBytesAgain(this.#source, batch, record)
          : wireBytes + SALT_ROOM_BYTES;
      if (load.count === REPAIR_MAX_RECORDS || at + needed > this.buffer.length) break;
      const end = this.#write(batch, repair, at);
      load.add(record, at, end);
      at = end;
    }
    return load.count;
  }

  #write(batch: Batch, repair: Repair, at: number): number {
    const { record } = repair;
    if (repair.form === "text") {
      batch.flags[record] |= RecordFlag.asText;
      return this.#destination.writeAgain(this.#source, batch, record, repair.refusal, this.buffer, at);
    }
    // Under its new id the record was never sent, in no form.
    const ofOldId = RecordFlag.asText | RecordFlag.maybeSent | RecordFlag.disputed;
    batch.flags[record] = (batch.flags[record] & ~ofOldId) | RecordFlag.salted;
    return this.#source.salt(batch, record, this.buffer, at);
  }
}

/** Holds the largest record as text, or many usual ones. */
export function repairBufferBytes(maxRecordBytes: number): number {
  return Math.max(REPAIR_MIN_BYTES, maxRecordBytes + SALT_ROOM_BYTES);
}
