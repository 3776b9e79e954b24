/**
 * Answers as Elasticsearch does and keeps every document under its id: `create` of a known id is a conflict, `_mget` gives
 * the time back, documents with `"refuse":true` are rejected in every form. So what a test finds in it at last is what users
 * would find.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";

export interface StoredDocument {
  readonly id: string;
  readonly text: string;
  readonly time: string;
}

export interface DoubleOptions {
  /** Before each answer. */
  readonly delayMs?: number;
  /** The documents that somebody else's, of another time, are found in the place of. */
  readonly isTaken?: (text: string) => boolean;
  /** The key may only write: `_mget` is answered with 403. */
  readonly writeOnly?: boolean;
}

const TAKEN_TIME = "2001-01-01T00:00:00Z";

export class ElasticsearchDouble {
  readonly documents: Map<string, StoredDocument> = new Map();
  /** How many documents have each `"seq":N`. */
  readonly #ofSequence = new Map<number, number>();
  conflicts = 0;
  requests = 0;
  /** Before each answer; may be changed. */
  delayMs: number;
  readonly #options: DoubleOptions;
  readonly #server = createServer((request, response) => this.#take(request, response));

  constructor(options: DoubleOptions = {}) {
    this.#options = options;
    this.delayMs = options.delayMs ?? 0;
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  has(sequence: number): boolean {
    return this.#ofSequence.has(sequence);
  }

  /** What is wrong among the numbers 0 … count - 1; `isElsewhere` names those that must not be here. */
  compare(count: number, isElsewhere: (sequence: number) => boolean = () => false): Record<string, number[]> {
    const numbers = Array.from({ length: count }, (_, sequence) => sequence);
    const times = (sequence: number): number => this.#ofSequence.get(sequence) ?? 0;
    return {
      missing: numbers.filter((sequence) => times(sequence) === 0 && !isElsewhere(sequence)),
      doubled: numbers.filter((sequence) => times(sequence) > 1),
      refusedButThere: numbers.filter((sequence) => times(sequence) > 0 && isElsewhere(sequence)),
    };
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("error", () => response.destroy());
    request.on("end", () => void this.#answer(request, Buffer.concat(chunks), response));
  }

  async #answer(request: IncomingMessage, body: Buffer, response: ServerResponse): Promise<void> {
    const path = (request.url ?? "/").split("?")[0];
    const text = (request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body).toString();
    let status = 200;
    let answer: object;
    if (path.endsWith("/_bulk")) answer = this.#bulk(text);
    else if (path.endsWith("/_mget") && this.#options.writeOnly !== true) answer = this.#get(text);
    else if (path === "/")
      answer = { version: { number: "9.5.3", build_flavor: "default" }, tagline: "You Know, for Search" };
    else if (path.startsWith("/_index_template/_simulate")) answer = { template: {}, overlapping: [] };
    else if (request.method === "PUT") answer = { acknowledged: true };
    else {
      status = path.endsWith("/_mget") ? 403 : 404;
      answer = {
        error: { type: status === 403 ? "security_exception" : "resource_not_found_exception", reason: "no" },
        status,
      };
    }
    await sleep(this.delayMs);
    response.writeHead(status, { "x-elastic-product": "Elasticsearch", "content-type": "application/json" });
    response.end(JSON.stringify(answer));
  }

  #bulk(text: string): object {
    this.requests += 1;
    const lines = text.split("\n");
    const items = [];
    for (let i = 0; i + 1 < lines.length; i += 2) items.push({ create: this.#create(lines[i], lines[i + 1]) });
    return { errors: items.some(({ create }) => "error" in create), items };
  }

  #create(action: string, text: string): object {
    const id = /"_id":"([^"]+)"/.exec(action)![1];
    if (!id.includes("~") && !this.documents.has(id) && this.#options.isTaken?.(text) === true)
      this.documents.set(id, { id, text: "", time: TAKEN_TIME });
    if (this.documents.has(id)) {
      this.conflicts += 1;
      const error = {
        type: "version_conflict_engine_exception",
        reason: "document already exists",
        index: ".ds-logs-1",
      };
      return { status: 409, error };
    }
    if (/refuse\\?":true/.test(text))
      return { status: 400, error: { type: "document_parsing_exception", reason: "it was asked for" } };
    this.documents.set(id, { id, text, time: (JSON.parse(text) as { "@timestamp": string })["@timestamp"] });
    const sequence = Number(/"seq":(\d+)/.exec(text)?.[1] ?? -1);
    if (sequence >= 0) this.#ofSequence.set(sequence, (this.#ofSequence.get(sequence) ?? 0) + 1);
    return { status: 201 };
  }

  #get(text: string): object {
    const { docs } = JSON.parse(text) as { docs: readonly { readonly _id: string }[] };
    return {
      docs: docs.map(({ _id: id }) => {
        const stored = this.documents.get(id);
        return stored === undefined
          ? { _id: id, found: false }
          : { _id: id, found: true, _source: { "@timestamp": stored.time } };
      }),
    };
  }
}
