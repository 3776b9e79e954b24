import type { Batch } from "../../core/batch.ts";
import type { Clock } from "../../core/clock.ts";
import type { ElasticsearchConfig } from "../../core/config.ts";
import { ERROR_BODY_MAX_BYTES } from "../../core/delivery-limits.ts";
import { type Compressor, DeliveryAborted, type RecordSource } from "../../core/sink.ts";
import type { Conflict, Contents, Destination, LookUp, Refusal } from "../destination.ts";
import { type Exchange, type Problem, type Reply, Verdict } from "../exchange.ts";
import { type AnswerReader, AnswerScanner } from "./answer.ts";
import type { AnswerItem } from "./answer-shape.ts";
import type { Carrier, Transfer } from "../http/carrier.ts";
import { lookUpConflicts } from "./conflicts.ts";
import type { Credentials } from "../http/credentials.ts";
import { ErrorBody } from "../http/error-body.ts";
import { describeFailure, retryAfterMs } from "../http/failure.ts";
import { gzipped } from "../http/gzipped.ts";
import { describeError, describeStranger } from "./problem.ts";
import type { Template } from "./template.ts";
import { destinationName } from "./template-body.ts";
import { FAILURE_STORE, namesDestination, verdictOf } from "./verdict.ts";
import { elasticsearchWire } from "./wire.ts";

/** What is asked of each item. The index is asked for only where there is an error: it is most of a usual answer. */
const FILTER = [
  "errors",
  "items.*.status",
  "items.*.failure_store",
  "items.*.error.type",
  "items.*.error.reason",
  "items.*.error.index",
].join(",");

const NEWLINE = 0x0a;

/** `_bulk` of one data stream or index. */
export class BulkDestination implements Destination {
  readonly wire = elasticsearchWire;
  readonly #carrier: Carrier;
  readonly #template: Template;
  readonly #clock: Clock;
  readonly #path: string;
  readonly #plainIndex: string | undefined;
  /** One per lane; a lane without sends as it is, as does a batch that does not get smaller. */
  readonly #compressors: readonly Compressor[];
  readonly #scanners: AnswerScanner[] = [];
  /** Which node answered last. */
  #origin = "";

  constructor(options: {
    config: ElasticsearchConfig;
    carrier: Carrier;
    template: Template;
    clock: Clock;
    compressors: readonly Compressor[];
  }) {
    this.#carrier = options.carrier;
    this.#template = options.template;
    this.#clock = options.clock;
    this.#compressors = options.compressors;
    this.#plainIndex = options.config.index;
    this.#path = `/${encodeURIComponent(destinationName(options.config))}/_bulk?filter_path=${FILTER}`;
  }

