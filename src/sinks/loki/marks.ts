import { type Exchange, type Reply, Verdict } from "../exchange.ts";
import { lineBytesOf, nanosOf, secondOf, streamOf, totalOf } from "./entry.ts";
import { readRefusals } from "./refusal.ts";
import type { Streams } from "./streams.ts";

/** Marks the records of a stream, up to a position, whose push was taken. */
export function markDelivered(
  { buffer, from, verdicts, statuses }: Exchange,
  stream: number,
  end: number,
  status: number,
): void {
  for (let i = 0, at = from; i < end; at += totalOf(buffer, at), i++) {
    if (verdicts[i] !== Verdict.none || streamOf(buffer, at) !== stream) continue;
    verdicts[i] = Verdict.delivered;
    statuses[i] = status;
  }
}

/** Marks the records that a message refuses for certain, and returns how many. */
export function markRefused(exchange: Exchange, message: string, streams: Streams): number {
  const refusals = readRefusals(message);
  const { buffer, from, count, verdicts } = exchange;
  let marked = 0;
  for (let i = 0, at = from; i < count; at += totalOf(buffer, at), i++) {
    if (verdicts[i] !== Verdict.none) continue;
    const stream = streams.get(streamOf(buffer, at));
    const judged = {
      second: secondOf(buffer, at),
      nanos: nanosOf(buffer, at),
      lineBytes: lineBytesOf(buffer, at),
      labels: stream.text,
    };
    const refused = refusals.find(({ applies }) => applies(judged));
    if (refused === undefined) continue;
    marked++;
    // The stream with the fewest labels has no room either: there will be some when others have been silent for a while.
    const isFull = refused.type === "too_many_streams" && stream.labels.size === 1;
    verdicts[i] = isFull ? Verdict.waiting : Verdict.mendable;
    exchange.statuses[i] = isFull ? 429 : 400;
    exchange.types.set(i, refused.type);
    exchange.reasonsOfTypes.set(refused.type, refused.reason);
  }
  return marked;
}

/** Some streams were taken; those that were not wait, without the others going out again. */
export function letWait({ count, verdicts, statuses }: Exchange): Reply {
  for (let i = 0; i < count; i++) {
    if (verdicts[i] !== Verdict.none) continue;
    verdicts[i] = Verdict.waiting;
    statuses[i] = 429;
  }
  return { kind: "answered" };
}
