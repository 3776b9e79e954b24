import { type Exchange, Verdict } from "../exchange.ts";
import type { Choice } from "./choice.ts";
import { Place, lineBytesOf, nanosOf, secondOf, streamOf, totalOf } from "./entry.ts";
import { oldestSecond, readRefusals, refusalOf, storedBeside } from "./refusal.ts";
import type { Streams } from "./streams.ts";

/** Marks the records of a push that was taken. */
export function markDelivered({ verdicts, statuses }: Exchange, choice: Choice, status: number): void {
  const { view } = choice.records;
  if (choice.isRun) {
    verdicts.fill(Verdict.delivered, choice.first, choice.end);
    statuses.fill(status, choice.first, choice.end);
    return;
  }
  for (let i = choice.first, at = choice.firstAt; i < choice.end; i++) {
    if (verdicts[i] === Verdict.none && view.getUint32(at + Place.stream, true) === choice.stream) {
      verdicts[i] = Verdict.delivered;
      statuses[i] = status;
    }
    at += view.getUint32(at + Place.total, true);
  }
}

/**
 * What is there of a push that was refused in part. Loki looks at each entry before it stores those that are left, and says
 * what was wrong with the others only when it has stored them: all up to a position of this stream that it did not refuse then.
 * What it refuses for what it says it refuses again, before it looks at the stream: so what is too far behind is what passed.
 */
export class Stored {
  #stream = -1;
  #end = 0;
  /** Of entries in this second some may have been refused as too old: it is where that begins, as far as Loki says it. */
  #exceptSecond = -1;

  note(stream: number, end: number, exceptSecond: number): void {
    this.#end = stream === this.#stream ? Math.max(this.#end, end) : end;
    if (stream !== this.#stream || exceptSecond >= 0) this.#exceptSecond = exceptSecond;
    this.#stream = stream;
  }

  holds(stream: number, position: number, second: number): boolean {
    return stream === this.#stream && position < this.#end && second !== this.#exceptSecond;
  }
}

/** Marks the records that a message refuses for certain, and returns how many. */
export function markRefused(
  exchange: Exchange,
  choice: Choice,
  message: string,
  streams: Streams,
  stored: Stored,
): number {
  const refusals = readRefusals(message);
  const { buffer, from, count, verdicts, statuses } = exchange;
  let marked = 0;
  let lastMarked = -1;
  for (let i = 0, at = from; i < count; at += totalOf(buffer, at), i++) {
    if (verdicts[i] !== Verdict.none) continue;
    const number = streamOf(buffer, at);
    const stream = streams.get(number);
    const second = secondOf(buffer, at);
    const judged = { second, nanos: nanosOf(buffer, at), lineBytes: lineBytesOf(buffer, at), labels: stream.text };
    const isAlone = choice.count === 1 && i === choice.first;
    const refused = refusals.find(({ applies }) => applies(judged)) ?? (isAlone ? refusalOf(message) : undefined);
    if (refused === undefined) continue;
    marked++;
    if (i < choice.end) lastMarked = i;
    // Elsewhere it would be there twice.
    if (refused.type === "too_far_behind" && stored.holds(number, i, second)) {
      verdicts[i] = Verdict.delivered;
      statuses[i] = 204;
      continue;
    }
    // The stream with the fewest labels has no room either: there will be some when others have been silent for a while.
    const isFull = refused.type === "too_many_streams" && stream.labels.size === 1;
    verdicts[i] = isFull ? Verdict.waiting : Verdict.mendable;
    statuses[i] = isFull ? 429 : 400;
    exchange.types.set(i, refused.type);
    exchange.reasonsOfTypes.set(refused.type, refused.reason);
  }
  const named = storedBeside(message);
  if (named !== "unknown") stored.note(choice.stream, named === "all" ? choice.end : lastMarked, oldestSecond(message));
  return marked;
}

/** Stands for the status of what was not asked about, since the push before it failed. */
export const HELD_STATUS = 0;

/** Lets those wait that have no verdict; false: nobody has one. */
export function letWait({ count, verdicts, statuses }: Exchange): boolean {
  if (verdicts.subarray(0, count).every((verdict) => verdict === Verdict.none)) return false;
  for (let i = 0; i < count; i++) {
    if (verdicts[i] !== Verdict.none) continue;
    verdicts[i] = Verdict.waiting;
    statuses[i] = HELD_STATUS;
  }
  return true;
}
