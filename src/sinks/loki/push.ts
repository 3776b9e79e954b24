import type { Batch } from "../../core/batch.ts";
import type { Clock } from "../../core/clock.ts";
import { ERROR_BODY_MAX_BYTES } from "../../core/delivery-limits.ts";
import { LOKI_ROUNDS_MAX } from "../../core/loki-limits.ts";
import type { Log } from "../../core/log.ts";
import { timeText } from "../../core/record.ts";
import { DeliveryAborted, type RecordSource, type Wire } from "../../core/sink.ts";
import type { Contents, Destination, LookUp, Refusal } from "../destination.ts";
import { type Exchange, type Problem, type Reply, Verdict } from "../exchange.ts";
import type { Carrier, Transfer } from "../http/carrier.ts";
import { ErrorBody } from "../http/error-body.ts";
import { describeFailure, retryAfterMs } from "../http/failure.ts";
import { lineBytesOf, lineOf, nanosOf, secondOf, streamOf, totalOf } from "./entry.ts";
import type { Mender } from "./mending.ts";
import type { Pace } from "./pace.ts";
import type { Packer, Selection } from "./pack.ts";
import { describeAnswer } from "./problem.ts";
import { lineLimitOf, readRefusals, refusesMetadata, typeOfRefusal } from "./refusal.ts";
import type { Streams } from "./streams.ts";

const PATH = "/loki/api/v1/push";

export interface PushOptions {
  readonly name: string;
  readonly wire: Wire;
  readonly carrier: Carrier;
  readonly streams: Streams;
  /** One per lane. */
  readonly packers: readonly Packer[];
  readonly mender: Mender;
  readonly pace: Pace;
  readonly tenant: string | undefined;
  readonly log: Log;
  readonly clock: Clock;
}

/** `/loki/api/v1/push` of one tenant. */
export class PushDestination implements Destination {
  readonly wire: Wire;
  readonly secondForm = "without what is refused: its time, a part of its line, its labels or its metadata";
  readonly #o: PushOptions;
  #withoutMetadata = false;

  constructor(options: PushOptions) {
    this.wire = options.wire;
    this.#o = options;
  }

  /**
   * Loki takes some entries of a push and refuses others. Those it refuses are told apart as far as its words are certain, and
   * the rest is sent again, until it takes all of it: what it has already it has only once. Where its words tell nothing, the
   * request is halved, down to one record.
   */
  async send(lane: number, exchange: Exchange, signal: AbortSignal): Promise<Reply> {
    for (let round = 0; round < LOKI_ROUNDS_MAX; round++) {
      const reply = await this.#sendOnce(lane, exchange, signal);
      if (reply === "again") continue;
      if (reply.kind !== "answered") {
        exchange.clearAnswer();
        if (signal.aborted) throw new DeliveryAborted("stopped during a request");
      }
      return reply;
    }
    exchange.clearAnswer();
    return halve("content", 400, "refused_in_part", "the server refuses some of these entries and does not say which");
  }

