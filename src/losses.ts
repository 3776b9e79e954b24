import type { SourceFile } from "./core/source.ts";
import { type FileRecord, seenSize } from "./core/state.ts";
import type { Pipeline } from "./pipeline/pipeline.ts";
import { describeLedger, type Ledger, ledgerOf } from "./state/ledger.ts";

/** Where the bytes of a file that is followed no more are for one sink. */
interface Left {
  readonly sink: string;
  readonly ledger: Ledger;
  /** How much of `ledger.lost` may have arrived. */
  readonly perhapsLost: number;
}

/**
 * Files that are followed no more and of which bytes were lost, as `/status` shows them until the journal forgets them. In
 * the seven terms, what was sent without a known answer is lost, too: it is gone, and was never committed. How much that is
 * stands beside them.
 */
export function* describeLosses(
  records: Iterable<FileRecord>,
  files: Iterable<SourceFile>,
  pipelines: readonly Pipeline[],
): Generator<object> {
  const followed = new Set(Array.from(files, ({ record }) => record));
  for (const record of records) {
    if (followed.has(record)) continue;
    const size = seenSize(record);
    const all = pipelines.flatMap((pipeline) => leftOf(record, size, pipeline));
    const worst = all.toSorted((a, b) => b.ledger.lost - a.ledger.lost)[0];
    if (worst === undefined) continue;
    yield {
      path: record.lastPath,
      id: record.key,
      status: record.goneAtMs === 0 ? "closed" : "gone",
      generation: record.generation,
      size,
      read: Math.max(...Array.from(record.cursors.values(), ({ sent, committed }) => Math.max(sent, committed))),
      format: null,
      dialect: null,
      lag_bytes: 0,
      lag_seconds: 0,
      perhaps_lost: worst.perhapsLost,
      ledger: describeLedger(worst.ledger),
      ledgers: Object.fromEntries(all.map(({ sink, ledger }) => [sink, describeLedger(ledger)])),
    };
  }
}

/** Nothing when nothing of it is lost. */
function leftOf(record: FileRecord, size: number, { sink, losses }: Pipeline): Left[] {
  const cursor = record.cursors.get(sink.name);
  if (cursor === undefined) return [];
  const { committed } = cursor;
  const sentTo = Math.max(cursor.sent, committed);
  const isSending = losses.isSending(cursor);
  const isGone = record.goneAtMs !== 0;
  const known = ledgerOf(cursor, size, isSending ? sentTo : committed);
  const ledger = isGone ? { ...known, unread: 0, lost: known.lost + known.unread } : known;
  if (ledger.lost === 0) return [];
  return [{ sink: sink.name, ledger, perhapsLost: isGone && !isSending ? sentTo - committed : 0 }];
}
