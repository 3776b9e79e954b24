import type { CursorRecord, Terms } from "../core/state.ts";

/** Where every byte of a file is for one sink (contract §5): seen = unread + in flight + the five final terms. */
export interface Ledger extends Terms {
  seen: number;
  unread: number;
  inFlight: number;
}

/**
 * The ledger of a cursor for a file of `sizeBytes` that was read up to `readOffset`. The three come from different moments
 * (a size may be older than a read, a read older than a commit), so the later knowledge lifts the earlier: what is committed
 * was read, and what was read was seen.
 */
export function ledgerOf(cursor: CursorRecord, sizeBytes: number, readOffset: number): Ledger {
  const read = Math.max(readOffset, cursor.committed);
  const size = Math.max(sizeBytes, read);
  return {
    seen: size - cursor.start,
    unread: size - read,
    inFlight: read - cursor.committed,
    delivered: cursor.delivered,
    filtered: cursor.filtered,
    deadLettered: cursor.deadLettered,
    cut: cursor.cut,
    lost: cursor.lost,
  };
}

/** The seven terms in the contract's order and words. */
export function describeLedger(ledger: Ledger): object {
  const { unread, inFlight, delivered, filtered, deadLettered, cut, lost } = ledger;
  return { unread, in_flight: inFlight, delivered, filtered, dead_lettered: deadLettered, cut, lost };
}
