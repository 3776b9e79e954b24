import * as fc from "fast-check";
import { expect, test } from "vitest";
import { LOKI_PUSH_MAX_BYTES } from "../../../../src/core/loki-limits.ts";
import { Turns } from "../../../../src/sinks/loki/turns.ts";

const KiB = 1024;
/** Loki's default for `shard_streams.desired_rate`. */
const DESIRED_BYTES = 1_536 * KiB;
/** How much its average weighs the last second: pkg/distributor/ratestore.go of 3.5.3. */
const SMOOTHING = 0.4;
const STREAM = 0;

/** Since when the ingester counts, each second anew; since when and how often the distributor asks it. */
interface Moments {
  readonly countMs: number;
  readonly askMs: number;
  readonly everyMs: number;
}

/** What Loki thinks of the speed of a stream: bytes a second, counted by the ingester and asked for by the distributor. */
class Watcher {
  readonly #arrived: { readonly ms: number; readonly bytes: number }[] = [];
  readonly #o: Moments;

  constructor(moments: Moments) {
    this.#o = moments;
  }

  /** The speed with this push: more than is desired, and it is split. */
  push(ms: number, bytes: number): number {
    const speed = this.#rateAt(ms) + bytes;
    this.#arrived.push({ ms, bytes });
    return speed;
  }

  #rateAt(ms: number): number {
    const { countMs, askMs, everyMs } = this.#o;
    let rate: number | undefined;
    for (let askedMs = askMs; askedMs <= ms; askedMs += everyMs) {
      const endMs = Math.floor((askedMs - countMs) / 1_000) * 1_000 + countMs;
      const second = this.#arrived.filter((push) => push.ms >= endMs - 1_000 && push.ms < endMs);
      const bytes = second.reduce((sum, push) => sum + push.bytes, 0);
      if (rate !== undefined) rate = SMOOTHING * bytes + (1 - SMOOTHING) * rate;
      else if (bytes > 0) rate = bytes;
    }
    return rate ?? 0;
  }
}

/** The fastest that Loki sees a stream at, of a sender that always has something to send and is killed now and then. */
const sending = fc.record({
  moments: fc.record({
    countMs: fc.integer({ min: 0, max: 999 }),
    askMs: fc.integer({ min: 0, max: 999 }),
    everyMs: fc.integer({ min: 800, max: 1_200 }),
  }),
  pushes: fc.array(
    fc.record({
      bytes: fc.oneof(fc.constant(LOKI_PUSH_MAX_BYTES), fc.integer({ min: 1 * KiB, max: LOKI_PUSH_MAX_BYTES })),
      answerMs: fc.integer({ min: 1, max: 400 }),
      isKilled: fc.integer({ min: 0, max: 7 }).map((n) => n === 0),
      // From the kill to the first look of the next process at its files.
      restartMs: fc.integer({ min: 100, max: 2_000 }),
    }),
    { minLength: 8, maxLength: 40 },
  ),
});

test("no stream is so fast that Loki splits it, from its first push on and over kills", () => {
  fc.assert(
    fc.property(sending, ({ moments, pushes }) => {
      const watcher = new Watcher(moments);
      let nowMs = 10_000;
      let turns = new Turns(nowMs);
      for (const { bytes, answerMs, isKilled, restartMs } of pushes) {
        nowMs += Math.max(0, turns.waitMs(STREAM, 1, nowMs));
        turns.left(STREAM, bytes, 1, nowMs);
        expect(watcher.push(nowMs, bytes)).toBeLessThanOrEqual(DESIRED_BYTES);
        nowMs += isKilled ? restartMs : answerMs;
        if (isKilled) turns = new Turns(nowMs);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("a stream that was silent sends at once, and a slow one is not slowed down", () => {
  const turns = new Turns(0);
  expect(turns.waitMs(STREAM, 1, 2_000)).toBeLessThanOrEqual(0);
  for (let ms = 2_000; ms < 12_000; ms += 1_000) {
    expect(turns.waitMs(STREAM, 1, ms)).toBeLessThanOrEqual(0);
    turns.left(STREAM, 640 * KiB, 1, ms);
  }
});
