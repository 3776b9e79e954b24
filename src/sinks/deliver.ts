import type { Batch } from "../core/batch.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import { DeliveryAborted, type RecordSource, type SinkStatus } from "../core/sink.ts";
import { RefusalWindow } from "./breakers.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { Delivery } from "./delivery.ts";
import type { Desk } from "./desk.ts";
import type { Destination } from "./destination.ts";
import { Health } from "./health.ts";
import { RepairDesk } from "./repair.ts";
import { RequestSize } from "./request-size.ts";
import type { DeliveryTimes } from "./times.ts";

export interface DelivererOptions {
  readonly name: string;
  readonly type: string;
  readonly inFlight: number;
  readonly maxRecordBytes: number;
  readonly destination: Destination;
  readonly source: RecordSource;
  readonly deadLetters: DeadLetters;
  readonly log: Log;
  readonly clock: Clock;
  readonly times: DeliveryTimes;
}

/** Sends the batches of one sink, `inFlight` at a time: retries for ever, splits, repairs, and says how it goes. */
export class Deliverer {
  readonly health: Health;
  readonly signal: AbortSignal;
  readonly #name: string;
  readonly #type: string;
  readonly #deadLetters: DeadLetters;
  readonly #idle: Delivery[] = [];
  readonly #waiting: ((delivery: Delivery) => void)[] = [];
  readonly #stopping = new AbortController();
  readonly #running: Set<Promise<void>> = new Set();

  constructor(options: DelivererOptions) {
    const { name, log, clock, times, source, destination, deadLetters } = options;
    this.#name = name;
    this.#type = options.type;
    this.#deadLetters = deadLetters;
    this.health = new Health({ name, log, clock, times });
    this.signal = this.#stopping.signal;
    const desk: Desk = {
      name,
      destination,
      source,
      deadLetters,
      health: this.health,
      refusals: new RefusalWindow(clock, times),
      requestSize: new RequestSize(clock),
      repairDesk: new RepairDesk(source, options.inFlight, options.maxRecordBytes),
      times,
      clock,
      log,
      signal: this.signal,
    };
    for (let lane = 0; lane < options.inFlight; lane++) this.#idle.push(new Delivery(desk, lane));
  }

  /** Resolves when every record of the batch has an outcome; rejects only with DeliveryAborted. */
  deliver(batch: Batch): Promise<void> {
    const running = this.#run(batch).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return running;
  }

  async #run(batch: Batch): Promise<void> {
    const delivery = this.#idle.pop() ?? (await new Promise<Delivery>((resolve) => this.#waiting.push(resolve)));
    try {
      if (this.signal.aborted) throw new DeliveryAborted("stopped");
      await delivery.run(batch);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#idle.push(delivery);
      else next(delivery);
    }
  }

  status(): SinkStatus {
    const { state, since, lastError, deliveredLines, deliveredBytes, retries, rejected } = this.health;
    return {
      name: this.#name,
      type: this.#type,
      state,
      since,
      lastError,
      deliveredLines,
      deliveredBytes,
      retries,
      rejected,
      unexpectedConflicts: this.health.unexpectedConflicts,
      deadLetters: this.#deadLetters.count,
    };
  }

  /** Ends every wait and request; resolves when all deliveries have rejected. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.allSettled(this.#running);
  }
}
