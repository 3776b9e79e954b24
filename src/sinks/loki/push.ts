import type { Batch } from "../../core/batch.ts";
import type { Clock } from "../../core/clock.ts";
import { ERROR_BODY_MAX_BYTES } from "../../core/delivery-limits.ts";
import { LOKI_FLOW_BYTES_PER_S, LOKI_PACE_TRIES } from "../../core/loki-limits.ts";
import type { Log } from "../../core/log.ts";
import { timeText } from "../../core/record.ts";
import { DeliveryAborted, type RecordSource, type Wire } from "../../core/sink.ts";
import type { Contents, Destination, LookUp, Refusal } from "../destination.ts";
import { type Exchange, type Problem, type Reply, Verdict } from "../exchange.ts";
import type { Body, Carrier, Transfer } from "../http/carrier.ts";
import { ErrorBody } from "../http/error-body.ts";
import { describeFailure, retryAfterMs } from "../http/failure.ts";
import { lineOf, nanosOf, secondOf } from "./entry.ts";
import type { Choice, Selection } from "./choice.ts";
import { HELD_STATUS, letWait, markDelivered, markRefused, Stored } from "./marks.ts";
import type { Mender } from "./mending.ts";
import { type Pace, streamRefusal } from "./pace.ts";
import type { Packer } from "./pack.ts";
import { describeAnswer } from "./problem.ts";
import { lineLimitOf, refusesMetadata, typeOfRefusal } from "./refusal.ts";
import type { Streams } from "./streams.ts";
import type { Turns } from "./turns.ts";
import { pause } from "../wait.ts";

const PATH = "/loki/api/v1/push";

/**
 * What one push came to. `again`: something of it is settled, and the rest is to be sent. `isPaced`: the server named the limit
 * for which it refused, and the next try waits as long as that wants.
 */
type Attempt = "again" | (Reply & { readonly isPaced?: boolean });

export interface PushOptions {
  readonly name: string;
  readonly wire: Wire;
  readonly carrier: Carrier;
  readonly streams: Streams;
  /** One per lane. */
  readonly packers: readonly Packer[];
  readonly mender: Mender;
  readonly pace: Pace;
  readonly turns: Turns;
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
  /** The server has named a limit, and it was said. */
  #knowsLimit = false;
  /** Why what is left of an answer waits, by lane. */
  readonly #held: Problem[] = [];

  constructor(options: PushOptions) {
    this.wire = options.wire;
    this.#o = options;
  }

  /**
   * Sends the records of one stream after the other (`choice.ts` says why). Loki takes some entries of a push and refuses others.
   * Those it refuses are told apart as far as its words are certain, and the rest is sent again, until it takes all of it: what
   * it has already it has only once. Where its words tell nothing, fewer go out at once, down to one record. So every push
   * settles some of its records, or is smaller than the one before. What is settled stays so when the next push fails: a stream
   * may have gone on by then, and not be what it was for lines that come a second time.
   */
  async send(lane: number, exchange: Exchange, signal: AbortSignal): Promise<Reply> {
    this.#o.packers[lane].choice.begin(exchange);
    const stored = new Stored();
    let tooFast = 0;
    for (;;) {
      const reply = await this.#sendOnce(lane, exchange, stored, signal);
      if (reply === "again") tooFast = 0;
      else if (reply.kind === "answered") return reply;
      // That the server has a limit was said when it named it; since then a push waits for its turn by itself.
      else if (reply.kind !== "busy" || reply.isPaced !== true || ++tooFast === LOKI_PACE_TRIES) {
        if (signal.aborted) throw new DeliveryAborted("stopped during a request");
        if (!letWait(exchange)) return reply;
        this.#held[lane] = reply.problem;
        return { kind: "answered" };
      }
    }
  }

  async #sendOnce(lane: number, exchange: Exchange, stored: Stored, signal: AbortSignal): Promise<Attempt> {
    const { packers, streams } = this.#o;
    const { verdicts } = exchange;
    const selection: Selection = {
      includes: (position) => verdicts[position] === Verdict.none,
      withoutMetadata: this.#withoutMetadata,
    };
    const packer = packers[lane];
    const { choice } = packer;
    choice.choose(exchange, selection);
    if (choice.stream < 0) return { kind: "answered" };
    return streams.turnstileOf(choice.stream).pass(() => this.#carry(packer, selection, exchange, stored, signal));
  }

