import type { Clock } from "../core/clock.ts";
import { DRAIN_MIN_MS, DRAIN_SOON_FORGOTTEN_MS, GRACE_RESERVE_MS } from "../core/limits.ts";

/**
 * What `/-/drain-soon` announced: the Pod is being deleted and all will be killed at the end of its grace period, but SIGTERM
 * comes only after the application has exited. So the grace period runs from the announcement, and when SIGTERM comes, what is
 * left of it decides how long the drain may take.
 */
export class DrainSoon {
  readonly #clock: Clock;
  readonly #settingMs: () => number;
  #endsAtMs = -Infinity;

  /** `settingMs` is `drain.deadline`, as it is set now. */
  constructor(settingMs: () => number, clock: Clock) {
    this.#settingMs = settingMs;
    this.#clock = clock;
  }

  /**
   * Takes the announcement. Said again within its grace it changes nothing, or brings the end nearer if the new one is nearer:
   * the clock of a Pod's deletion is never set back. After the grace it is a new one, since whoever announced the first is alive.
   */
  announce(graceMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    const endsAtMs = nowMs + graceMs;
    this.#endsAtMs = nowMs < this.#endsAtMs ? Math.min(this.#endsAtMs, endsAtMs) : endsAtMs;
  }

  /** Whether batches are to be short now. Ends by itself some time after the grace period, when no SIGTERM came. */
  active(): boolean {
    return this.#clock.monotonicMs() < this.#endsAtMs + DRAIN_SOON_FORGOTTEN_MS;
  }

  /** How long a drain that begins now may take. */
  deadlineMs(): number {
    if (!this.active()) return this.#settingMs();
    const leftMs = this.#endsAtMs - this.#clock.monotonicMs() - GRACE_RESERVE_MS;
    return Math.min(this.#settingMs(), Math.max(leftMs, DRAIN_MIN_MS));
  }
}
