import type { Clock } from "../core/clock.ts";
import { REASON_MAX_CHARS } from "../core/limits.ts";
import type { Log } from "../core/log.ts";
import type { SinkState } from "../core/sink.ts";
import type { Problem } from "./exchange.ts";
import type { DeliveryTimes } from "./times.ts";

/** How a sink does: its state since when, its last error, its counters. Says each change once. */
export class Health {
  deliveredLines = 0;
  deliveredBytes = 0;
  retries = 0;
  rejected = 0;
  unexpectedConflicts = 0;
  lastError: Problem | null = null;
  readonly #name: string;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #downAfterMs: number;
  /** Deliveries (by slot) that wait because of a problem. */
  readonly #troubled: Set<number> = new Set();
  #troubleSinceMs = 0;
  #lastGoodMs = -Infinity;
  #refusing = false;
  #state: SinkState = "ok";
  #sinceMs: number;

  constructor(options: { name: string; log: Log; clock: Clock; times: DeliveryTimes }) {
    this.#name = options.name;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#downAfterMs = options.times.downAfterMs;
    this.#sinceMs = options.clock.nowMs();
  }

  /** A request of this delivery has to be repeated. */
  trouble(slot: number, problem: Problem): void {
    this.retries++;
    if (this.#troubled.size === 0) this.#troubleSinceMs = this.#clock.monotonicMs();
    if (this.#troubled.size === 0 || this.lastError?.code !== problem.code) this.report(problem);
    this.#troubled.add(slot);
    this.lastError = { code: problem.code, message: problem.message.slice(0, REASON_MAX_CHARS) };
    this.#update();
  }

  /** The destination took something. */
  good(): void {
    this.#lastGoodMs = this.#clock.monotonicMs();
  }

  /** Nothing of this delivery waits because of a problem any more. */
  healed(slot: number): void {
    if (!this.#troubled.delete(slot) || this.#troubled.size > 0) return;
    this.#update();
    if (this.#state === "ok")
      this.#log.info("sink_recovered", `${this.#name} takes records again`, { sink: this.#name });
  }

  setRefusing(type: string | undefined): void {
    if (this.#refusing === (type !== undefined)) return;
    this.#refusing = type !== undefined;
    if (type !== undefined) {
      this.lastError = {
        code: "sink_refusing",
        message:
          `over 20 % of the last 1,000 records are rejected with ${type}; one batch a minute is tried until that changes. ` +
          `Nothing is lost: the lines wait in their files. The mapping of the destination does not fit these records`,
      };
      this.report(this.lastError);
    }
    this.#update();
  }

  report(problem: Problem): void {
    this.#log.warn(problem.code, `${this.#name}: ${problem.message}`, { sink: this.#name });
  }

  #update(): void {
    const nowMs = this.#clock.monotonicMs();
    const lastGoodMs = Math.max(this.#troubleSinceMs, this.#lastGoodMs);
    let state: SinkState = "ok";
    if (this.#refusing) state = "refusing";
    else if (this.#troubled.size > 0) state = nowMs - lastGoodMs >= this.#downAfterMs ? "down" : "retrying";
    if (state === this.#state) return;
    this.#state = state;
    this.#sinceMs = this.#clock.nowMs();
    if (state === "ok") this.lastError = null;
  }

  get state(): SinkState {
    this.#update();
    return this.#state;
  }

  /** When the state began, RFC 3339. */
  get since(): string {
    return new Date(this.#sinceMs).toISOString();
  }
}
