import { PannierError } from "../core/errors.ts";
import type { Commit, CursorRecord, Terms } from "../core/state.ts";
import type { CommitEntry } from "./entries.ts";
import { commitEntry } from "./entries-of.ts";

/**
 * The entries of some commits. Entries carry totals, so several stretches of one cursor become one entry. Throws when the
 * terms of a commit are not what lies between the cursor and its new offset: the ledger must never be wrong (contract §5).
 */
export function commitEntries(commits: readonly Commit[]): CommitEntry[] {
  const entries = new Map<CursorRecord, CommitEntry>();
  for (const { file, cursor, committed, tail, lastTime, terms, seenBytes = 0 } of commits) {
    const before = entries.get(cursor);
    const from = before?.to ?? cursor.committed;
    const { delivered, filtered, deadLettered, cut, lost } = terms;
    if (committed < from || delivered + filtered + deadLettered + cut + lost !== committed - from) {
      throw new PannierError(
        "state_commit_inconsistent",
        `a commit of ${file.path} from ${from} to ${committed} has terms of another sum: ${JSON.stringify(terms)}`,
        { hint: "this is a defect of pannier; nothing was committed. Please report it with this message" },
      );
    }
    const totals = sum(before ?? cursor, terms);
    const entry = commitEntry(file.uid, cursor.sink, committed, tail, lastTime, totals);
    entries.set(cursor, seenBytes > committed ? { ...entry, seen: seenBytes } : entry);
  }
  return [...entries.values()];
}

function sum(before: Partial<Terms>, more: Terms): Terms {
  return {
    delivered: (before.delivered ?? 0) + more.delivered,
    filtered: (before.filtered ?? 0) + more.filtered,
    deadLettered: (before.deadLettered ?? 0) + more.deadLettered,
    cut: (before.cut ?? 0) + more.cut,
    lost: (before.lost ?? 0) + more.lost,
  };
}
