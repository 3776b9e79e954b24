import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../core/clock.ts";
import { SWEEP_HOT_MS } from "../core/limits.ts";
import type { Pipeline } from "./pipeline.ts";

/** How often a finish looks whether it is done. */
const LOOK_MS = 25;

/**
 * Reads, delivers and commits everything that is in the files, tails included. Used by `--once`, which has no deadline, and
 * by the drain. True when all is committed; false when the deadline came first or `signal` ended it. No sweep is waited for:
 * on a slow disk with many files it may take longer than there is time.
 */
export async function finishPipelines(options: {
  pipelines: readonly Pipeline[];
  sweep: () => Promise<void>;
  clock: Clock;
  /** Asked again each time, since a drain can be shortened while it goes on. */
  deadlineMs: () => number;
  signal: AbortSignal;
  /** For a simulation, in which time runs faster. */
  lookMs?: number;
}): Promise<boolean> {
  const { pipelines, clock, signal } = options;
  const isDone = (): boolean => pipelines.every((pipeline) => pipeline.isDone);
  let isSweeping = false;
  let sweptAtMs = -Infinity;
  /** All was done when a sweep began; if that found nothing more, it is the end. */
  let isConfirmed = false;
  const look = async (): Promise<void> => {
    isSweeping = true;
    const wasDone = isDone();
    await options.sweep();
    isConfirmed = wasDone;
    isSweeping = false;
    sweptAtMs = clock.monotonicMs();
  };

  for (const pipeline of pipelines) pipeline.finish();
  while (!signal.aborted && clock.monotonicMs() < options.deadlineMs()) {
    for (const pipeline of pipelines) pipeline.endQuietTails();
    if (!isSweeping) {
      const done = isDone();
      if (done && isConfirmed) return true;
      if (done || clock.monotonicMs() - sweptAtMs >= SWEEP_HOT_MS) void look();
    }
    await sleep(options.lookMs ?? LOOK_MS);
  }
  return false;
}
