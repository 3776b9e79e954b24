import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../core/clock.ts";
import { SWEEP_SLICE_MS } from "../core/limits.ts";

/** Keeps long work from holding the loop: `if (slice.isOver()) await slice.rest()`. */
export class Slice {
  readonly #clock: Clock;
  #endsAtMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  begin(): void {
    this.#endsAtMs = this.#clock.monotonicMs() + SWEEP_SLICE_MS;
  }

  isOver(): boolean {
    return this.#clock.monotonicMs() >= this.#endsAtMs;
  }

  async rest(): Promise<void> {
    await nextTurn();
    this.begin();
  }
}
