import type { Facts, Lane } from "../../core/record.ts";

const NS_PER_SECOND = 1e9;
const NS_PER_MS = 1e6;

/**
 * Gives a record its time, in nanoseconds, as its own time and what is added to it. Loki keeps one of two entries with the same
 * stream, time and line, which makes it harmless to send one again, and would make one of two equal lines. So what is below
 * the last digit of a time as it was written is made from the file and the place in it, and rises from line to line:
 *
 *   the first line of a step (of a millisecond, mostly)   its time + (seed + offset) mod step, a millisecond at most
 *   the next lines in it, and lines without a time        one nanosecond after the line before
 *   lines of a file that has said no time so far          the one that was assigned to them, `assignedMs`, as if they said it
 *
 * All of it follows from the file's bytes and what the lane remembers, which is journaled with each commit: whoever reads the
 * line again gives it the same time. A line can only be the same as another one when both say the same time, so collisions
 * are between lines of one step: of two files they need the same remainder, of one file (a step that was left and came back)
 * the same offset modulo the step. Times in nanoseconds leave no room; only lines next to each other are told apart then.
 */
export function takeTime(lane: Lane, facts: Facts, assignedMs: number, offset: number, seed: number): void {
  let { second, nanos, stepNanos } = facts;
  const isFirst = Number.isNaN(lane.second);
  if (!facts.hasTime) {
    const isLater = lane.isAssigned && assignedMs > lane.second * 1_000 + lane.nanos / NS_PER_MS;
    if (!isFirst && !isLater) {
      lane.addedNanos++;
      return;
    }
    second = Math.floor(assignedMs / 1_000);
    nanos = (assignedMs - second * 1_000) * NS_PER_MS;
    stepNanos = NS_PER_MS;
  }
  const fresh = (seed + offset) % Math.min(stepNanos, NS_PER_MS);
  let added = fresh;
  if (!isFirst) {
    const since = (second - lane.second) * NS_PER_SECOND + (nanos - lane.nanos);
    /** When the last one was sent, seen from this one's time. */
    const last = lane.addedNanos - since;
    const isSameStep = since === 0 || (last >= 0 && last < stepNanos);
    if (isSameStep || (since > 0 && fresh <= last)) added = last + 1;
  }
  lane.second = second;
  lane.nanos = nanos;
  lane.addedNanos = added;
  lane.isAssigned = !facts.hasTime;
}
