import { constants, PerformanceObserver } from "node:perf_hooks";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import { Slice } from "../../../src/files/slice.ts";

const { NODE_PERFORMANCE_GC_MINOR, NODE_PERFORMANCE_GC_FLAGS_FORCED } = constants;

/** Collections of the young generation that were asked for meanwhile. */
async function collectionsDuring(work: () => void): Promise<number> {
  let count = 0;
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind, flags } = (entry as unknown as { detail: { kind: number; flags: number } }).detail;
      if (kind === NODE_PERFORMANCE_GC_MINOR && (flags & NODE_PERFORMANCE_GC_FLAGS_FORCED) !== 0) count++;
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  work();
  await sleep(100);
  // It is told in a turn that a machine which stood still meanwhile has not come to yet.
  for (let turn = 0; turn < 3; turn++) await nextTurn();
  observer.disconnect();
  return count;
}

test("what thousands of looks leave behind is collected on the way, and a few looks collect nothing", async () => {
  const slice = new Slice(systemClock);
  const look = (times: number) => (): void => {
    for (let i = 0; i < times; i++) slice.looked(1);
  };
  expect(await collectionsDuring(look(1_000))).toBe(0);
  expect(await collectionsDuring(look(9_300))).toBe(10);
});
