import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Facts, Lane } from "../../../../src/core/record.ts";
import { takeTime } from "../../../../src/sinks/loki/moment.ts";

const FALLBACK_MS = 1_795_000_000_123;

/** A line: its own time in nanoseconds after a second, at a resolution; undefined when it has none. */
interface Timed {
  readonly bytes: number;
  readonly own: { readonly second: number; readonly nanos: number; readonly step: number } | undefined;
}

function factsOf({ own }: Timed): Facts {
  const facts = new Facts();
  if (own === undefined) return facts;
  facts.hasTime = true;
  facts.second = own.second;
  facts.nanos = own.nanos;
  facts.stepNanos = own.step;
  return facts;
}

/** Times of the lines of one file, in nanoseconds. `restart` makes a new lane from what the journal holds, before that line. */
function timesOf(lines: readonly Timed[], seed: number, restart = -1): bigint[] {
  let lane = new Lane();
  let offset = 0;
  return lines.map((line, i) => {
    if (i === restart) {
      const journaled = lane.lastTime();
      lane = new Lane();
      lane.setLastTime(journaled);
    }
    takeTime(lane, factsOf(line), FALLBACK_MS, offset, seed);
    offset += line.bytes;
    return BigInt(lane.second) * 1_000_000_000n + BigInt(lane.nanos + lane.addedNanos);
  });
}

const step = fc.constantFrom(1e9, 1e6, 1e3, 100, 1);
const own = fc
  .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 999_999_999 }), step)
  .map(([second, nanos, stepNanos]) => ({
    second: 1_795_000_000 + second,
    nanos: nanos - (nanos % stepNanos),
    step: stepNanos,
  }));
const lines = fc.array(
  fc.record({ bytes: fc.integer({ min: 2, max: 400 }), own: fc.option(own, { nil: undefined, freq: 3 }) }),
  { minLength: 1, maxLength: 60 },
);
const seeds = fc.integer({ min: 0, max: 0xffff_ffff });

describe("the time of an entry", () => {
  test("is the same after a restart before any line", () => {
    fc.assert(
      fc.property(lines, seeds, (list, seed) => {
        const times = timesOf(list, seed);
        for (let i = 0; i < list.length; i++) expect(timesOf(list, seed, i)).toEqual(times);
      }),
    );
  });

  test("rises from line to line where the lines' own times do not fall, and stays within a millisecond of theirs", () => {
    const rising = fc
      .tuple(
        step,
        fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 2, max: 400 })), { minLength: 1 }),
      )
      .map(([stepNanos, steps]) => {
        let nanos = 0;
        return steps.map(([ahead, bytes]): Timed => {
          nanos += ahead * stepNanos;
          const second = 1_795_000_000 + Math.floor(nanos / 1e9);
          return { bytes, own: { second, nanos: nanos % 1e9, step: stepNanos } };
        });
      });
    fc.assert(
      fc.property(rising, seeds, (list, seed) => {
        const times = timesOf(list, seed);
        for (let i = 0; i < list.length; i++) {
          const ownTime = BigInt(list[i].own!.second) * 1_000_000_000n + BigInt(list[i].own!.nanos);
          if (i > 0) expect(times[i]).toBeGreaterThan(times[i - 1]);
          expect(times[i]).toBeGreaterThanOrEqual(ownTime);
          expect(times[i] - ownTime).toBeLessThan(1_001_000n);
        }
      }),
    );
  });

  test("of lines without one is a nanosecond behind the line before, from the file's own time on", () => {
    const list = Array.from({ length: 4 }, (): Timed => ({ bytes: 10, own: undefined }));
    const times = timesOf(list, 7);
    expect(times).toEqual([0n, 1n, 2n, 3n].map((i) => BigInt(FALLBACK_MS) * 1_000_000n + 7n + i));
  });

  test("of lines in a file that says none is the one that was assigned when they were read, also after a restart", () => {
    const lane = new Lane();
    const at = (current: Lane, assignedMs: number, offset: number): bigint => {
      takeTime(current, new Facts(), assignedMs, offset, 0);
      return BigInt(current.second) * 1_000_000_000n + BigInt(current.nanos + current.addedNanos);
    };
    const first = at(lane, FALLBACK_MS, 0);
    expect(at(lane, FALLBACK_MS, 10)).toBe(first + 1n);
    const again = new Lane();
    again.setLastTime(lane.lastTime());
    for (const each of [lane, again]) {
      expect(at(each, FALLBACK_MS + 5_000, 20)).toBe(BigInt(FALLBACK_MS + 5_000) * 1_000_000n + 20n);
      // A line that says its time ends that; what follows it, belongs to it.
      takeTime(each, factsOf({ bytes: 1, own: { second: 1_796_000_000, nanos: 0, step: 1e6 } }), 0, 30, 0);
      expect(at(each, FALLBACK_MS + 9_000, 40)).toBe(1_796_000_000_000_000_000n + 31n);
    }
  });

  test("tells equal lines apart that say the same millisecond, also when others stand between them", () => {
    const at = (ms: number): Timed => ({ bytes: 30, own: { second: 1_795_000_000, nanos: ms * 1e6, step: 1e6 } });
    const list = [at(1), at(1), at(2), at(1), at(1), at(3), at(2)];
    const times = timesOf(list, 5);
    expect(new Set(times).size).toBe(list.length);
    // The same file under another key, as a second agent with the same labels has it.
    const others = timesOf(list, 123_456);
    expect(times.filter((time) => others.includes(time))).toEqual([]);
  });

  test("in nanoseconds leaves room for lines next to each other only", () => {
    const at = (nanos: number): Timed => ({ bytes: 30, own: { second: 1_795_000_000, nanos, step: 1 } });
    const times = timesOf([at(5), at(5), at(5), at(9)], 1).map((time) => Number(time % 1_000n));
    expect(times).toEqual([5, 6, 7, 9]);
  });
});
