import type { Clock } from "../core/clock.ts";
import { POISON_TRACKED_MAX, REFUSING_SHARE } from "../core/delivery-limits.ts";
import type { DeliveryTimes } from "./times.ts";

interface Suspect {
  tries: number;
  readonly sinceMs: number;
  /** Others passed in an answer in which this one failed. */
  vouched: boolean;
  /** What the sink had passed at the last try. */
  passed: number;
}

/**
 * Breaker one. An error that is not on the list of those about the document is taken for the destination's, and waited out;
 * but one document can also be what breaks the server. So a record that keeps failing while others pass is given up in the
 * end: after enough tries and enough time, both. "While others pass" is meant in the strict sense, in one answer with it or
 * between its last two tries: a pipeline that goes missing must not have what passed before it held against every record.
 */
export class PoisonWatch {
  readonly #suspects: Map<number, Suspect> = new Map();
  readonly #clock: Clock;
  readonly #times: DeliveryTimes;

  constructor(clock: Clock, times: DeliveryTimes) {
    this.#clock = clock;
    this.#times = times;
  }

  clear(): void {
    this.#suspects.clear();
  }

  /** Goes on with what another watch knows of a record, under its new number. */
  adopt(other: PoisonWatch, record: number, adopted: number): void {
    const suspect = other.#suspects.get(record);
    if (suspect !== undefined && this.#suspects.size < POISON_TRACKED_MAX) this.#suspects.set(adopted, suspect);
  }

  /**
   * One more failure of a record, and how many others the sink had passed before and after that answer. True when it is now
   * to be treated as being about the document.
   */
  failed(record: number, passedBefore: number, passedNow: number): boolean {
    const nowMs = this.#clock.monotonicMs();
    let suspect = this.#suspects.get(record);
    if (suspect === undefined) {
      if (this.#suspects.size >= POISON_TRACKED_MAX) return false;
      suspect = { tries: 0, sinceMs: nowMs, vouched: false, passed: passedNow };
      this.#suspects.set(record, suspect);
    }
    suspect.tries++;
    suspect.vouched ||= passedNow > passedBefore;
    const othersPass = suspect.vouched || passedNow > suspect.passed;
    suspect.passed = passedNow;
    return (
      othersPass && suspect.tries >= this.#times.poisonTries && nowMs - suspect.sinceMs >= this.#times.poisonAfterMs
    );
  }
}

/** An accepted record in the window; rejections are numbered from 1 by type. */
const ACCEPTED = 0;

/**
 * Breaker two. When more than a fifth of the last 1,000 records are rejected with one type, a mapping is wrong rather than
 * some lines, and rewriting all of them as text would help nobody: the sink is `refusing` and tries one batch a minute.
 */
export class RefusalWindow {
  readonly #window: Uint8Array;
  readonly #counts = new Float64Array(256);
  readonly #types: string[] = [];
  readonly #clock: Clock;
  readonly #intervalMs: number;
  #seen = 0;
  #nextBatchMs = 0;

  constructor(clock: Clock, times: DeliveryTimes) {
    this.#clock = clock;
    this.#intervalMs = times.refusingIntervalMs;
    this.#window = new Uint8Array(times.refusingWindowRecords);
  }

  accepted(): void {
    this.#push(ACCEPTED);
  }

  rejected(type: string): void {
    const wasOpen = this.worst() === undefined;
    let index = this.#types.indexOf(type);
    if (index < 0) index = this.#types.length < 254 ? this.#types.push(type) - 1 : 253;
    this.#push(index + 1);
    if (wasOpen && this.worst() !== undefined) this.#nextBatchMs = this.#clock.monotonicMs() + this.#intervalMs;
  }

  #push(value: number): void {
    const at = this.#seen++ % this.#window.length;
    if (this.#seen > this.#window.length) this.#counts[this.#window[at]]--;
    this.#window[at] = value;
    this.#counts[value]++;
  }

  /** The type that too many are rejected with, while that is so. */
  worst(): string | undefined {
    if (this.#seen < this.#window.length) return undefined;
    const limit = this.#window.length * REFUSING_SHARE;
    for (let i = 0; i < this.#types.length; i++) if (this.#counts[i + 1] > limit) return this.#types[i];
    return undefined;
  }

  /** How long the next batch has to wait; 0 lets it go, and takes the turn. */
  turnMs(): number {
    if (this.worst() === undefined) return 0;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#nextBatchMs) return this.#nextBatchMs - nowMs;
    this.#nextBatchMs = nowMs + this.#intervalMs;
    return 0;
  }
}
