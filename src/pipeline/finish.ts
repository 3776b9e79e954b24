import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../core/clock.ts";
import { SWEEP_HOT_MS } from "../core/limits.ts";
import type { Pipeline } from "./pipeline.ts";

/** How often a finish looks whether it is done. */
const LOOK_MS = 25;

/**
 * Reads, delivers and commits everything that is in the files, tails included. Used by `--once`, which has no deadline, and
 * by the drain. True when all is committed; false when the deadline came first or `signal` ended it.
 */
export async function finishPipelines(options: {
  pipelines: readonly Pipeline[];
  sweep: () => Promise<void>;
  clock: Clock;
  /** Asked again each time, since a drain can be shortened while it goes on. */
  deadlineMs: () => number;
  signal: AbortSignal;
}): Promise<boolean> {
  const { pipelines, clock, signal } = options;
  await options.sweep();
  for (const pipeline of pipelines) pipeline.finish();
  let sweptAtMs = clock.monotonicMs();
  while (!signal.aborted && clock.monotonicMs() < options.deadlineMs()) {
    for (const pipeline of pipelines) pipeline.endQuietTails();
    const now = clock.monotonicMs();
    const done = pipelines.every((pipeline) => pipeline.isDone);
    if (done || now - sweptAtMs >= SWEEP_HOT_MS) {
      await options.sweep();
      sweptAtMs = now;
      if (done && pipelines.every((pipeline) => pipeline.isDone)) return true;
    }
    await sleep(LOOK_MS);
  }
  return pipelines.every((pipeline) => pipeline.isDone);
}
