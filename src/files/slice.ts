import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../core/clock.ts";
import { collect } from "../core/collect.ts";
import { SWEEP_SLICE_MS } from "../core/limits.ts";

/** Looks after which young garbage is collected: each leaves 0.6 KiB behind. */
const LOOKS_PER_COLLECTION = 1_024;

/** Keeps long work from holding the loop: `if (slice.isOver()) await slice.rest()`. */
export class Slice {
  readonly #clock: Clock;
  #endsAtMs = 0;
  #spentMs = 0;
  #looks = 0;
  /** The work is no longer wanted: it ends at its next rest, which throws. */
  isCut = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A piece of work begins. */
  begin(): void {
    this.#endsAtMs = this.#clock.monotonicMs() + SWEEP_SLICE_MS;
  }

  isOver(): boolean {
    return this.#clock.monotonicMs() >= this.#endsAtMs;
  }

  /** Time that all work so far took, rests left out. */
  get spentMs(): number {
    return this.#spentMs + this.#clock.monotonicMs() - (this.#endsAtMs - SWEEP_SLICE_MS);
  }

  /**
   * So many files that are not open were looked at. V8 would let the garbage of thousands of looks fill all of its young space,
   * 8 MiB, before it collects any of it, and an agent that does nothing else would have these 8 MiB for ever.
   */
  looked(files: number): void {
    this.#looks += files;
    if (this.#looks < LOOKS_PER_COLLECTION) return;
    this.#looks = 0;
    collect("minor");
  }

  async rest(): Promise<void> {
    this.#spentMs = this.spentMs;
    await nextTurn();
    if (this.isCut) throw new Error("the sweep was cut short");
    this.begin();
  }
}
