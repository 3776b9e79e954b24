import type { Batch } from "../../core/batch.ts";
import type { Clock } from "../../core/clock.ts";
import { ERROR_BODY_MAX_BYTES } from "../../core/delivery-limits.ts";
import { type Compressor, DeliveryAborted, type RecordSource } from "../../core/sink.ts";
import type { Contents, Destination, LookUp, Refusal } from "../destination.ts";
import { type Exchange, type Problem, type Reply, Verdict } from "../exchange.ts";
import type { Carrier, Transfer } from "../http/carrier.ts";
import { member } from "../http/control.ts";
import { ErrorBody } from "../http/error-body.ts";
import { describeFailure, retryAfterMs } from "../http/failure.ts";
import { gzipped } from "../http/gzipped.ts";
import type { Node } from "../http/nodes.ts";
import type { Acknowledgements } from "./acknowledgement.ts";
import { type HecAnswer, readAnswer } from "./answer.ts";
import { type Part, partsAround, spanOf } from "./parts.ts";
import { describeAnswer, describeStranger } from "./problem.ts";
import { verdictOf } from "./verdict.ts";
import type { SplunkWire } from "./wire.ts";

const PATH = "/services/collector/event";

export interface HecOptions {
  readonly wire: SplunkWire;
  readonly carrier: Carrier;
  readonly acknowledgements: Acknowledgements;
  /** One per lane; a lane without sends as it is, as does a batch that does not get smaller. */
  readonly compressors: readonly Compressor[];
  readonly clock: Clock;
}

/** What a part of a request came to: all taken, one of its events refused, or no verdict for anyone. */
type Outcome =
  | { readonly kind: "taken" }
  | { readonly kind: "refused"; readonly eventNumber: number; readonly answer: HecAnswer }
  | { readonly kind: "none"; readonly reply: Exclude<Reply, { kind: "answered" }> };

/** Splunk's HTTP Event Collector. */
export class HecDestination implements Destination {
  readonly wire: SplunkWire;
  readonly secondForm = "as text, with the reason";
  readonly #o: HecOptions;
  /** By lane: why some records of its last request wait. */
  readonly #waiting: (Problem | undefined)[] = [];

  constructor(options: HecOptions) {
    this.wire = options.wire;
    this.#o = options;
  }

