import { HOT_FOR_MS, SWEEP_COLD_MS, SWEEP_HOT_MS, SWEEP_WARM_MS, WARM_FOR_MS } from "../core/limits.ts";

/**
 * When something that was last active at `activeAtMs` is looked at next. The moments lie on a grid, so that a thousand idle
 * files wake the process once and not a thousand times.
 */
export function nextLookMs(nowMs: number, activeAtMs: number): number {
  const quietMs = nowMs - activeAtMs;
  const stepMs = quietMs < HOT_FOR_MS ? SWEEP_HOT_MS : quietMs < WARM_FOR_MS ? SWEEP_WARM_MS : SWEEP_COLD_MS;
  return (Math.floor(nowMs / stepMs) + 1) * stepMs;
}
