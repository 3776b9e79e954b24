import { BUSY_BEFORE_HALVING } from "../core/delivery-limits.ts";
import { BATCH_MAX_RECORDS } from "../core/limits.ts";

/** How many records of a batch go with one request, and what it has taught when such requests failed whole. */
export class Portion {
  records: number = BATCH_MAX_RECORDS;
  /** Records got through when they were fewer: something in the others is in the way. */
  passesInParts = false;
  #failures = 0;
  /** What the sink had delivered at the last failure, unless a request was answered since. */
  #passedAtFailure: number | undefined;

  /** Begins with a new batch. */
  reset(): void {
    this.records = BATCH_MAX_RECORDS;
    this.passesInParts = false;
  }

  answered(): void {
    this.#failures = 0;
    this.#passedAtFailure = undefined;
    this.passesInParts ||= this.records < BATCH_MAX_RECORDS;
    this.records = Math.min(this.records * 2, BATCH_MAX_RECORDS);
  }

  halve(count: number): void {
    this.records = Math.ceil(count / 2);
  }

  /** One more failure; true with every third in a row. */
  hasFailedOften(): boolean {
    if (++this.#failures < BUSY_BEFORE_HALVING) return false;
    this.#failures = 0;
    return true;
  }

  /**
   * Others got through since the last failure (`passed`: what the sink has delivered by now), so it is not everybody's outage:
   * something in this request is in the way of it, such as a firewall that does not like a word.
   */
  isAlone(passed: number): boolean {
    const alone = this.#passedAtFailure !== undefined && passed > this.#passedAtFailure;
    this.#passedAtFailure = passed;
    return alone;
  }
}
