import type { LostLetter } from "../core/sink.ts";
import { type Commit, type FileRecord, noTerms, type StateStore } from "../core/state.ts";
import type { Cursor } from "./cursor.ts";

/**
 * Counts dead letters that are dropped as lost instead of dead-lettered. What is committed moves by a commit that goes no
 * further; what is not yet committed moves in its segment, since a crash before its commit would make the letter anew.
 */
export function loseLetters(
  state: StateStore,
  sink: string,
  cursors: Iterable<Cursor>,
  letters: readonly LostLetter[],
): void {
  const files = filesByKey(state, letters);
  const open = new Map([...cursors].map((cursor) => [cursor.record, cursor]));
  const commits = new Map<FileRecord, Commit>();
  const moves: (() => void)[] = [];
  for (const { fileKey, offset, bytes } of letters) {
    // A file that has been gone for a day is in no ledger any more.
    const file = files.get(fileKey);
    const record = file?.cursors.get(sink);
    if (file === undefined || record === undefined) continue;
    if (offset < record.committed) {
      const { committed, tail, lastTime } = record;
      const commit = commits.get(file) ?? { file, cursor: record, committed, tail, lastTime, terms: noTerms() };
      commits.set(file, commit);
      // One event can have two letters: a crash before its commit makes another one.
      const moved = Math.min(bytes, record.deadLettered - commit.terms.lost);
      commit.terms.deadLettered -= moved;
      commit.terms.lost += moved;
      continue;
    }
    const segment = open.get(record)?.uncommitted.find(({ from, to }) => from <= offset && offset < to);
    if (segment === undefined) continue;
    moves.push(() => {
      const moved = segment.settled ? Math.min(bytes, segment.terms.deadLettered) : bytes;
      segment.terms.deadLettered -= moved;
      segment.terms.lost += moved;
    });
  }
  if (commits.size > 0) state.commit([...commits.values()]);
  for (const move of moves) move();
}

function filesByKey(state: StateStore, letters: readonly LostLetter[]): ReadonlyMap<string, FileRecord> {
  const wanted = new Set(letters.map(({ fileKey }) => fileKey));
  const found = new Map<string, FileRecord>();
  for (const file of state.files.values()) if (wanted.has(file.key)) found.set(file.key, file);
  return found;
}