  async #carry(
    packer: Packer,
    selection: Selection,
    exchange: Exchange,
    stored: Stored,
    signal: AbortSignal,
  ): Promise<Attempt> {
    const { carrier, clock, pace, streams, tenant, turns } = this.#o;
    const { choice, headers } = packer;
    const { stream, contentBytes } = choice;
    const waitMs = turns.waitMs(stream, streams.flowShare, clock.monotonicMs());
    if (waitMs > 0) await pause(waitMs, signal);
    await pace.wait(contentBytes, signal);
    const errorBody = new ErrorBody(ERROR_BODY_MAX_BYTES);
    let isTooLarge = false;
    const makeBody = async (): Promise<Body> => {
      const bytes = await packer.pack(exchange, selection);
      isTooLarge = bytes === undefined;
      if (bytes === undefined) throw new Error("the push is too large");
      await exchange.leaving();
      turns.left(stream, contentBytes, streams.flowShare, clock.monotonicMs());
      return { bytes };
    };
    const transfer = await carrier.send(
      {
        method: "POST",
        path: PATH,
        headers: { ...headers, ...(tenant === undefined ? {} : { "x-scope-orgid": tenant }) },
        body: makeBody,
      },
      () => (chunk) => errorBody.write(chunk),
      signal,
    );
    if (isTooLarge) return halve("size", 413, "content_too_large", "the push is too large");
    return this.#read(transfer, errorBody, exchange, choice, stored);
  }

  #read(transfer: Transfer, errorBody: ErrorBody, exchange: Exchange, choice: Choice, stored: Stored): Attempt {
    const { carrier, clock, pace } = this.#o;
    const { origin } = transfer;
    if (transfer.kind === "failed") {
      const problem = describeFailure(transfer.code, transfer.message, origin);
      return { kind: "retry", problem, mayHaveArrived: transfer.connected, brokeOff: transfer.connected };
    }
    const { status, headers } = transfer;
    if (status === 204 || (status === 200 && errorBody.text === "")) {
      pace.taken();
      markDelivered(exchange, choice, status);
      choice.most *= 2;
      return choice.hasOthers ? "again" : { kind: "answered" };
    }
    const message = carrier.credentials.redact(errorBody.text);
    const problem = describeAnswer(status, message.trim(), origin);
    const type = typeOfRefusal(message);
    if (status === 400 && refusesMetadata(message)) return this.#dropMetadata(problem);
    if (status === 400 && type !== undefined) return this.#readRefusals(message, exchange, choice, stored);
    if (status === 413 || /received message larger than max/.test(message))
      return halve("size", status, "content_too_large", "the record alone is more than the server takes");
    if (status === 429 && type !== undefined) return this.#readRefusals(message, exchange, choice, stored);
    const waitMs = retryAfterMs(headers, clock);
    if (status === 429) {
      const isTooMuch = this.#slowDown(message, choice.contentBytes);
      if (exchange.count > 1 && isTooMuch === true) return halve("size", status, "push_too_large", message.trim());
      const isPaced = isTooMuch !== undefined && this.#knowsLimit;
      this.#knowsLimit ||= isTooMuch !== undefined;
      return { kind: "busy", problem, retryAfterMs: waitMs, isPaced };
    }
    const refused = status === 400 || status === 401 || status === 403;
    // A firewall or proxy in between may mean one word of one line.
    const mayBeContent = status === 400 || status >= 500;
    return { kind: "retry", status, problem, mayHaveArrived: !refused, mayBeContent, retryAfterMs: waitMs };
  }

  /** Obeys the limit that a refusal names, and says whether the push was more than it ever takes; undefined when none is named. */
  #slowDown(message: string, contentBytes: number): boolean | undefined {
    const { pace, streams } = this.#o;
    const ofStream = streamRefusal(message);
    if (ofStream === undefined) return pace.refused(message, contentBytes) ? pace.isTooMuchAtOnce(message) : undefined;
    // What comes from now on is spread over more streams, and the speed of the whole is not to blame.
    streams.flowShare = Math.min(streams.flowShare, ofStream.limit / 2 / LOKI_FLOW_BYTES_PER_S);
    pace.hold(ofStream.bytes, ofStream.limit);
    return ofStream.bytes > ofStream.limit;
  }

  /** Marks the records that were refused for certain; those that are left go out again, fewer at once when these are none. */
  #readRefusals(message: string, exchange: Exchange, choice: Choice, stored: Stored): "again" {
    const { mender, streams } = this.#o;
    const limit = lineLimitOf(message);
    if (limit !== undefined) mender.lineMaxBytes = limit;
    const marked = markRefused(exchange, choice, message, streams, stored);
    if (marked === 0) {
      choice.most = Math.ceil(choice.count / 2);
      exchange.retries++;
    }
    return "again";
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
    const held = this.#held[exchange.lane];
    if (held !== undefined && exchange.statuses[position] === HELD_STATUS) return held;
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
