import type { Clock } from "../core/clock.ts";
import { BATCH_MAX_BYTES } from "../core/limits.ts";

/** The largest body that the other side takes, as far as that is known: halved when it was too large, doubled after a while. */
export class RequestSize {
  readonly #clock: Clock;
  #maxBytes = Infinity;
  #growsAtMs = Infinity;
  #growsEveryMs = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  halve(bytes: number, forgottenAfterMs: number): void {
    this.#maxBytes = Math.max(1, Math.floor(Math.min(bytes, this.#maxBytes) / 2));
    this.#growsEveryMs = forgottenAfterMs;
    this.#growsAtMs = this.#clock.monotonicMs() + forgottenAfterMs;
  }

  maxBytes(): number {
    const nowMs = this.#clock.monotonicMs();
    while (nowMs >= this.#growsAtMs) {
      this.#maxBytes *= 2;
      this.#growsAtMs = this.#maxBytes > BATCH_MAX_BYTES ? Infinity : this.#growsAtMs + this.#growsEveryMs;
    }
    return this.#maxBytes > BATCH_MAX_BYTES ? Infinity : this.#maxBytes;
  }
}
