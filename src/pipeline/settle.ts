import { type Batch, Outcome } from "../core/batch.ts";
import type { Segment } from "../core/segment.ts";
import { type Commit, type Terms, noTerms } from "../core/state.ts";
import type { Cursor } from "./cursor.ts";

/**
 * Adds the outcomes of a batch that its sink is done with to the terms of its segments. A segment is settled then, unless
 * records of it were moved into another batch: that one settles it.
 */
export function settleSegments(batch: Batch): void {
  const { segments } = batch;
  const open = new Set<Segment>();
  for (let record = 0; record < batch.count; record++) {
    const segment = segments[batch.segmentOf[record]];
    const { terms } = segment;
    const outcome = batch.outcome[record];
    if (outcome === Outcome.moved) {
      open.add(segment);
      continue;
    }
    const cut = batch.cut[record];
    const kept = batch.to[record] - batch.from[record] - cut;
    terms.cut += cut;
    if (outcome === Outcome.deadLettered) terms.deadLettered += kept;
    else terms.delivered += kept;
  }
  for (const segment of segments) {
    if (open.has(segment)) continue;
    const { terms, from, to } = segment;
    // Two letters of one event were dropped while it was on its way: it is lost once.
    if (terms.deadLettered < 0) {
      terms.lost += terms.deadLettered;
      terms.deadLettered = 0;
    }
    // No record stands for the rest: white-space lines.
    terms.filtered = to - from - terms.delivered - terms.deadLettered - terms.cut - terms.lost;
    segment.settled = true;
  }
}

/**
 * The commit that a cursor can make now: its longest run of settled segments, in file order. Undefined when the first one
 * still waits. The segments are taken off only by `dropCommitted`, once the journal has the commit.
 */
export function nextCommit(cursor: Cursor): Commit | undefined {
  joinSettled(cursor.uncommitted);
  const first = cursor.uncommitted[0];
  if (first === undefined || !first.settled) return undefined;
  const { to, tail, lastTime, terms } = first;
  const { file, record } = cursor;
  return { file: file.record, cursor: record, committed: to, tail, lastTime, terms, seenBytes: file.size };
}

/**
 * Makes one segment of settled ones that follow each other. A record that nobody takes can hold back the commit for as long
 * as its sink lives; the list behind it is no longer than what is in flight.
 */
function joinSettled(segments: Segment[]): void {
  let kept = 0;
  for (const segment of segments) {
    if (segment.settled && segment.to === segment.from) continue;
    const before = kept > 0 ? segments[kept - 1] : undefined;
    if (before !== undefined && before.settled && segment.settled) {
      before.to = segment.to;
      before.tail = segment.tail;
      before.lastTime = segment.lastTime;
      addTerms(before.terms, segment.terms);
    } else segments[kept++] = segment;
  }
  segments.length = kept;
}

function addTerms(sum: Terms, more: Terms): void {
  sum.delivered += more.delivered;
  sum.filtered += more.filtered;
  sum.deadLettered += more.deadLettered;
  sum.cut += more.cut;
  sum.lost += more.lost;
}

/** Forgets the segments that the journal has. */
export function dropCommitted(cursor: Cursor, commit: Commit, nowMs: number): void {
  cursor.behindSinceMs = cursor.isCommitted ? Infinity : nowMs;
  const { uncommitted } = cursor;
  while (uncommitted.length > 0 && uncommitted[0].settled && uncommitted[0].to <= commit.committed) uncommitted.shift();
}

/** Counts what was not read of a file as lost, since it is gone, and returns how many bytes that is. */
export function loseUnread(cursor: Cursor): number {
  const { file, read } = cursor;
  const lost = file.size - read;
  if (lost <= 0) return 0;
  const lastTime = cursor.lane.lastTime();
  const terms = { ...noTerms(), lost };
  cursor.uncommitted.push({ file, from: read, to: file.size, tail: Buffer.alloc(0), lastTime, terms, settled: true });
  cursor.read = file.size;
  cursor.scannedTo = file.size;
  return lost;
}
