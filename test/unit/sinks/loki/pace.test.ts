import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../../../src/core/clock.ts";
import { Pace, streamRefusal } from "../../../../src/sinks/loki/pace.ts";

const MiB = 1024 ** 2;
const never = new AbortController().signal;

/** Time that passes only when everybody waits. */
class World {
  nowMs = 1_000;
  readonly #sleepers: { readonly untilMs: number; readonly wake: () => void }[] = [];

  readonly sleep = (ms: number): Promise<void> =>
    new Promise((wake) => this.#sleepers.push({ untilMs: this.nowMs + ms, wake }));

  /** Lets so much time pass. */
  async pass(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    for (;;) {
      await setImmediate();
      this.#sleepers.sort((a, b) => a.untilMs - b.untilMs);
      const next = this.#sleepers[0];
      if (next === undefined || next.untilMs > endMs) break;
      this.#sleepers.shift();
      this.nowMs = next.untilMs;
      next.wake();
    }
    this.nowMs = endMs;
  }
}

/** Loki's limiter: it saves up what is not taken, up to its burst, and takes nothing of what it refuses. */
class Limiter {
  taken = 0;
  refused = 0;
  #tokens = 0;
  #atMs: number;
  readonly #world: World;
  readonly #rate: number;
  readonly #burst: number;

  constructor(world: World, rate: number, burst: number) {
    this.#world = world;
    this.#atMs = world.nowMs;
    this.#rate = rate;
    this.#burst = burst;
  }

  /** The words of a refusal, or undefined. */
  take(bytes: number): string | undefined {
    const { nowMs } = this.#world;
    this.#tokens = Math.min(this.#burst, this.#tokens + ((nowMs - this.#atMs) / 1_000) * this.#rate);
    this.#atMs = nowMs;
    if (bytes <= this.#tokens) {
      this.#tokens -= bytes;
      this.taken += bytes;
      return undefined;
    }
    this.refused++;
    return refusal(this.#rate, bytes);
  }
}

function refusal(limit: number, bytes: number): string {
  return `Ingestion rate limit exceeded for user fake (limit: ${limit} bytes/sec) while attempting to ingest '9' lines totaling '${bytes}' bytes, reduce log volume`;
}

/** Two senders that always have something, for some seconds. */
async function send(world: World, limiter: Limiter, bytes: number, seconds: number): Promise<void> {
  const pace = new Pace({ ...systemClock, monotonicMs: () => world.nowMs }, world.sleep);
  const endMs = world.nowMs + seconds * 1_000;
  const lane = async (): Promise<void> => {
    while (world.nowMs < endMs) {
      await pace.wait(bytes, never);
      // A push takes a while, and timers are a little late.
      await world.sleep(7);
      const message = limiter.take(bytes);
      if (message === undefined) pace.taken();
      else pace.refused(message, bytes);
    }
  };
  const lanes = [lane(), lane()];
  await world.pass(seconds * 1_000 + 10_000);
  await Promise.all(lanes);
}

describe("a server with a limit", () => {
  test.each([1.1, 1.5, 2, 4])("gets nearly all that it allows, with a burst of %d pushes", async (burst) => {
    const world = new World();
    const limiter = new Limiter(world, 10 * MiB, burst * MiB);
    await send(world, limiter, MiB, 60);
    expect(limiter.taken / (60 * 10 * MiB)).toBeGreaterThan(0.95);
    expect(limiter.refused).toBeLessThan(200);
  });

  test("is not slowed down for a refusal that names no limit", async () => {
    const pace = new Pace(systemClock);
    expect(pace.refused("slow down", MiB)).toBe(false);
    expect(pace.bytesPerSecond).toBe(Infinity);
    const startMs = performance.now();
    for (let i = 0; i < 3; i++) await pace.wait(MiB, never);
    expect(performance.now() - startMs).toBeLessThan(500);
  });

  test("is believed when it names a limit, and a little more is tried with time", () => {
    let nowMs = 0;
    const pace = new Pace({ ...systemClock, monotonicMs: () => nowMs });
    expect(pace.refused(refusal(MiB, 2 * MiB), 2 * MiB)).toBe(true);
    const first = pace.bytesPerSecond;
    expect(first).toBeLessThan(MiB);
    for (let second = 0; second < 10; second++) {
      nowMs += 1_000;
      pace.taken();
    }
    expect(pace.bytesPerSecond).toBeGreaterThan(1.1 * MiB);
    const before = pace.bytesPerSecond;
    // Nothing was sent for an hour: that proves nothing about its limit.
    nowMs += 3_600_000;
    pace.taken();
    expect(pace.bytesPerSecond).toBeLessThan(1.05 * before);
    for (let i = 0; i < 10; i++) pace.refused(refusal(MiB, 2 * MiB), 2 * MiB);
    expect(pace.bytesPerSecond).toBe(first);
  });

  test("has pushes of more than a second's worth made smaller", () => {
    const pace = new Pace(systemClock);
    expect(pace.isTooMuchAtOnce(refusal(MiB, 2 * MiB))).toBe(true);
    expect(pace.isTooMuchAtOnce(refusal(2 * MiB, MiB))).toBe(false);
  });
});

describe("a refusal for the speed of one stream", () => {
  test("says which one that is about, and how much", () => {
    const words =
      "entry with timestamp 2026-11-23 14:00:00.1 +0000 UTC ignored, reason: 'Per stream rate limit exceeded (limit: 3MB/sec) while attempting to ingest for stream '{a=\"1\"}' totaling 2.1MB, consider splitting a stream via additional labels',\nuser 'fake', total ignored: 1 out of 1 for stream: {a=\"1\"}";
    expect(streamRefusal(words)).toEqual({ limit: 3 * MiB, bytes: 2.1 * MiB });
    expect(streamRefusal(refusal(MiB, MiB))).toBeUndefined();
  });

  test("of a single entry does not make the next try come at once", () => {
    expect(streamRefusal("Per stream rate limit exceeded (limit: 1KB/sec) for stream '{}' totaling 10B")).toEqual({
      limit: 1024,
      bytes: 256,
    });
  });
});
