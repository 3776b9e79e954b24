import { setTimeout as sleep } from "node:timers/promises";
import { RETRY_AFTER_MAX_MS } from "../core/delivery-limits.ts";
import { DeliveryAborted } from "../core/sink.ts";
import type { DeliveryTimes } from "./times.ts";

/** Waits; rejects with DeliveryAborted as soon as the signal says so. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    throw new DeliveryAborted("stopped while waiting to try again");
  }
}

export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new DeliveryAborted("stopped");
}

/**
 * Exponential back-off with full jitter: a random time below a bound that doubles. Many agents whose server comes back do not
 * return in step, and the first try is soon.
 */
export class Backoff {
  /** Failures in a row. */
  failures = 0;
  readonly #times: DeliveryTimes;

  constructor(times: DeliveryTimes) {
    this.#times = times;
  }

  /** The time to wait after one more failure; at least what the server asked for. */
  nextMs(retryAfterMs = 0): number {
    const bound = Math.min(this.#times.backoffMaxMs, this.#times.backoffFirstMs * 2 ** Math.min(this.failures++, 20));
    return Math.max(Math.random() * bound, Math.min(retryAfterMs, RETRY_AFTER_MAX_MS));
  }

  reset(): void {
    this.failures = 0;
  }
}

/** Waits that end early when somebody gets through: after an outage all go on at once, not each at its own time. */
export class Naps {
  readonly #sleepers: Set<AbortController> = new Set();

  /** Whoever aborts the signal has to wake everybody. */
  async nap(ms: number, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    const sleeper = new AbortController();
    this.#sleepers.add(sleeper);
    try {
      await sleep(ms, undefined, { signal: sleeper.signal });
    } catch {
      throwIfAborted(signal);
    } finally {
      this.#sleepers.delete(sleeper);
    }
  }

  wake(): void {
    for (const sleeper of this.#sleepers) sleeper.abort();
  }
}

/** One at a time, in the order of asking. */
export class Turnstile {
  #last: Promise<void> = Promise.resolve();

  async pass<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#last;
    let done!: () => void;
    this.#last = new Promise((resolve) => (done = resolve));
    await before;
    try {
      return await work();
    } finally {
      done();
    }
  }
}
