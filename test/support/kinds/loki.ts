import type { Arrival, ItemOf } from "../bulk-store.ts";
import { readAnyPush } from "../loki-push.ts";
import { SequenceSet } from "../sequence-set.ts";
import type { Answer, SinkKind, Store } from "../sink-kind.ts";

/** Names no entry, as Loki does it here. */
const REFUSAL =
  "stream '{service_name=\"unknown_service\"}' has structured metadata too large: '70000' bytes, limit: '65536' bytes.";

export const lokiKind: SinkKind = {
  type: "loki",
  settings: [],
  largeBodies: "max_bytes: 2MiB",
  createStore: () => new PushStore(),
  headers: {},
  isDelivery: (path) => path === "/loki/api/v1/push",

  beside(request, response) {
    request.resume();
    response.writeHead(404).end();
  },

  countIn: (body) => readAnyPush(body).reduce((sum, { entries }) => sum + entries.length, 0),
  answersWithBody: false,
  keepsOnce: true,
  stranger: "sink_not_loki",
  strangers: [
    { status: 201, body: "" },
    { status: 200, body: '{"status":"success"}' },
  ],
  busy: { status: 429, body: "ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec)" },
  unauthorized: { status: 401, body: "no org id" },
  refused: { status: 400, body: REFUSAL },
  refusal: REFUSAL,
  reason: "structured metadata too large",
};

/** The same with the other form of pushes. */
export const lokiJsonKind: SinkKind = { ...lokiKind, settings: ["encoding: json"] };

/** Stores entries as Loki does: one of those with the same stream, time and line; and those beside one that it refuses. */
class PushStore implements Store {
  readonly sequences = new SequenceSet();
  readonly arrivals: Arrival[] = [];
  readonly #known = new Set<string>();
  readonly #times = new Map<string, number>();

  take(body: Buffer, itemOf: ItemOf = () => undefined): Answer {
    let refusal: string | undefined;
    const streams = readAnyPush(body);
    // Of several streams Loki would say only what became of the last one.
    if (streams.length > 1) return { status: 500, body: `${streams.length} streams in one push` };
    for (const { labels, entries } of streams) {
      for (const { time, line, metadata } of entries) {
        const arrival = this.#arrivalOf(`${labels} ${String(time)} ${line.toString()}`, line.toString(), metadata);
        const words = itemOf(arrival);
        if (words === undefined) this.#store(arrival);
        refusal ??= words;
      }
    }
    return refusal === undefined ? { status: 204, body: "" } : { status: 400, body: refusal };
  }

  #arrivalOf(id: string, text: string, metadata: Readonly<Record<string, string>>): Arrival {
    const document = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const times = (this.#times.get(id) ?? 0) + 1;
    this.#times.set(id, times);
    const place = { path: metadata["file"] ?? "", offset: Number(metadata["offset"]) };
    return { id, sequence: Number(document["seq"]), ...place, asText: metadata["file"] === undefined, document, times };
  }

  #store(arrival: Arrival): void {
    if (this.#known.has(arrival.id)) return;
    this.#known.add(arrival.id);
    this.sequences.add(arrival.sequence);
    this.arrivals.push(arrival);
  }
}
