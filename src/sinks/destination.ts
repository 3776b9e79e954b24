import type { Wire } from "../core/sink.ts";
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

/** Where records go: all that differs between the kinds of servers. Trouble is a reply; only an abort rejects. */
export interface Destination {
  readonly wire: Wire;
  /** Sends exchange.buffer[from, to) and fills in the verdicts. At most one request per lane is under way. */
  send(lane: number, exchange: Exchange, signal: AbortSignal): Promise<Reply>;
  lookUp(conflicts: readonly Conflict[], signal: AbortSignal): Promise<LookUp>;
  /** The operator's words for a record that has to wait because of its verdict. */
  explain(exchange: Exchange, position: number): Problem;
  /** The document in the wire bytes of one record. */
  documentOf(wire: Buffer): Buffer;
}
