import { type Batch, Outcome, RecordFlag } from "../core/batch.ts";
import { TRIES_BEFORE_STEPPING_ASIDE } from "../core/delivery-limits.ts";
import { BATCH_MAX_RECORDS } from "../core/limits.ts";
import { PoisonWatch } from "./breakers.ts";
import { type Desk, bury } from "./desk.ts";
import type { Refusal } from "./destination.ts";
import type { Problem, Reply } from "./exchange.ts";
import type { Leftover } from "./leftovers.ts";
import { Load } from "./load.ts";
import { mend } from "./mend.ts";
import { Portion } from "./portion.ts";
import type { Lane, Repair } from "./repair.ts";
import { type Settling, settleAnswer } from "./settle.ts";
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
  readonly #portion = new Portion();
  /** Why records have stepped aside in this pass. */
  #inVain: Waiting | undefined;
  readonly #leaving = (): Promise<void> => this.desk.source.leaving(this.batch);
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
    this.#portion.reset();
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
    let exchange = await exchanges.take();
    let isTaken = false;
    while (!isTaken) {
      let waitMs: number;
      try {
        waitMs = await this.#drain({ load: this.load, exchange }, backoff);
      } finally {
        exchanges.give(exchange);
      }
      if (this.load.count === 0) return;
      isTaken = await leftovers.join(this, async () => {
        await pause(waitMs, signal);
        exchange = await exchanges.take();
      });
    }
  }

  /**
   * Sends the records of a lane until every one of them has left it, or until the rest has waited in vain so many times in a
   * row; returns how long to wait then.
   */
  async #drain(lane: Lane, backoff: Backoff): Promise<number> {
    const { signal } = this.desk;
    while (lane.load.count > 0) {
      const waiting = await this.#pass(lane, backoff);
      lane.load.compact();
      if (waiting === undefined || lane.load.count === 0) continue;
      this.trouble(waiting.problem);
      const waitMs = backoff.nextMs(waiting.retryAfterMs);
      if (backoff.failures >= TRIES_BEFORE_STEPPING_ASIDE) {
        this.#inVain = waiting;
        return waitMs;
      }
      await pause(waitMs, signal);
    }
    return 0;
  }

  /** One attempt for every record of a lane, in as many requests as it takes. Returns why some of them still wait. */
  async #pass(lane: Lane, backoff: Backoff): Promise<Waiting | undefined> {
    const { load, exchange } = lane;
    const { destination, requestSize, signal } = this.desk;
    let waiting: Waiting | undefined;
    if (load === this.load) this.#inVain = undefined;
    for (let at = 0; at < load.count;) {
      throwIfAborted(signal);
      const count = load.run(at, this.#portion.records, requestSize.maxBytes());
      exchange.begin(load.buffer, load.starts[at], load.ends[at + count - 1], count, this.#leaving);
      const reply = await destination.send(exchange.lane, exchange, signal);
      if (exchange.resent) this.#noteSent(lane, at);
      this.desk.health.retries += exchange.retries;
      if (reply.kind === "answered") {
        this.#portion.answered();
        this.desk.naps.wake();
        requestSize.answered();
        const problem = await settleAnswer(this, lane, at);
        if (problem !== undefined) waiting = { problem };
        await this.repair();
        if (load.leftOf(at, count) > 0) backoff.reset();
      } else {
        const then = await this.#failed(reply, lane, at, backoff);
        if (then === "again") continue;
        if (then !== "left" && reply.kind !== "halve") waiting = reply;
        if (then === "rest") break;
      }
      at += count;
    }
    return waiting ?? this.#inVain;
  }

  /**
   * A request came back without verdicts. `again`: try what stands there now. `left`: its record is settled. `rest`: all of
   * the lane waits. `skip`: its one record waits for the next pass, and those behind it shall not wait for it.
   */
  async #failed(
    reply: Exclude<Reply, { kind: "answered" }>,
    lane: Lane,
    at: number,
    backoff: Backoff,
  ): Promise<"again" | "left" | "rest" | "skip"> {
    const { count, from, to } = lane.exchange;
    const { requestSize, health } = this.desk;
    if (reply.kind === "halve") {
      if (count === 1) return this.#rejectAlone(reply.problem, reply.status, lane, at);
      if (reply.because === "size") requestSize.tooLarge(to - from);
      else this.#portion.halve(count);
      health.retries++;
      return "again";
    }
    if (reply.kind === "retry") {
      if (reply.mayHaveArrived) this.#noteSent(lane, at);
      const { status = 0, problem } = reply;
      const passed = health.deliveredLines;
      const isAlone = this.#portion.isAlone(passed);
      // An outage is waited for with the batch as a whole, not in the one repair buffer that there is.
      if (!isAlone && lane.load === this.load) return this.#outage(reply, lane, backoff);
      if (isAlone && count === 1 && status >= 500 && this.poison.failed(lane.load.records[at], passed, passed))
        return this.#rejectAlone(problem, status, lane, at);
    }
    if (!this.#portion.hasFailedOften()) return "rest";
    if (count === 1) return "skip";
    if (reply.kind === "busy") requestSize.tooMuch(to - from);
    else this.#portion.halve(count);
    return "rest";
  }

  /**
   * Nobody gets through at the moment: the batch keeps its place, and waits. When the answer may be about something in the
   * request, ever smaller parts of it are tried; once parts get through, that is what it is, and smaller ones need not wait.
   */
  async #outage(
    { brokeOff, mayBeContent, problem, retryAfterMs }: Extract<Reply, { kind: "retry" }>,
    { exchange: { count, from, to } }: Lane,
    backoff: Backoff,
  ): Promise<"again" | "skip"> {
    const isContent = mayBeContent === true && this.#portion.passesInParts;
    this.trouble(problem);
    if (!isContent || count === 1) await this.desk.naps.nap(backoff.nextMs(retryAfterMs), this.desk.signal);
    const mayBeIts = brokeOff === true || mayBeContent === true;
    if (!isContent && !(mayBeIts && this.#portion.hasFailedOften())) return "again";
    if (brokeOff === true) this.desk.requestSize.tooMuch(to - from);
    else if (count === 1) return "skip";
    else this.#portion.halve(count);
    return "again";
  }

  /** The records of the request may have been stored: a conflict is then what to expect. */
  #noteSent({ load, exchange }: Lane, at: number): void {
    for (let i = at; i < at + exchange.count; i++) this.batch.flags[load.records[i]] |= RecordFlag.maybeSent;
  }

  /** The server refused a request that holds this record alone. */
  async #rejectAlone(problem: Problem, status: number, lane: Lane, at: number): Promise<"left"> {
    this.desk.refusals.rejected(problem.code);
    await this.reject(lane, at, { status, type: problem.code, reason: problem.message });
    await this.repair();
    return "left";
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

  /** The record is refused for what it says: once more in another form, and then to the dead letters. */
  async reject(lane: Lane, position: number, refusal: Refusal): Promise<void> {
    const [{ load }, { batch, desk }, { status, type, reason }] = [lane, this, refusal];
    const record = load.records[position];
    const first = batch.buffer.subarray(batch.starts[record], batch.ends[record]);
    if ((batch.flags[record] & RecordFlag.asText) === 0 || desk.destination.hasFurtherForm(first, refusal)) {
      if ((batch.flags[record] & RecordFlag.refused) === 0) desk.health.rejected++;
      batch.flags[record] |= RecordFlag.refused;
      desk.log.warn(
        "record_rejected",
        `${desk.name} rejects records for what they say; each is sent once more ${desk.destination.secondForm}`,
        { sink: desk.name, status, type, reason },
      );
      this.repairs.push({ form: "text", record, refusal });
      load.left[position] = 1;
      return;
    }
    const wire = load.buffer.subarray(load.starts[position], load.ends[position]);
    await bury(desk, { batch, record, wire, status, reason }, this.trouble);
    this.#leave(lane, position, Outcome.deadLettered);
  }

  #leave(lane: Lane, position: number, outcome: number): void {
    this.batch.outcome[lane.load.records[position]] = outcome;
    lane.load.left[position] = 1;
  }

  /** Sends the collected records in their other form. */
  repair(): Promise<void> {
    const backoff = new Backoff(this.desk.times);
    return mend(this, (lane) => this.#drain(lane, backoff));
  }
}
