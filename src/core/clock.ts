/** Time as the stages see it; a simulation passes its own. */
export interface Clock {
  /** Milliseconds since 1970; may step. */
  nowMs(): number;
  /** Milliseconds that never step back; for intervals. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
