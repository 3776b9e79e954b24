import { LOKI_PUSH_ENOUGH_BYTES, LOKI_PUSH_MAX_BYTES } from "../../core/loki-limits.ts";
import { Window } from "../../core/window.ts";
import type { Exchange } from "../exchange.ts";
import { HEADER_BYTES, Place } from "./entry.ts";
import { varintBytes } from "./proto.ts";

/** Which records of a request may go out. */
export interface Selection {
  /** By position. */
  readonly includes: (position: number) => boolean;
  /** The server does not take structured metadata. */
  readonly withoutMetadata: boolean;
}

/**
 * Which records go out with the next push: those of one stream. Loki takes pushes of several, but its ingester answers with
 * what became of the last one only: that it refused others (too fast, too far behind, one stream too many) is not said, and they
 * would be lost.
 */
export class Choice {
  /** The records, as they stand in the request. */
  readonly records: Window = new Window();
  /** -1: there is nothing to send. */
  stream = -1;
  /** Position of the first record, and where it is. */
  first = 0;
  firstAt = 0;
  /** Records from this position on go out with later pushes. */
  end = 0;
  count = 0;
  /** It chooses so many records at most: fewer where something in a push was refused that its answer does not name. */
  most = Infinity;
  /** Between the first and the last one there are none of other streams, and none that were taken. */
  isRun = true;
  /** There may be further records, of other streams or too many of this one: they go out with pushes of their own. */
  hasOthers = false;
  /** Bytes of the entries as protobuf, each with its tag and length. */
  entriesBytes = 0;
  /** Bytes of lines and metadata, as Loki counts them for its rate limits. */
  contentBytes = 0;

  /** Forgets the request before: the next choice is the first one of another. */
  begin({ from }: Exchange): void {
    this.first = 0;
    this.firstAt = from;
    this.most = Infinity;
  }

  /**
   * Chooses the stream of the first of these records, and as many of its records as one push takes. What stands before the
   * first one of the last choice has gone out.
   */
  choose({ buffer, count }: Exchange, { includes, withoutMetadata }: Selection): void {
    this.records.set(buffer);
    const { view } = this.records;
    let stream = -1;
    let entriesBytes = 0;
    let contentBytes = 0;
    let last = -1;
    let chosen = 0;
    this.hasOthers = false;
    this.isRun = true;
    for (let position = this.first, at = this.firstAt; position < count; position++) {
      const total = view.getUint32(at + Place.total, true);
      if (includes(position)) {
        const own = view.getUint32(at + Place.stream, true);
        if (stream < 0) {
          stream = own;
          this.first = position;
          this.firstAt = at;
        }
        if (own === stream) {
          const bytes = entryBytes(view, at, withoutMetadata);
          entriesBytes += 1 + varintBytes(bytes) + bytes;
          contentBytes += total - HEADER_BYTES;
          this.isRun &&= last < 0 || last === position - 1;
          last = position;
          chosen++;
        } else this.hasOthers = true;
        // A push of that size is worth its while; whether there are others is found out by asking again.
        if (entriesBytes >= (own === stream ? LOKI_PUSH_MAX_BYTES : LOKI_PUSH_ENOUGH_BYTES) || chosen >= this.most) {
          this.hasOthers = true;
          break;
        }
      }
      at += total;
    }
    this.end = last + 1;
    this.count = chosen;
    this.stream = stream;
    this.entriesBytes = entriesBytes;
    this.contentBytes = contentBytes;
  }
}

/** Bytes of an entry without its own tag and length. */
export function entryBytes(view: DataView, at: number, withoutMetadata: boolean): number {
  const lineBytes = view.getUint32(at + Place.lineBytes, true);
  const rest = withoutMetadata ? lineBytes : view.getUint32(at + Place.total, true) - HEADER_BYTES;
  return 2 + timeBytes(secondAt(view, at), view.getUint32(at + Place.nanos, true)) + 1 + varintBytes(lineBytes) + rest;
}

/** Seconds since 1970 of a record. */
export function secondAt(view: DataView, at: number): number {
  const high = view.getUint32(at + Place.second + 4, true);
  const low = view.getUint32(at + Place.second, true);
  return high === 0 ? low : high * 0x1_0000_0000 + low;
}

/** Bytes of a time as protobuf. */
export function timeBytes(second: number, nanos: number): number {
  return 1 + varintBytes(second) + (nanos > 0 ? 1 + varintBytes(nanos) : 0);
}
