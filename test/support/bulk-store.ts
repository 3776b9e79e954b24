/** What a test server has stored: every document once, as `create` does it, in the order of arrival. */
import { SequenceSet } from "./sequence-set.ts";
import type { Answer, Store } from "./sink-kind.ts";

/** One document of a `_bulk` request. */
export interface Arrival {
  readonly id: string;
  readonly sequence: number;
  readonly path: string;
  readonly offset: number;
  /** It comes as text, since it was refused before. */
  readonly asText: boolean;
  readonly document: Readonly<Record<string, unknown>>;
  /** How often it has come, this time included. */
  readonly times: number;
}

/** The item that a server answers with instead of storing the document; undefined: it is stored. */
export type ItemOf = (arrival: Arrival) => string | undefined;

const CREATED = '{"create":{"status":201}}';
const CONFLICT =
  '{"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"version conflict, ' +
  'document already exists (current version [1])","index":".ds-logs-pannier-default-000001"}}}';

export class BulkStore implements Store {
  readonly sequences: SequenceSet = new SequenceSet();
  /** In the order in which they were stored. */
  readonly arrivals: Arrival[] = [];
  conflicts = 0;
  readonly #known = new Set<string>();
  readonly #times = new Map<string, number>();

  /** Takes an inflated body and returns the answer. */
  take(body: Buffer, itemOf: ItemOf = () => undefined): Answer {
    const items = this.#read(body).map((arrival) => itemOf(arrival) ?? this.#store(arrival));
    const errors = items.some((item) => item !== CREATED);
    return { status: 200, body: `{"errors":${errors},"items":[${items.join(",")}]}` };
  }

  #read(body: Buffer): Arrival[] {
    const lines = body.toString().split("\n").slice(0, -1);
    return lines.flatMap((action, i) => {
      if (i % 2 === 1) return [];
      const { create } = JSON.parse(action) as { create: Record<"_id", string> };
      const document = JSON.parse(lines[i + 1]) as Readonly<Record<string, unknown>>;
      const id = create["_id"];
      const times = (this.#times.get(id) ?? 0) + 1;
      this.#times.set(id, times);
      const asText = Array.isArray(document["tags"]) && document["tags"].includes("refused");
      const sequence = Number(asText ? /"seq":(\d+)/.exec(String(document["message"]))?.[1] : document["seq"]);
      const place = { path: String(document["log.file.path"]), offset: Number(document["log.offset"]) };
      return [{ id, sequence, ...place, asText, document, times }];
    });
  }

  #store(arrival: Arrival): string {
    if (this.#known.has(arrival.id)) {
      this.conflicts += 1;
      return CONFLICT;
    }
    this.#known.add(arrival.id);
    this.sequences.add(arrival.sequence);
    this.arrivals.push(arrival);
    return CREATED;
  }
}
