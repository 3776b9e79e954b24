import { LOOP_TICK_MS, LOOP_TICKS_KEPT } from "../core/limits.ts";

/**
 * Measures whether the event loop turns: a timer says how late it came. `/livez` answers on the same loop, so an answer at all
 * proves that it turns now; what this adds is how long it stood still lately, and a failure while timers starve.
 */
export class LoopMonitor {
  readonly #lateMs = new Float64Array(LOOP_TICKS_KEPT);
  readonly #timer: NodeJS.Timeout;
  #ticks = 0;
  #lastMs = performance.now();

  constructor() {
    this.#timer = setInterval(() => this.#tick(), LOOP_TICK_MS).unref();
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#lateMs[this.#ticks % LOOP_TICKS_KEPT] = Math.max(0, nowMs - this.#lastMs - LOOP_TICK_MS);
    this.#ticks++;
    this.#lastMs = nowMs;
  }

  /** How long the tick is overdue. */
  overdueMs(): number {
    return Math.max(0, performance.now() - this.#lastMs - LOOP_TICK_MS);
  }

  /** The longest standstill of the last ten seconds. */
  worstDelayMs(): number {
    return Math.max(this.overdueMs(), ...this.#lateMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
