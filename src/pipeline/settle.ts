import { type Batch, Outcome } from "../core/batch.ts";
import type { Commit, Terms } from "../core/state.ts";
import type { Cursor } from "./cursor.ts";

/** Works out the final terms of every segment of a batch whose records all have an outcome. */
export function settleSegments(batch: Batch): void {
  const { segments } = batch;
  const terms: Terms[] = segments.map(() => ({ delivered: 0, filtered: 0, deadLettered: 0, cut: 0, lost: 0 }));
  for (let record = 0; record < batch.count; record++) {
    const index = batch.segmentOf[record];
    const sum = terms[index];
    const cut = batch.cut[record];
    const kept = batch.to[record] - batch.from[record] - cut;
    sum.cut += cut;
    if (batch.outcome[record] === Outcome.deadLettered) sum.deadLettered += kept;
    else {
      sum.delivered += kept;
      segments[index].deliveredLines++;
    }
  }
  for (const [index, segment] of segments.entries()) {
    const sum = terms[index];
    // No record stands for the rest: white-space lines.
    sum.filtered = segment.to - segment.from - sum.delivered - sum.deadLettered - sum.cut;
    segment.terms = sum;
  }
}

/**
 * The commit that a cursor can make now: its longest run of settled segments, in file order. Undefined when the first one
 * still waits. The segments are taken off only by `dropCommitted`, once the journal has the commit.
 */
export function nextCommit(cursor: Cursor): Commit | undefined {
  const sum: Terms = { delivered: 0, filtered: 0, deadLettered: 0, cut: 0, lost: 0 };
  let last;
  for (const segment of cursor.uncommitted) {
    if (segment.terms === undefined) break;
    last = segment;
    sum.delivered += segment.terms.delivered;
    sum.filtered += segment.terms.filtered;
    sum.deadLettered += segment.terms.deadLettered;
    sum.cut += segment.terms.cut;
    sum.lost += segment.terms.lost;
  }
  if (last === undefined || last.to === cursor.record.committed) return undefined;
  const { tail, lastTime } = last;
  return { file: cursor.file.record, cursor: cursor.record, committed: last.to, tail, lastTime, terms: sum };
}

/** Forgets the segments that the journal has. */
export function dropCommitted(cursor: Cursor, commit: Commit): void {
  let settled = 0;
  while (settled < cursor.uncommitted.length && cursor.uncommitted[settled].to <= commit.committed) {
    if (cursor.uncommitted[settled].terms === undefined) break;
    settled++;
  }
  cursor.uncommitted.splice(0, settled);
}

/** Counts what was not read of a file as lost, since it is gone, and returns how many bytes that is. */
export function loseUnread(cursor: Cursor): number {
  const { file, read } = cursor;
  const lost = file.size - read;
  if (lost <= 0) return 0;
  const terms = { delivered: 0, filtered: 0, deadLettered: 0, cut: 0, lost };
  const lastTime = cursor.lane.lastTime();
  cursor.uncommitted.push({
    file,
    from: read,
    to: file.size,
    tail: Buffer.alloc(0),
    lastTime,
    terms,
    deliveredLines: 0,
  });
  cursor.read = file.size;
  cursor.scannedTo = file.size;
  return lost;
}