  async send(lane: number, exchange: Exchange, signal: AbortSignal): Promise<Reply> {
    const notYet = await this.#template.prepare(signal);
    if (notYet !== undefined) return this.#unlessAborted(signal, retry(notYet, false));
    const scanner = (this.#scanners[lane] ??= new AnswerScanner());
    scanner.begin(readerOf(exchange, this.#carrier.credentials));
    const errorBody = new ErrorBody(ERROR_BODY_MAX_BYTES);
    const transfer = await this.#carrier.send(
      {
        method: "POST",
        path: this.#path,
        headers: { "content-type": "application/x-ndjson" },
        body: () => gzipped(this.#compressors[lane], exchange),
      },
      (status) => (status === 200 ? (chunk) => scanner.write(chunk) : (chunk) => errorBody.write(chunk)),
      signal,
    );
    exchange.resent = transfer.resent === true;
    const reply = this.#read(transfer, scanner, errorBody, exchange);
    if (reply.kind !== "answered") exchange.clearAnswer();
    return this.#unlessAborted(signal, reply);
  }

  #unlessAborted(signal: AbortSignal, reply: Reply): Reply {
    if (signal.aborted && reply.kind !== "answered") throw new DeliveryAborted("stopped during a request");
    return reply;
  }

  /** Unknown is every outcome but a complete answer and a refusal of the whole request. */
  #read(transfer: Transfer, scanner: AnswerScanner, errorBody: ErrorBody, exchange: Exchange): Reply {
    const { origin } = transfer;
    this.#origin = origin;
    if (transfer.kind === "failed")
      return {
        kind: "retry",
        problem: describeFailure(transfer.code, transfer.message, origin),
        mayHaveArrived: transfer.connected,
        brokeOff: transfer.connected,
      };
    const { status, headers } = transfer;
    if (status === 200) {
      if (!scanner.complete || scanner.count !== exchange.count) return retry(describeStranger(status, origin), true);
      if (hasDelivery(exchange)) this.#template.shipped();
      return { kind: "answered" };
    }
    const { type, reason } = errorBody.error();
    const redacted = this.#carrier.credentials.redact(reason);
    const problem = describeError(status, type ?? "", redacted, origin);
    if (status === 413)
      return halve("size", status, "content_too_large", "the record alone is more than the server takes (413)");
    if (status === 400 && !namesDestination(type)) return halve("content", status, type ?? "", redacted);
    const waitMs = retryAfterMs(headers, this.#clock);
    if (status === 429) return { kind: "busy", problem, retryAfterMs: waitMs };
    const refused = status === 400 || status === 401 || status === 403;
    if (!refused && status < 400) return retry(describeStranger(status, origin, headers.location), true);
    // A firewall or proxy in between refuses without words of Elasticsearch's, and may mean one word of one line.
    const mayBeContent = type === undefined || status >= 500;
    return { kind: "retry", status, problem, mayHaveArrived: !refused, mayBeContent, retryAfterMs: waitMs };
  }

  lookUp(conflicts: readonly Conflict[], signal: AbortSignal): Promise<LookUp> {
    return lookUpConflicts(this.#carrier, this.#plainIndex, conflicts, signal);
  }

  explain(exchange: Exchange, position: number): Problem {
    const reason = exchange.reasons.get(position) ?? "";
    return describeError(exchange.statuses[position], exchange.types.get(position) ?? "", reason, this.#origin);
  }

  readonly secondForm = "as text, with the reason";

  hasFurtherForm(): boolean {
    return false;
  }

  maxBytesAgain(source: RecordSource, batch: Batch, record: number): number {
    return source.maxTextBytes(batch, record);
  }

  writeAgain(source: RecordSource, batch: Batch, record: number, { reason }: Refusal, out: Buffer, at: number): number {
    return source.encodeAsText(batch, record, reason, out, at);
  }

  contentsOf(wire: Buffer): Contents {
    const { "@timestamp": time, message } = JSON.parse(this.documentOf(wire).toString()) as Readonly<
      Record<string, unknown>
    >;
    return { time: textOf(time), text: textOf(message) };
  }

  documentOf(wire: Buffer): Buffer {
    return wire.subarray(wire.indexOf(NEWLINE) + 1, wire.length - 1);
  }
}

/** Writes what an answer says into an exchange. */
function readerOf(exchange: Exchange, credentials: Credentials): AnswerReader {
  return {
    item: (item, position) => take(exchange, item, position, credentials),
    successes(position, count) {
      const end = Math.min(position + count, exchange.count);
      if (position >= end) return;
      exchange.verdicts.fill(Verdict.delivered, position, end);
      exchange.statuses.fill(201, position, end);
    },
  };
}

/** Notes what one item says. More items than records are counted by the scanner, and make the answer a stranger's. */
function take(exchange: Exchange, item: AnswerItem, position: number, credentials: Credentials): void {
  if (position >= exchange.count) return;
  const verdict = verdictOf(item);
  exchange.verdicts[position] = verdict;
  exchange.statuses[position] = item.status;
  if (verdict === Verdict.delivered) return;
  if (item.inFailureStore) {
    exchange.types.set(position, FAILURE_STORE);
    exchange.setReason(position, "the server put it into the failure store of the data stream, which says why");
    return;
  }
  if (item.type !== "") exchange.types.set(position, item.type);
  if (verdict === Verdict.conflict) {
    if (item.index !== "") exchange.places.set(position, item.index);
  } else if (exchange.hasRoomForReason()) exchange.setReason(position, credentials.redact(item.reason()));
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function hasDelivery(exchange: Exchange): boolean {
  return exchange.verdicts.subarray(0, exchange.count).includes(Verdict.delivered);
}

function retry(problem: Problem, mayHaveArrived: boolean): Reply {
  return { kind: "retry", problem, mayHaveArrived };
}

function halve(because: "size" | "content", status: number, code: string, message: string): Reply {
  return { kind: "halve", because, status, problem: { code, message } };
}
