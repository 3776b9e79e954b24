/**
 * A stand-in for Elasticsearch in a process of its own, that checks every line it gets and keeps none. Driven over Node's IPC:
 * each `{ask, …}` is answered with `{answer}`.
 * Usage: node sink.ts --max-line-bytes N
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startReceiver } from "../receiver.ts";
import { answerQuestions } from "./helper.ts";
import { busyAnswer } from "./storm.ts";
import { Tally } from "./tally.ts";

/** What the sink is asked. */
export type SinkQuestion =
  /** What came so far. */
  | { readonly ask: "report" }
  /** Which of the first `count` numbers never came. */
  | { readonly ask: "missing"; readonly count: number }
  /** Take requests and answer none for a moment, then refuse connections until `up`. */
  | { readonly ask: "down" }
  | { readonly ask: "up" }
  /** Refuse every document of the next requests, with an answer of megabytes. */
  | { readonly ask: "storm"; readonly requests: number };

export interface SinkReport {
  readonly documents: number;
  /** Second sends, answered with 409. */
  readonly conflicts: number;
  readonly cut: number;
  readonly doubled: number;
  readonly torn: number;
  readonly unknown: number;
  readonly requests: number;
  readonly inflatedBytes: number;
  readonly largestAnswerBytes: number;
  readonly samples: readonly string[];
}

const DEAF_MS = 300;

const { values } = parseArgs({ options: { "max-line-bytes": { type: "string" } } });
const tally = new Tally(Number(values["max-line-bytes"]));
let storms = 0;
let isDeaf = false;
let largestAnswerBytes = 0;
let goUp: (() => void) | undefined;
let isUp: Promise<void> | undefined;

const receiver = await startReceiver({
  read: (body) => (storms > 0 ? { documents: 0, conflicts: new Set() } : tally.read(body)),
  answer: (body) => {
    if (isDeaf) return "never";
    if (storms <= 0) return undefined;
    storms--;
    let documents = 0;
    for (let at = body.indexOf(10); at >= 0; at = body.indexOf(10, at + 1)) documents++;
    const answer = busyAnswer(documents / 2);
    largestAnswerBytes = Math.max(largestAnswerBytes, answer.length);
    return answer;
  },
});

/** Takes requests for a moment and answers none, so that their outcome is unknown; then refuses connections. */
async function goDown(): Promise<void> {
  isDeaf = true;
  await sleep(DEAF_MS);
  isDeaf = false;
  isUp = receiver.goDownUntil(new Promise<void>((resolve) => (goUp = resolve)));
}

function report(): SinkReport {
  const { documents, conflicts, cut, flaws, samples } = tally;
  const { requests, inflatedBytes } = receiver.stats();
  return { documents, conflicts, cut, ...flaws, requests, inflatedBytes, largestAnswerBytes, samples };
}

answerQuestions({ url: receiver.url }, async (asked) => {
  const question = asked as SinkQuestion;
  if (question.ask === "report") return report();
  if (question.ask === "missing") return tally.missing(question.count);
  if (question.ask === "storm") storms = question.requests;
  else if (question.ask === "down") await goDown();
  else {
    goUp?.();
    await isUp;
  }
  return undefined;
});
