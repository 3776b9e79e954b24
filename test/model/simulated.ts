/** What stands in for the server and for the clock when the core of pannier is played inside this process. */
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../src/core/clock.ts";
import { DeliveryAborted } from "../../src/core/sink.ts";
import type { Destination } from "../../src/sinks/destination.ts";
import { type Exchange, type Reply, Verdict } from "../../src/sinks/exchange.ts";
import { elasticsearchWire } from "../../src/sinks/elasticsearch/wire.ts";
import { type Fault, Index, LARGE_DOCUMENTS, type Receiver } from "./index.ts";

/** Simulated milliseconds in a real one, so that waiting for quiet tails costs little. */
export const SPEED = 25;

export class SimulatedClock implements Clock {
  #aheadMs = 0;

  nowMs(): number {
    return Date.now() + this.#aheadMs;
  }

  monotonicMs(): number {
    return performance.now() * SPEED + this.#aheadMs;
  }

  letPass(ms: number): void {
    this.#aheadMs += ms;
  }
}

const REQUESTS_KEPT = 20;
const PROBLEM = { code: "simulated", message: "the receiver misbehaves" };

/** A server without a network: requests come to it as pannier's core makes them, and it answers with verdicts. */
export class SimulatedReceiver implements Receiver {
  readonly index: Index = new Index();
  readonly requests: string[] = [];
  #fault: Fault | undefined;
  #faultyRequests = 0;
  #healed: () => void = () => undefined;
  #whenHealed: Promise<void> = Promise.resolve();

  misbehave(fault: Fault, requests: number): Promise<void> {
    this.#end();
    this.#fault = fault;
    this.#faultyRequests = requests;
    this.#whenHealed = new Promise((resolve) => (this.#healed = resolve));
    return Promise.resolve();
  }

  heal(): Promise<void> {
    this.#end();
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return this.heal();
  }

  #end(): void {
    this.#fault = undefined;
    this.#healed();
  }

  /** One request. `step` is told before and after anything is taken: a crash may come there. */
  async send(exchange: Exchange, signal: AbortSignal, step: () => void): Promise<Reply> {
    await nextTurn();
    const fault = this.#nextFault();
    if (fault !== "refused") await exchange.leaving();
    step();
    const reply = await this.#answer(fault, exchange, signal, step);
    await nextTurn();
    return reply;
  }

  #nextFault(): Fault | undefined {
    const fault = this.#fault;
    if (fault !== undefined && fault !== "refused" && --this.#faultyRequests <= 0) this.#fault = undefined;
    this.requests.push(fault ?? "answered");
    if (this.requests.length > REQUESTS_KEPT) this.requests.shift();
    return fault;
  }

  async #answer(fault: Fault | undefined, exchange: Exchange, signal: AbortSignal, step: () => void): Promise<Reply> {
    switch (fault) {
      case "refused":
        return { kind: "retry", problem: PROBLEM, mayHaveArrived: false };
      case "reset":
      case "unavailable":
        return { kind: "retry", problem: PROBLEM, mayHaveArrived: true };
      case "busy":
        return { kind: "busy", problem: PROBLEM };
      case "tooLarge":
        if (exchange.count > LARGE_DOCUMENTS) return { kind: "halve", problem: PROBLEM, because: "size", status: 413 };
        break;
      case "mute":
        await this.#beMute(signal);
        return { kind: "retry", problem: PROBLEM, mayHaveArrived: true };
      case "slow":
        await sleep(2);
        break;
      case undefined:
      case "half":
      case "swallow":
      case "muteTaken":
      case "some":
        break;
    }
    this.#take(exchange, fault === "some");
    step();
    if (fault === "muteTaken") await this.#beMute(signal);
    if (fault !== "half" && fault !== "swallow" && fault !== "muteTaken") return { kind: "answered" };
    exchange.clearAnswer();
    return { kind: "retry", problem: PROBLEM, mayHaveArrived: true };
  }

  async #beMute(signal: AbortSignal): Promise<void> {
    const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    if (!signal.aborted) await Promise.race([this.#whenHealed, aborted]);
    if (signal.aborted) throw new DeliveryAborted("stopped during a request");
  }

  #take({ buffer, from, to, count, verdicts, statuses }: Exchange, onlySome: boolean): void {
    const lines = buffer.toString("utf8", from, to).split("\n");
    for (let i = 0; i < count; i++) {
      if (onlySome && i % 2 === 1) {
        verdicts[i] = Verdict.waiting;
        statuses[i] = 429;
      } else {
        const isNew = this.index.take(lines[2 * i], lines[2 * i + 1]);
        verdicts[i] = isNew ? Verdict.delivered : Verdict.conflict;
        statuses[i] = isNew ? 201 : 409;
      }
    }
  }
}

/** The receiver as one life of pannier sees it; it ends with that life. */
export function destinationOf(receiver: SimulatedReceiver, isDead: () => boolean, step: () => void): Destination {
  return {
    wire: elasticsearchWire,
    async send(_lane, exchange, signal) {
      // Who is dead sends nothing; it only waits to be cleared away.
      if (isDead()) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      if (signal.aborted) throw new DeliveryAborted("stopped during a request");
      return receiver.send(exchange, signal, () => {
        step();
        if (isDead()) throw new DeliveryAborted("killed during a request");
      });
    },
    lookUp: () => Promise.resolve({ kind: "found", same: new Set() }),
    explain: () => PROBLEM,
    documentOf: (wire) => wire.subarray(wire.indexOf("\n") + 1, wire.length - 1),
    contentsOf: () => ({ time: "", text: "" }),
    secondForm: "as text",
    hasFurtherForm: () => false,
    maxBytesAgain: (source, batch, record) => source.maxTextBytes(batch, record),
    writeAgain: (source, batch, record, { reason }, out, at) => source.encodeAsText(batch, record, reason, out, at),
  };
}