  async #sendOnce(lane: number, exchange: Exchange, signal: AbortSignal): Promise<Reply | "again"> {
    const { carrier, packers, pace, tenant } = this.#o;
    const { verdicts } = exchange;
    const selection: Selection = {
      includes: (position) => verdicts[position] === Verdict.none,
      withoutMetadata: this.#withoutMetadata,
    };
    const packer = packers[lane];
    if (!packer.measure(exchange, selection)) return halve("size", 413, "content_too_large", "the push is too large");
    const body = await packer.pack(exchange, selection);
    if (body === undefined) return { kind: "answered" };
    await pace.wait(packer.contentBytes, signal);
    const errorBody = new ErrorBody(ERROR_BODY_MAX_BYTES);
    const transfer = await carrier.send(
      {
        method: "POST",
        path: PATH,
        headers: {
          "content-type": "application/x-protobuf",
          ...(tenant === undefined ? {} : { "x-scope-orgid": tenant }),
        },
        body,
        leaving: exchange.leaving,
      },
      () => (chunk) => errorBody.write(chunk),
      signal,
    );
    return this.#read(transfer, errorBody, exchange, packer.contentBytes);
  }

  #read(transfer: Transfer, errorBody: ErrorBody, exchange: Exchange, contentBytes: number): Reply | "again" {
    const { carrier, clock, pace } = this.#o;
    const { origin } = transfer;
    if (transfer.kind === "failed") {
      const problem = describeFailure(transfer.code, transfer.message, origin);
      return { kind: "retry", problem, mayHaveArrived: transfer.connected, brokeOff: transfer.connected };
    }
    const { status, headers } = transfer;
    if (status === 204 || (status === 200 && errorBody.text === "")) {
      pace.taken(contentBytes);
      for (let i = 0; i < exchange.count; i++) {
        if (exchange.verdicts[i] !== Verdict.none) continue;
        exchange.verdicts[i] = Verdict.delivered;
        exchange.statuses[i] = status;
      }
      return { kind: "answered" };
    }
    const message = carrier.credentials.redact(errorBody.text);
    const problem = describeAnswer(status, message.trim(), origin);
    const type = typeOfRefusal(message);
    if (status === 400 && refusesMetadata(message)) return this.#dropMetadata(problem);
    if (status === 400 && type !== undefined) return this.#readRefusals(message, type, exchange);
    if (status === 413 || /received message larger than max/.test(message))
      return halve("size", status, "content_too_large", "the record alone is more than the server takes");
    if (status === 429 && type !== undefined) return this.#readRefusals(message, type, exchange);
    const waitMs = retryAfterMs(headers, clock);
    if (status === 429) {
      pace.refused(message, contentBytes);
      if (exchange.count > 1 && pace.isTooMuchAtOnce(message))
        return halve("size", status, "push_too_large", message.trim());
      return { kind: "busy", problem, retryAfterMs: waitMs };
    }
    const refused = status === 400 || status === 401 || status === 403;
    // A firewall or proxy in between may mean one word of one line.
    const mayBeContent = status === 400 || status >= 500;
    return { kind: "retry", status, problem, mayHaveArrived: !refused, mayBeContent, retryAfterMs: waitMs };
  }

  /** Marks the records that were refused for certain; those that are left go out again. */
  #readRefusals(message: string, type: string, exchange: Exchange): Reply | "again" {
    const { mender, streams } = this.#o;
    const limit = lineLimitOf(message);
    if (limit !== undefined) mender.lineMaxBytes = limit;
    const refusals = readRefusals(message);
    const { buffer, from, count, verdicts } = exchange;
    let marked = 0;
    for (let i = 0, at = from; i < count; at += totalOf(buffer, at), i++) {
      if (verdicts[i] !== Verdict.none) continue;
      const stream = streams.get(streamOf(buffer, at));
      const judged = {
        second: secondOf(buffer, at),
        nanos: nanosOf(buffer, at),
        lineBytes: lineBytesOf(buffer, at),
        labels: stream.text,
      };
      const refused = refusals.find(({ applies }) => applies(judged));
      if (refused === undefined) continue;
      marked++;
      // The stream with the fewest labels has no room either: there will be some when others have been silent for a while.
      const isFull = refused.type === "too_many_streams" && stream.labels.size === 1;
      verdicts[i] = isFull ? Verdict.waiting : Verdict.mendable;
      exchange.statuses[i] = isFull ? 429 : 400;
      exchange.types.set(i, refused.type);
      exchange.reasonsOfTypes.set(refused.type, refused.reason);
    }
    if (marked > 0) return "again";
    return halve("content", 400, type, message.trim().slice(0, 400));
  }

  #dropMetadata({ message }: Problem): Reply | "again" {
    const { log, name } = this.#o;
    if (this.#withoutMetadata) return halve("content", 400, "metadata_refused", message);
    this.#withoutMetadata = true;
    log.warn(
      "metadata_dropped",
      `${name}: Loki takes no structured metadata, so level, ids, file and offset are left out; set \`allow_structured_metadata\` there, or \`structured_metadata: false\` here`,
      { sink: name },
    );
    return "again";
  }

  /** Nobody has ids in Loki, so there are no conflicts. */
  lookUp(): Promise<LookUp> {
    return Promise.resolve({ kind: "found", same: new Set() });
  }

  explain(exchange: Exchange, position: number): Problem {
    return describeAnswer(exchange.statuses[position], exchange.reasons.get(position) ?? "", this.#o.name);
  }

  documentOf(wire: Buffer): Buffer {
    return lineOf(wire, 0);
  }

  contentsOf(wire: Buffer): Contents {
    return { time: timeText(secondOf(wire, 0), nanosOf(wire, 0)), text: lineOf(wire, 0).toString() };
  }

  hasFurtherForm(first: Buffer, { type }: Refusal): boolean {
    return this.#o.mender.mendOf(first, type) !== 0;
  }

  maxBytesAgain(_source: RecordSource, batch: Batch, record: number): number {
    return this.#o.mender.maxBytes(batch.buffer.subarray(batch.starts[record], batch.ends[record]));
  }

  writeAgain(source: RecordSource, batch: Batch, record: number, refusal: Refusal, out: Buffer, at: number): number {
    return this.#o.mender.write(source, batch, record, refusal, out, at);
  }
}

function halve(because: "size" | "content", status: number, code: string, message: string): Reply {
  return { kind: "halve", because, status, problem: { code, message } };
}
