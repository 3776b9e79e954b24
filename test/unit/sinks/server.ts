import { readFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo, Socket } from "node:net";
import path from "node:path";
import { gunzipSync } from "node:zlib";

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One `_bulk` request as the server saw it. */
export interface Seen {
  readonly ids: readonly string[];
  readonly documents: readonly Readonly<Record<string, unknown>>[];
  readonly bytes: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly path: string;
}

/** Answers a request itself, returns an answer, or lets the server do its usual thing (undefined). */
export type Step = (seen: Seen, response: http.ServerResponse) => Answer | "taken" | undefined;

type Recorded = Readonly<Record<string, Answer>>;

/** What a real server answered; see recorded/record.ts. */
export function recorded(version: string, name: string): Answer {
  const file = path.join(import.meta.dirname, "recorded", `${version}.json`);
  const answer = (JSON.parse(readFileSync(file, "utf8")) as Recorded)[name];
  if (answer === undefined) throw new Error(`nothing recorded for ${name}`);
  return answer;
}

/** The items of a recorded answer, to be put together anew. */
export function recordedItems(version: string, name: string): string[] {
  const { items } = JSON.parse(recorded(version, name).body) as { items: unknown[] };
  return items.map((item) => JSON.stringify(item));
}

export const CREATED = '{"create":{"status":201}}';

export function bulkAnswer(items: readonly string[]): Answer {
  const errors = items.some((item) => item !== CREATED);
  return { status: 200, body: `{"errors":${errors},"items":[${items.join(",")}]}` };
}

/**
 * A server that speaks `_bulk` and `_mget` as Elasticsearch does: it keeps documents by id and answers 409 when an id is
 * taken. `script` says what happens to the next `_bulk` requests instead.
 */
export class StandIn {
  readonly stored: Map<string, Readonly<Record<string, unknown>>> = new Map();
  readonly seen: Seen[] = [];
  readonly script: Step[] = [];
  /** Answers for other paths; the first that returns something counts. */
  readonly controls: ((method: string, path: string, body: string) => Answer | undefined)[] = [];
  readonly calls: string[] = [];
  always: Step | undefined;
  readonly #server: http.Server;
  readonly #sockets = new Set<Socket>();

  constructor() {
    this.#server = http.createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("error", () => response.destroy());
      request.on("end", () => this.#answer(request, Buffer.concat(chunks), response));
    });
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  async listen(port = 0): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
    return `http://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Ends every connection. */
  disconnect(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.disconnect();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: http.IncomingMessage, body: Buffer, response: http.ServerResponse): void {
    const { pathname } = new URL(request.url ?? "/", "http://x");
    if (!pathname.endsWith("/_bulk")) {
      this.calls.push(`${request.method} ${pathname}`);
      return send(response, this.#control(request.method ?? "", pathname, body.toString()));
    }
    const text = (request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body).toString();
    const lines = text.split("\n").slice(0, -1);
    const ids = lines
      .filter((_, i) => i % 2 === 0)
      .map((line) => (JSON.parse(line) as { create?: Record<"_id", string> }).create?.["_id"] ?? "");
    const documents = lines.filter((_, i) => i % 2 === 1).map((line) => JSON.parse(line) as Record<string, unknown>);
    const seen = { ids, documents, bytes: text.length, headers: request.headers, path: pathname };
    this.seen.push(seen);
    const answer = this.script.shift()?.(seen, response) ?? this.always?.(seen, response) ?? this.store(seen);
    if (answer !== "taken") send(response, answer);
  }

  /** The usual thing. */
  store(seen: Seen): Answer {
    return bulkAnswer(seen.ids.map((id, i) => this.storeOne(id, seen.documents[i])));
  }

  storeOne(id: string, document: Readonly<Record<string, unknown>>): string {
    if (this.stored.has(id))
      return `{"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"[${id}]: version conflict, document already exists (current version [1])","index":".ds-logs-pannier-default-2026.11.23-000001"}}}`;
    this.stored.set(id, document);
    return CREATED;
  }

  #control(method: string, pathname: string, body: string): Answer {
    for (const control of this.controls) {
      const answer = control(method, pathname, body);
      if (answer !== undefined) return answer;
    }
    if (pathname === "/_mget") {
      const { docs } = JSON.parse(body) as { docs: { _id: string; _index: string }[] };
      const found = docs.map(({ _id }) => {
        const document = this.stored.get(_id);
        if (document === undefined) return { _id, found: false };
        return { _id, found: true, _source: { "@timestamp": document["@timestamp"] } };
      });
      return { status: 200, body: JSON.stringify({ docs: found }) };
    }
    return { status: 404, body: "{}" };
  }
}

function send(response: http.ServerResponse, answer: Answer): void {
  // Elasticsearch sends no Date.
  response.sendDate = false;
  response.writeHead(answer.status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(answer.body),
    "x-elastic-product": "Elasticsearch",
    ...answer.headers,
  });
  response.end(answer.body);
}
