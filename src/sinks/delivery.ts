import { type Batch, Outcome, RecordFlag } from "../core/batch.ts";
import { BATCH_MAX_RECORDS, BUSY_BEFORE_HALVING } from "../core/limits.ts";
import { PannierError } from "../core/errors.ts";
import { PoisonWatch } from "./breakers.ts";
import { type Desk, bury } from "./desk.ts";
import { Exchange, type Problem, type Reply } from "./exchange.ts";
import { Load } from "./load.ts";
import type { Lane, Repair } from "./repair.ts";
import { type Refusal, type Settling, settleAnswer } from "./settle.ts";
import { Backoff, pause, throwIfAborted } from "./wait.ts";

/**
 * One batch on its way. Its records are sent, those without a final verdict move together and are sent again, until none is
 * left. One object per request in flight, used again and again.
 */
export class Delivery implements Settling {
  readonly poison: PoisonWatch;
  readonly desk: Desk;
  readonly convicted: Set<number> = new Set();
  readonly repairs: Repair[] = [];
  batch!: Batch;
  readonly #lane: Lane;
  /** Records per request, while one of them makes the server refuse all. */
  #maxRecords = BATCH_MAX_RECORDS;
  #busy = 0;
  readonly #onTrouble = (problem: Problem): void => this.desk.health.trouble(this.#lane.number, problem);

  constructor(desk: Desk, laneNumber: number) {
    this.desk = desk;
    this.poison = new PoisonWatch(desk.clock, desk.times);
    this.#lane = { number: laneNumber, load: new Load(BATCH_MAX_RECORDS), exchange: new Exchange() };
  }

  async run(batch: Batch): Promise<void> {
    await this.#turn();
    this.batch = batch;
    this.poison.clear();
    this.convicted.clear();
    this.repairs.length = 0;
    this.#maxRecords = BATCH_MAX_RECORDS;
    this.#lane.load.takeBatch(batch);
    await this.#drain(this.#lane);
    this.desk.health.healed(this.#lane.number);
  }

  /** While the sink refuses, one batch a minute. */
  async #turn(): Promise<void> {
    const { refusals, signal } = this.desk;
    for (let waitMs = refusals.turnMs(); waitMs > 0; waitMs = refusals.turnMs()) await pause(waitMs, signal);
  }

  /** Sends the records of a lane until every one of them has left it. */
  async #drain(lane: Lane): Promise<void> {
    const backoff = new Backoff(this.desk.times);
    while (lane.load.count > 0) {
      const waiting = await this.#pass(lane, backoff);
      lane.load.compact();
      if (waiting !== undefined && lane.load.count > 0) await this.#rest(waiting, backoff);
    }
  }

  /** One attempt for every record of a lane, in as many requests as it takes. Returns why some of them still wait. */
  async #pass(lane: Lane, backoff: Backoff): Promise<Problem | undefined> {
    const { load, exchange } = lane;
    let waiting: Problem | undefined;
    for (let at = 0; at < load.count;) {
      throwIfAborted(this.desk.signal);
      const count = load.run(at, this.#maxRecords, this.desk.requestSize.maxBytes());
      exchange.begin(load.buffer, load.starts[at], load.ends[at + count - 1], count);
      const reply = await this.desk.destination.send(lane.number, exchange, this.desk.signal);
      if (reply.kind === "answered") {
        this.#busy = 0;
        this.desk.requestSize.answered();
        this.#maxRecords = Math.min(this.#maxRecords * 2, BATCH_MAX_RECORDS);
        const settled = await settleAnswer(this, lane, at);
        waiting = settled.waiting ?? waiting;
        if (settled.left > 0) backoff.reset();
        await this.repair();
      } else if (!(await this.#refused(reply, lane, at, backoff))) continue;
      at += count;
    }
    return waiting;
  }

  /** A reply without verdicts. True when the records of the request are done with for this pass. */
  async #refused(
    reply: Exclude<Reply, { kind: "answered" }>,
    lane: Lane,
    at: number,
    backoff: Backoff,
  ): Promise<boolean> {
    const { exchange, load } = lane;
    const { requestSize } = this.desk;
    if (reply.kind === "halve") {
      if (exchange.count === 1) {
        await this.#rejectAlone(reply.problem, reply.status, lane, at);
        return true;
      }
      if (reply.because === "size") requestSize.tooLarge(exchange.to - exchange.from);
      else this.#maxRecords = Math.ceil(exchange.count / 2);
      this.desk.health.retries++;
      return false;
    }
    if ((reply.kind === "busy" || reply.brokeOff === true) && ++this.#busy >= BUSY_BEFORE_HALVING) {
      this.#busy = 0;
      requestSize.tooMuch(exchange.to - exchange.from);
    }
    if (reply.kind === "retry" && reply.mayHaveArrived)
      for (let i = at; i < at + exchange.count; i++) this.batch.flags[load.records[i]] |= RecordFlag.maybeSent;
    await this.#rest(reply.problem, backoff, reply.retryAfterMs);
    return false;
  }

  /** The server refused a request that holds this record alone. */
  async #rejectAlone(problem: Problem, status: number, lane: Lane, at: number): Promise<void> {
    this.desk.refusals.rejected(problem.code);
    await this.reject(lane, at, { status, type: problem.code, reason: problem.message });
    await this.repair();
  }

  async #rest(problem: Problem, backoff: Backoff, retryAfterMs?: number): Promise<void> {
    this.desk.health.trouble(this.#lane.number, problem);
    await pause(backoff.nextMs(retryAfterMs), this.desk.signal);
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
    await bury(this.desk, { batch: this.batch, record, wire, status, reason }, this.#onTrouble);
    this.#leave(lane, position, Outcome.deadLettered);
  }

  #leave(lane: Lane, position: number, outcome: number): void {
    this.batch.outcome[lane.load.records[position]] = outcome;
    lane.load.left[position] = 1;
  }

  /** Sends the collected records in their other form until each of them has an outcome. */
  async repair(): Promise<void> {
    const { repairDesk } = this.desk;
    // Inside a repair, what is refused again is collected for the loop below, which is already running.
    if (this.repairs.length === 0 || this.batch === repairDesk.lane.load.batch) return;
    await repairDesk.turnstile.pass(async () => {
      const backoff = new Backoff(this.desk.times);
      try {
        while (this.repairs.length > 0) await this.#repairSome(backoff);
        await this.desk.deadLetters.sync(this.desk.signal, this.#onTrouble);
      } finally {
        repairDesk.lane.load.batch = undefined;
      }
    });
  }

  async #repairSome(backoff: Backoff): Promise<void> {
    const { repairDesk } = this.desk;
    try {
      const count = repairDesk.fill(this.batch, this.repairs);
      if (count === 0) return await this.#giveUp(this.repairs.shift()!);
      this.repairs.splice(0, count);
    } catch (error) {
      // A salt that cannot be journaled now can be journaled later; without it nothing may be sent.
      if (!(error instanceof PannierError)) throw error;
      return this.#rest({ code: error.code, message: error.message }, backoff);
    }
    return this.#drain(repairDesk.lane);
  }

  /** Not even the repair buffer can hold it. */
  async #giveUp(repair: Repair): Promise<void> {
    const { batch } = this;
    const wire = batch.buffer.subarray(batch.starts[repair.record], batch.ends[repair.record]);
    const [status, reason] =
      repair.form === "text"
        ? [repair.status, repair.reason]
        : [409, "its id is taken, and it is too large to be sent anew"];
    await bury(this.desk, { batch, record: repair.record, wire, status, reason }, this.#onTrouble);
    batch.outcome[repair.record] = Outcome.deadLettered;
  }
}