  /**
   * The collector takes a request as a whole, or names the first event that it does not like. What stands before that one, the
   * event itself and what comes behind it are then sent one after the other, so that only an event that was alone in its request
   * is ever taken for a refused one: the number that the collector gives is off by one for some of its codes.
   */
  async send(lane: number, exchange: Exchange, signal: AbortSignal): Promise<Reply> {
    const parts: Part[] = [{ start: 0, end: exchange.count }];
    let isSettled = false;
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      const outcome = await this.#sendPart(lane, exchange, part, signal);
      if (outcome.kind === "none") {
        if (signal.aborted) throw new DeliveryAborted("stopped during a request");
        if (isSettled) return this.#leaveWaiting(lane, exchange, outcome.reply);
        exchange.clearAnswer();
        return outcome.reply;
      }
      const isAlone = part.end - part.start === 1;
      if (outcome.kind === "refused" && !isAlone) {
        parts.push(...partsAround(part, outcome.eventNumber));
        continue;
      }
      if (outcome.kind === "refused") reject(exchange, part.start, outcome.answer);
      else mark(exchange, part, Verdict.delivered, 200);
      isSettled = true;
    }
    return { kind: "answered" };
  }

  /** Some events of the request have their verdict; the others have to wait, for that reason. */
  #leaveWaiting(lane: number, exchange: Exchange, { problem }: { readonly problem: Problem }): Reply {
    this.#waiting[lane] = problem;
    for (let i = 0; i < exchange.count; i++)
      if (exchange.verdicts[i] === Verdict.none) exchange.verdicts[i] = Verdict.waiting;
    return { kind: "answered" };
  }

  async #sendPart(lane: number, exchange: Exchange, part: Part, signal: AbortSignal): Promise<Outcome> {
    const { carrier, compressors, acknowledgements } = this.#o;
    const node = carrier.nodes.pick();
    const body = new ErrorBody(ERROR_BODY_MAX_BYTES);
    const transfer = await carrier.send(
      {
        method: "POST",
        path: PATH,
        headers: {
          "content-type": "application/json",
          "x-splunk-request-channel": acknowledgements.channelOf(lane),
        },
        body: () => gzipped(compressors[lane], exchange, spanOf(exchange, part)),
      },
      () => (chunk) => body.write(chunk),
      signal,
      node,
    );
    const outcome = await this.#read(lane, transfer, node, body, signal);
    if (outcome.kind === "none") acknowledgements.renew(lane);
    return outcome;
  }

  async #read(lane: number, transfer: Transfer, node: Node, body: ErrorBody, signal: AbortSignal): Promise<Outcome> {
    const { carrier, clock, acknowledgements } = this.#o;
    const { origin } = transfer;
    if (transfer.kind === "failed") {
      const problem = describeFailure(transfer.code, transfer.message, origin);
      return none({ kind: "retry", problem, mayHaveArrived: transfer.connected, brokeOff: transfer.connected });
    }
    const { status, headers } = transfer;
    const answer = readAnswer(body.json());
    const verdict = verdictOf(status, answer);
    if (verdict === "taken") {
      const ackId = answer?.ackId;
      if (ackId === undefined) return { kind: "taken" };
      const problem = await acknowledgements.wait(lane, { ackId, node, headers }, signal);
      return problem === undefined ? { kind: "taken" } : none({ kind: "retry", problem, mayHaveArrived: true });
    }
    if (verdict === "event" && answer?.eventNumber !== undefined)
      return { kind: "refused", eventNumber: answer.eventNumber, answer };
    const text = carrier.credentials.redact(body.error().reason);
    if (status === 413)
      return none(halve("size", status, "content_too_large", "the event alone is more than Splunk takes (413)"));
    if (verdict === "event" || verdict === "content")
      return none(halve("content", status, `hec_code_${answer?.code}`, answer?.text ?? text));
    if (verdict === "stranger")
      return none({ kind: "retry", problem: describeStranger(status, origin, headers.location), mayHaveArrived: true });
    const problem = describeAnswer(status, answer, text, origin);
    const waitMs = retryAfterMs(headers, clock);
    if (verdict === "busy") return none({ kind: "busy", problem, retryAfterMs: waitMs });
    // A firewall or proxy in between refuses in words of its own, and may mean one word of one line.
    const mayBeContent = verdict === "failed" || answer === undefined;
    return none({ kind: "retry", status, problem, mayHaveArrived: status >= 500, mayBeContent, retryAfterMs: waitMs });
  }

  /** Splunk knows no ids, so there are no conflicts. */
  lookUp(): Promise<LookUp> {
    return Promise.resolve({ kind: "found", same: new Set() });
  }

  explain(exchange: Exchange, position: number): Problem {
    const waiting = this.#waiting[exchange.lane];
    return waiting ?? describeAnswer(exchange.statuses[position], undefined, "", "Splunk");
  }

  documentOf(wire: Buffer): Buffer {
    return wire;
  }

  contentsOf(wire: Buffer): Contents {
    const event = member(JSON.parse(wire.toString()), "event");
    return { time: textOf(member(event, "@timestamp")), text: textOf(member(event, "message")) };
  }

  hasFurtherForm(): boolean {
    return false;
  }

  maxBytesAgain(source: RecordSource, batch: Batch, record: number): number {
    return source.maxTextBytes(batch, record);
  }

  writeAgain(source: RecordSource, batch: Batch, record: number, { reason }: Refusal, out: Buffer, at: number): number {
    return source.encodeAsText(batch, record, reason, out, at);
  }
}

function mark(exchange: Exchange, { start, end }: Part, verdict: Verdict, status: number): void {
  exchange.verdicts.fill(verdict, start, end);
  exchange.statuses.fill(status, start, end);
}

function reject(exchange: Exchange, position: number, { code, text }: HecAnswer): void {
  const type = `hec_code_${code}`;
  mark(exchange, { start: position, end: position + 1 }, Verdict.rejected, 400);
  exchange.types.set(position, type);
  exchange.reasonsOfTypes.set(type, `${text} (code ${code})`);
}

function none(reply: Exclude<Reply, { kind: "answered" }>): Outcome {
  return { kind: "none", reply };
}

function halve(
  because: "size" | "content",
  status: number,
  code: string,
  message: string,
): Extract<Reply, { kind: "halve" }> {
  return { kind: "halve", because, status, problem: { code, message } };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
