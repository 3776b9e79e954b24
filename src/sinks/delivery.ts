import { type Batch, Outcome, RecordFlag } from "../core/batch.ts";
import { BATCH_MAX_RECORDS, BUSY_BEFORE_HALVING, TRIES_BEFORE_STEPPING_ASIDE } from "../core/limits.ts";
import { PoisonWatch } from "./breakers.ts";
import { type Desk, bury } from "./desk.ts";
import type { Exchange, Problem, Reply } from "./exchange.ts";
import type { Leftover } from "./leftovers.ts";
import { Load } from "./load.ts";
import { mend } from "./mend.ts";
import type { Lane, Repair } from "./repair.ts";
import { type Refusal, type Settling, settleAnswer } from "./settle.ts";
import { Backoff, pause, throwIfAborted } from "./wait.ts";

/** Why records have to be sent once more. */
interface Waiting {
  readonly problem: Problem;
  readonly retryAfterMs?: number | undefined;
}

/**
 * One batch on its way. Its records are sent, those without a final verdict move together and are sent again, until none is
 * left. One object per request in flight, used again and again.
 */
export class Delivery implements Settling, Leftover {
  readonly poison: PoisonWatch;
  readonly desk: Desk;
  readonly convicted: Set<number> = new Set();
  readonly repairs: Repair[] = [];
  readonly load: Load = new Load(BATCH_MAX_RECORDS);
  batch!: Batch;
  readonly #slot: number;
  /** Records per request, while one of them makes the server refuse all. */
  #maxRecords = BATCH_MAX_RECORDS;
  #busy = 0;
  /** Its wait for the end of an outage was cut short, and nothing has got through since. */
  #woken = false;
  readonly trouble = (problem: Problem): void => this.desk.health.trouble(this.#slot, problem);

  constructor(desk: Desk, slot: number) {
    this.desk = desk;
    this.poison = new PoisonWatch(desk.clock, desk.times);
    this.#slot = slot;
  }

  /** Resolves when every record of the batch has an outcome, or waits in another batch. */
  async run(batch: Batch): Promise<void> {
    await this.#turn();
    this.batch = batch;
    this.poison.clear();
    this.convicted.clear();
    this.repairs.length = 0;
    this.#maxRecords = BATCH_MAX_RECORDS;
    this.load.takeBatch(batch);
    await this.#send();
    this.desk.health.healed(this.#slot);
  }

  /** While the sink refuses, one batch a minute. */
  async #turn(): Promise<void> {
    const { refusals, signal } = this.desk;
    for (let waitMs = refusals.turnMs(); waitMs > 0; waitMs = refusals.turnMs()) await pause(waitMs, signal);
  }

  /** Sends the batch until none of its records is left here. What was tried in vain some times waits without a request. */
  async #send(): Promise<void> {
    const { exchanges, leftovers, signal, times } = this.desk;
    const backoff = new Backoff(times);
    while (this.load.count > 0) {
      const exchange = await exchanges.take();
      let waitMs;
      try {
        waitMs = await this.#drain({ load: this.load, exchange }, backoff, TRIES_BEFORE_STEPPING_ASIDE);
      } finally {
        exchanges.give(exchange);
      }
      if (this.load.count > 0 && (await leftovers.join(this, () => pause(waitMs, signal)))) return;
    }
  }

