/** Sends requests that are answered at length, and prints the process's own memory: before, after the first few, and the highest. */
import { readFileSync } from "node:fs";
import { systemClock } from "../../../src/core/clock.ts";
import { AnswerScanner } from "../../../src/sinks/elasticsearch/answer.ts";
import { type Body, Carrier } from "../../../src/sinks/http/carrier.ts";
import { configOf } from "./helpers.ts";

const [url, requests] = process.argv.slice(2);
const carrier = new Carrier(configOf([url]), systemClock);
const { signal } = new AbortController();
const bytes = Buffer.alloc(300_000, "x");
const body = (): Promise<Body> => Promise.resolve({ bytes });
let items = 0;
const reader = { item: (): void => undefined, successes: (_position: number, count: number) => void (items += count) };

function ownMiB(): number {
  return Number(/RssAnon:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1_024;
}

const startMiB = ownMiB();
let firstMiB = 0;
let highestMiB = 0;
let pieces = 0;
const look = (): void => void (highestMiB = Math.max(highestMiB, ownMiB()));
async function lane(): Promise<void> {
  const scanner = new AnswerScanner();
  for (let i = 0; i < Number(requests) / 2; i++) {
    scanner.begin(reader);
    const read = (chunk: Buffer): void => {
      scanner.write(chunk);
      if (++pieces % 20 === 0) look();
    };
    await carrier.send({ method: "POST", path: "/x/y", body }, () => read, signal);
    if (i === 5) firstMiB ||= ownMiB();
  }
}
await Promise.all([lane(), lane()]);
carrier.close();
process.stdout.write(JSON.stringify({ items, startMiB, firstMiB, highestMiB }));
