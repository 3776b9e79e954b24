import { type FileRecord, uncommittedBytes } from "./core/state.ts";
import type { SourceFile } from "./core/source.ts";
import { describeLedger, type Ledger, ledgerOf } from "./state/ledger.ts";

/** Files that are followed no more and of which bytes were lost, as `/status` shows them until the journal forgets them. */
export function* describeLosses(
  records: Iterable<FileRecord>,
  files: Iterable<SourceFile>,
  sinks: readonly string[],
): Generator<object> {
  const followed = new Set(Array.from(files, ({ record }) => record));
  for (const record of records) {
    if (followed.has(record)) continue;
    const ledgers: Record<string, Ledger> = {};
    for (const sink of sinks) {
      const cursor = record.cursors.get(sink);
      if (cursor === undefined) continue;
      const lost = cursor.lost + (record.goneAtMs === 0 ? 0 : uncommittedBytes(record, cursor));
      if (lost > 0) ledgers[sink] = { ...ledgerOf(cursor, 0, 0), lost };
    }
    const worst = Object.values(ledgers).toSorted((a, b) => b.lost - a.lost)[0];
    if (worst === undefined) continue;
    // What was sent was seen, though the last size in the journal can be an older one.
    const size = Math.max(record.seenBytes, ...Array.from(record.cursors.values(), ({ sent }) => sent));
    yield {
      path: record.lastPath,
      id: record.key,
      status: record.goneAtMs === 0 ? "closed" : "gone",
      generation: record.generation,
      size,
      read: size,
      format: null,
      dialect: null,
      lag_bytes: 0,
      lag_seconds: 0,
      ledger: describeLedger(worst),
      ledgers: Object.fromEntries(Object.entries(ledgers).map(([sink, ledger]) => [sink, describeLedger(ledger)])),
    };
  }
}
