import type { Batch } from "../core/batch.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { RecordSource, SinkStatus } from "../core/sink.ts";
import { RefusalWindow } from "./breakers.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { Delivery } from "./delivery.ts";
import type { Desk } from "./desk.ts";
import type { Destination } from "./destination.ts";
import { Exchange } from "./exchange.ts";
import { Health } from "./health.ts";
import { Leftovers } from "./leftovers.ts";
import { RepairDesk } from "./repair.ts";
import { type ReplayResult, type ReplayRun, replayDeadLetters } from "./replay.ts";
import { RequestSize } from "./request-size.ts";
import { Shelf } from "./shelf.ts";
import type { DeliveryTimes } from "./times.ts";
import { Naps } from "./wait.ts";

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
  readonly #desk: Desk;
  readonly #deliveries: Shelf<Delivery>;
  readonly #stopping = new AbortController();
  readonly #running: Set<Promise<unknown>> = new Set();

  constructor(options: DelivererOptions) {
    const { name, log, clock, times, source, destination, deadLetters } = options;
    this.#name = name;
    this.#type = options.type;
    this.health = new Health({ name, log, clock, times });
    this.signal = this.#stopping.signal;
    const { inFlight } = options;
    const desk: Desk = (this.#desk = {
      name,
      destination,
      source,
      deadLetters,
      health: this.health,
      refusals: new RefusalWindow(clock, times),
      requestSize: new RequestSize(clock),
      repairDesk: new RepairDesk(source, destination, new Exchange(inFlight), options.maxRecordBytes),
      exchanges: new Shelf(Array.from({ length: inFlight }, (_, lane) => new Exchange(lane))),
      leftovers: new Leftovers(),
      naps: new Naps(),
      times,
      clock,
      log,
      signal: this.signal,
    });
    // One more than requests in flight: a delivery that only waits leaves its request to another.
    this.#deliveries = new Shelf(Array.from({ length: inFlight + 1 }, (_, slot) => new Delivery(desk, slot)));
  }

  /** Resolves when every record of the batch has an outcome; rejects only with DeliveryAborted. */
  deliver(batch: Batch): Promise<void> {
    return this.#track(this.#run(batch));
  }

  /** Sends the dead letters again, beside what goes on. */
  replay(run: ReplayRun): Promise<ReplayResult> {
    return this.#track(replayDeadLetters(this.#desk, run));
  }

  #track<T>(work: Promise<T>): Promise<T> {
    const running = work.finally(() => this.#running.delete(running));
    this.#running.add(running);
    return running;
  }

  async #run(batch: Batch): Promise<void> {
    const delivery = await this.#deliveries.take();
    try {
      await delivery.run(batch);
    } finally {
      this.#deliveries.give(delivery);
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
      deadLetters: this.#desk.deadLetters.count,
    };
  }

  /** Ends every wait and request; resolves when all deliveries have rejected. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#desk.naps.wake();
    await Promise.allSettled(this.#running);
  }
}