  /**
   * Sends the records of a lane until every one of them has left it, or until the rest has waited in vain so many times in a
   * row; returns how long to wait then.
   */
  async #drain(lane: Lane, backoff: Backoff, patience: number): Promise<number> {
    const { signal } = this.desk;
    while (lane.load.count > 0) {
      const waiting = await this.#pass(lane, backoff);
      lane.load.compact();
      if (waiting === undefined || lane.load.count === 0) continue;
      this.trouble(waiting.problem);
      const waitMs = backoff.nextMs(waiting.retryAfterMs);
      if (backoff.failures > patience) return waitMs;
      await pause(waitMs, signal);
    }
    return 0;
  }

  /** One attempt for every record of a lane, in as many requests as it takes. Returns why some of them still wait. */
  async #pass(lane: Lane, backoff: Backoff): Promise<Waiting | undefined> {
    const { load, exchange } = lane;
    const { destination, requestSize, signal } = this.desk;
    let waiting: Waiting | undefined;
    for (let at = 0; at < load.count;) {
      throwIfAborted(signal);
      const count = load.run(at, this.#maxRecords, requestSize.maxBytes());
      exchange.begin(load.buffer, load.starts[at], load.ends[at + count - 1], count);
      const reply = await destination.send(exchange.lane, exchange, signal);
      if (exchange.resent) this.#noteSent(lane, at);
      if (reply.kind === "answered") {
        this.#busy = 0;
        this.#woken = false;
        this.desk.naps.wake();
        requestSize.answered();
        this.#maxRecords = Math.min(this.#maxRecords * 2, BATCH_MAX_RECORDS);
        const settled = await settleAnswer(this, lane, at);
        if (settled.waiting !== undefined) waiting = { problem: settled.waiting };
        if (settled.left > 0) backoff.reset();
        await this.repair();
      } else if (reply.kind === "halve") {
        if (count > 1) {
          this.#halve(reply, exchange);
          continue;
        }
        await this.#rejectAlone(reply.problem, reply.status, lane, at);
      } else {
        const isTooMuch = this.#isTooMuch(reply);
        if (isTooMuch && count > 1) requestSize.tooMuch(exchange.to - exchange.from);
        if (reply.kind === "retry") {
          await this.#outage(reply, lane, at, backoff);
          continue;
        }
        waiting = reply;
        // Alone, and still too much: those behind it shall not wait for it.
        if (!isTooMuch || count > 1) break;
      }
      at += count;
    }
    return waiting;
  }

  #halve(reply: Extract<Reply, { kind: "halve" }>, exchange: Exchange): void {
    if (reply.because === "size") this.desk.requestSize.tooLarge(exchange.to - exchange.from);
    else this.#maxRecords = Math.ceil(exchange.count / 2);
    this.desk.health.retries++;
  }

  /** The same request came at a bad time again and again, or never got through as a whole. */
  #isTooMuch(reply: Extract<Reply, { kind: "retry" | "busy" }>): boolean {
    if (reply.kind === "retry" && reply.brokeOff !== true) return false;
    if (++this.#busy < BUSY_BEFORE_HALVING) return false;
    this.#busy = 0;
    return true;
  }

  /** Nobody's records are taken at the moment. */
  async #outage(reply: Extract<Reply, { kind: "retry" }>, lane: Lane, at: number, backoff: Backoff): Promise<void> {
    if (reply.mayHaveArrived) this.#noteSent(lane, at);
    this.trouble(reply.problem);
    const waitMs = backoff.nextMs(reply.retryAfterMs);
    // Woken once and in vain, it is not everybody's outage.
    if (this.#woken) await pause(waitMs, this.desk.signal);
    else this.#woken = await this.desk.naps.nap(waitMs, this.desk.signal);
  }

  /** The records of the request may have been stored: a conflict is then what to expect. */
  #noteSent({ load, exchange }: Lane, at: number): void {
    for (let i = at; i < at + exchange.count; i++) this.batch.flags[load.records[i]] |= RecordFlag.maybeSent;
  }

  /** The server refused a request that holds this record alone. */
  async #rejectAlone(problem: Problem, status: number, lane: Lane, at: number): Promise<void> {
    this.desk.refusals.rejected(problem.code);
    await this.reject(lane, at, { status, type: problem.code, reason: problem.message });
    await this.repair();
  }

  /** The record at a position of a lane has reached the destination. */
  deliver(lane: Lane, position: number): void {
    const record = lane.load.records[position];
    const { batch } = this;
    const { health } = this.desk;
    health.deliveredLines++;
    health.deliveredBytes += batch.to[record] - batch.from[record] - batch.cut[record];
    this.#leave(lane, position, Outcome.delivered);
  }

  /** The record is refused for what it says: once more as text, and then to the dead letters. */
  async reject(lane: Lane, position: number, refusal: Refusal): Promise<void> {
    const record = lane.load.records[position];
    const { status, type, reason } = refusal;
    if ((this.batch.flags[record] & RecordFlag.asText) === 0) {
      this.desk.health.rejected++;
      this.desk.log.warn(
        "record_rejected",
        `${this.desk.name} rejects records for what they say; each is sent once more as text, with the reason`,
        { sink: this.desk.name, status, type, reason },
      );
      this.repairs.push({ form: "text", record, reason, status });
      lane.load.left[position] = 1;
      return;
    }
    const { load } = lane;
    const wire = load.buffer.subarray(load.starts[position], load.ends[position]);
    await bury(this.desk, { batch: this.batch, record, wire, status, reason }, this.trouble);
    this.#leave(lane, position, Outcome.deadLettered);
  }

  #leave(lane: Lane, position: number, outcome: number): void {
    this.batch.outcome[lane.load.records[position]] = outcome;
    lane.load.left[position] = 1;
  }

  /** Sends the collected records in their other form until each of them has an outcome. */
  repair(): Promise<void> {
    return mend(this, (lane) => this.#drain(lane, new Backoff(this.desk.times), Infinity));
  }
}
