/**
 * What Splunk's HTTP Event Collector does with requests, as its public documents say: "Format events for HTTP Event Collector",
 * "About HTTP Event Collector Indexer Acknowledgment" and "Troubleshoot HTTP Event Collector" (the table of codes) of Getting
 * Data In, and the endpoints `services/collector/…` of the REST API Reference. It is not Splunk: where the documents are
 * silent, it does what is worst for a sender. So a request with an invalid event keeps what stands before it, though it says
 * that it failed, and nothing is ever recognised as having come before.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Arrival, ItemOf } from "./bulk-store.ts";
import { SequenceSet } from "./sequence-set.ts";

export interface CollectorAnswer {
  readonly status: number;
  readonly body: string;
}

export interface HecEvent {
  readonly time: number;
  readonly host?: string;
  readonly source?: string;
  readonly sourcetype?: string;
  readonly index?: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly event: Readonly<Record<string, unknown>>;
}

export interface CollectorOptions {
  /** Indices that the token may write to; undefined: any. */
  readonly indexes?: readonly string[];
  /** Indexer acknowledgement is enabled for the token. */
  readonly acknowledges?: boolean;
  /** Does not take an event for what it says: which code it gives. */
  readonly refuses?: (event: HecEvent) => number | undefined;
  /** Whether the first event of a request is number 0 or 1 in its answers. */
  readonly firstNumber?: 0 | 1;
}

const TEXTS: Readonly<Record<number, readonly [status: number, text: string]>> = {
  0: [200, "Success"],
  1: [403, "Token disabled"],
  2: [401, "Token is required"],
  3: [401, "Invalid authorization"],
  4: [403, "Invalid token"],
  5: [400, "No data"],
  6: [400, "Invalid data format"],
  7: [400, "Incorrect index"],
  8: [500, "Internal server error"],
  9: [503, "Server is busy"],
  10: [400, "Data channel is missing"],
  11: [400, "Invalid data channel"],
  12: [400, "Event field is required"],
  13: [400, "Event field cannot be blank"],
  14: [400, "ACK is disabled"],
  15: [400, "Error in handling indexed fields"],
  16: [400, "Query string authorization is not enabled"],
  17: [200, "HEC is healthy"],
  18: [503, "HEC is unhealthy, queues are full"],
  19: [503, "HEC is unhealthy, ack service unavailable"],
  20: [503, "HEC is unhealthy, queues are full, ack service unavailable"],
  21: [400, "Invalid token"],
  22: [400, "Token disabled"],
  23: [503, "Server is shutting down"],
  26: [429, "HEC queue is at capacity"],
  27: [429, "HEC ACK channel is at capacity"],
};

/** The answer that goes with a code. */
export function hecAnswer(code: number, more: Readonly<Record<string, number>> = {}): CollectorAnswer {
  const [status, text] = TEXTS[code];
  return { status, body: JSON.stringify({ text, code, ...more }) };
}

export class HecCollector {
  readonly sequences: SequenceSet = new SequenceSet();
  /** Every event that it took, as often as it came. */
  readonly arrivals: Arrival[] = [];
  readonly events: HecEvent[] = [];
  readonly options: CollectorOptions;
  readonly #times = new Map<string, number>();
  /** By channel: requests so far, and those whose events are indexed and not yet asked for. */
  readonly #channels = new Map<
    string,
    { next: number; readonly pending: Set<number>; readonly indexed: Set<number> }
  >();
  /** Requests are indexed as soon as they are taken. */
  indexes = true;

  constructor(options: CollectorOptions = {}) {
    this.options = options;
  }

  /** `services/collector/event`, with an inflated body. */
  event(headers: IncomingHttpHeaders, body: Buffer): CollectorAnswer {
    const channel = String(headers["x-splunk-request-channel"] ?? "");
    if (this.options.acknowledges === true && channel === "") return hecAnswer(10);
    const answer = this.take(body);
    if (answer.status !== 200 || this.options.acknowledges !== true) return answer;
    const state = this.#channels.get(channel) ?? { next: 0, pending: new Set(), indexed: new Set() };
    this.#channels.set(channel, state);
    (this.indexes ? state.indexed : state.pending).add(state.next);
    return hecAnswer(0, { ackId: state.next++ });
  }

  /** `services/collector/ack`: an acknowledgement is told once. */
  ack(channel: string, body: string): CollectorAnswer {
    if (this.options.acknowledges !== true) return hecAnswer(14);
    const state = this.#channels.get(channel);
    const { acks } = JSON.parse(body) as { readonly acks: readonly number[] };
    return {
      status: 200,
      body: JSON.stringify({ acks: Object.fromEntries(acks.map((id) => [id, state?.indexed.delete(id) === true])) }),
    };
  }

  /** What was taken is indexed now. */
  indexAll(): void {
    for (const { pending, indexed } of this.#channels.values()) for (const id of pending) indexed.add(id);
  }

  /** A restart: numbers begin anew, and nobody knows any more what was asked before. */
  forget(): void {
    this.#channels.clear();
  }

  /** Reads events up to the first that is not valid. `itemOf` may refuse one, by a code. */
  take(body: Buffer, itemOf: ItemOf = () => undefined): CollectorAnswer {
    const lines = body.toString().split("\n").slice(0, -1);
    if (lines.length === 0) return hecAnswer(5);
    const { indexes, refuses, firstNumber = 0 } = this.options;
    for (const [i, line] of lines.entries()) {
      const at = { "invalid-event-number": i + firstNumber };
      let event: HecEvent;
      try {
        event = JSON.parse(line) as HecEvent;
      } catch {
        return hecAnswer(6, at);
      }
      if (!("event" in event)) return hecAnswer(12, at);
      if (typeof event.time !== "number") return hecAnswer(6, at);
      if (Object.values(event.fields ?? {}).some((value) => typeof value !== "string")) return hecAnswer(15, at);
      if (indexes !== undefined && !indexes.includes(event.index ?? indexes[0]))
        return hecAnswer(7, { "invalid-event-number": i + 1 });
      const arrival = this.#arrivalOf(event);
      const code = refuses?.(event) ?? itemOf(arrival);
      if (code !== undefined) return hecAnswer(Number(code), at);
      this.events.push(event);
      this.arrivals.push(arrival);
      this.sequences.add(arrival.sequence);
    }
    return hecAnswer(0);
  }

  #arrivalOf({ event: document, fields }: HecEvent): Arrival {
    const asText = Array.isArray(document["tags"]) && document["tags"].includes("refused");
    const sequence = Number(asText ? /"seq":(\d+)/.exec(String(document["message"]))?.[1] : document["seq"]);
    const id = fields?.["pannier_id"] ?? "";
    const times = (this.#times.get(id) ?? 0) + 1;
    this.#times.set(id, times);
    const place = { path: String(document["log.file.path"]), offset: Number(document["log.offset"]) };
    return { id, sequence, ...place, asText, document, times };
  }
}
