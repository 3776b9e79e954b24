import type { Clock } from "../core/clock.ts";
import { BUSY_SIZE_STEPS_MAX, REQUEST_SIZE_FORGOTTEN_MS } from "../core/delivery-limits.ts";
import { BATCH_MAX_BYTES } from "../core/limits.ts";

const FIRST_STEPS = 4;

/**
 * The largest body that the other side takes, as far as that is known. A body that was too large is halved, and the doubled
 * size tried again after ten minutes. A body that an overloaded server kept refusing is halved too, and the size grows again
 * with its good answers: more of them each time that proved wrong, since its limit may be a fixed one.
 */
export class RequestSize {
  readonly #clock: Clock;
  #maxBytes = Infinity;
  #growsAtMs = Infinity;
  #goodAnswers = 0;
  #steps = FIRST_STEPS;
  /** It was doubled since it was last too much. */
  #hasGrown = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  tooLarge(bytes: number): void {
    this.#halve(bytes);
    this.#growsAtMs = this.#clock.monotonicMs() + REQUEST_SIZE_FORGOTTEN_MS;
  }

  tooMuch(bytes: number): void {
    this.#halve(bytes);
    // Halved again and again in one outage, it proves nothing: what was too much then may not be afterwards.
    if (this.#hasGrown) this.#steps = Math.min(this.#steps * 2, BUSY_SIZE_STEPS_MAX);
    this.#hasGrown = false;
  }

  #halve(bytes: number): void {
    this.#maxBytes = Math.max(1, Math.floor(Math.min(bytes, this.#maxBytes) / 2));
    this.#goodAnswers = 0;
  }

  answered(): void {
    if (this.#maxBytes === Infinity || this.#growsAtMs !== Infinity || ++this.#goodAnswers < this.#steps) return;
    this.#double();
  }

  #double(): void {
    this.#goodAnswers = 0;
    this.#maxBytes *= 2;
    this.#hasGrown = true;
    if (this.#maxBytes <= BATCH_MAX_BYTES) return;
    this.#maxBytes = Infinity;
    this.#steps = FIRST_STEPS;
  }

  maxBytes(): number {
    if (this.#clock.monotonicMs() >= this.#growsAtMs) {
      this.#growsAtMs = this.#maxBytes > BATCH_MAX_BYTES / 2 ? Infinity : this.#growsAtMs + REQUEST_SIZE_FORGOTTEN_MS;
      this.#double();
    }
    return this.#maxBytes;
  }
}
