import { type Exchange, type Reply, Verdict } from "../exchange.ts";
import type { Choice } from "./choice.ts";
import { Place, lineBytesOf, nanosOf, secondOf, streamOf, totalOf } from "./entry.ts";
import { readRefusals } from "./refusal.ts";
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
 */
export interface Stored {
  stream: number;
  end: number;
  /** Of entries in this second some may have been refused as too old: it is where that begins, as far as Loki says it. */
  exceptSecond: number;
}

/** Marks the records that a message refuses for certain, and returns how many. */
export function markRefused(exchange: Exchange, message: string, streams: Streams, stored: Stored): number {
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
    // What was stored beside newer ones is too far behind them when it is asked about again: elsewhere it would be there twice.
    if (
      refused.type === "too_far_behind" &&
      i < stored.end &&
      streamOf(buffer, at) === stored.stream &&
      judged.second !== stored.exceptSecond
    ) {
      verdicts[i] = Verdict.delivered;
      exchange.statuses[i] = 204;
      continue;
    }
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
