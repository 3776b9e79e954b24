import type { Batch } from "../core/batch.ts";
import type { RecordSource, Wire } from "../core/sink.ts";
import type { Exchange, Problem, Reply } from "./exchange.ts";

/** A record whose id was found taken, for a look-up. */
export interface Conflict {
  readonly position: number;
  readonly id: string;
  /** The index that the answer named. */
  readonly place: string | undefined;
  /** The document as it was sent. */
  readonly document: Buffer;
}

/** What a look-up came to: positions whose stored event is the same one, or why the server could not be asked. */
export type LookUp =
  | { readonly kind: "found"; readonly same: ReadonlySet<number> }
  | { readonly kind: "retry"; readonly problem: Problem };

/** Why a record is refused. */
export interface Refusal {
  readonly status: number;
  readonly type: string;
  readonly reason: string;
}

/** What a dead letter tells of a record: its time, and what it says where the file no longer holds the line. */
export interface Contents {
  readonly time: string;
  readonly text: string;
}

/** Where records go: all that differs between the kinds of servers. Trouble is a reply; only an abort rejects. */
export interface Destination {
  readonly wire: Wire;
  /** Sends exchange.buffer[from, to) and fills in the verdicts. At most one request per lane is under way. */
  send(lane: number, exchange: Exchange, signal: AbortSignal): Promise<Reply>;
  lookUp(conflicts: readonly Conflict[], signal: AbortSignal): Promise<LookUp>;
  /** The operator's words for a record that has to wait because of its verdict. */
  explain(exchange: Exchange, position: number): Problem;
  /** The document in the wire bytes of one record, to compare it in a look-up. */
  documentOf(wire: Buffer): Buffer;
  contentsOf(wire: Buffer): Contents;
  /** In words: how a refused record is sent once more. */
  readonly secondForm: string;
  /** A record that was refused in another form, too, can be written in one more; `wire` is its first. */
  hasFurtherForm(wire: Buffer, refusal: Refusal): boolean;
  /** Most bytes that `writeAgain` needs. */
  maxBytesAgain(source: RecordSource, batch: Batch, record: number): number;
  /** Writes a refused record in another form at out[at] and returns the offset behind it. */
  writeAgain(source: RecordSource, batch: Batch, record: number, refusal: Refusal, out: Buffer, at: number): number;
}
