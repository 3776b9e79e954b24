/** A server that behaves like Elasticsearch's `_bulk`, and misbehaves when told. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { gunzipSync } from "node:zlib";
import { type Fault, Index, LARGE_DOCUMENTS, type Receiver } from "./index.ts";

const PORTS_FROM = 20_000;
const PORTS = 12_000;
const REQUESTS_KEPT = 20;
const SLOW_MS = 80;
const HEADERS = { "x-elastic-product": "Elasticsearch", "content-type": "application/json" } as const;
const CREATED = `"status":201`;
const CONFLICT = `"status":409,"error":{"type":"version_conflict_engine_exception","reason":"version conflict, document already exists"}`;
const BUSY_ITEM = `"status":429,"error":{"type":"es_rejected_execution_exception","reason":"rejected execution of primary operation"}`;

export class HttpReceiver implements Receiver {
  readonly index: Index = new Index();
  /** The latest requests to `_bulk`, for a failure. */
  readonly requests: string[] = [];
  #fault: Fault | undefined;
  #faultyRequests = 0;
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #unanswered = new Set<ServerResponse>();
  #port = 0;

  static async start(): Promise<HttpReceiver> {
    const receiver = new HttpReceiver();
    while (receiver.#server === undefined) {
      // Below the ports that the system hands out, so that nobody takes it while it is down.
      receiver.#port = PORTS_FROM + Math.floor(Math.random() * PORTS);
      await receiver.#listen().catch(() => undefined);
    }
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Misbehaves for so many requests; `refused` lasts until it is healed. */
  async misbehave(fault: Fault, requests: number): Promise<void> {
    await this.heal();
    this.#fault = fault;
    this.#faultyRequests = requests;
    if (fault === "refused") await this.#close();
  }

  async heal(): Promise<void> {
    this.#fault = undefined;
    // The fault may be over while somebody still waits for an answer that does not come.
    for (const response of this.#unanswered) response.destroy();
    this.#unanswered.clear();
    while (this.#server === undefined) await this.#listen();
  }

  async stop(): Promise<void> {
    this.#fault = undefined;
    await this.#close();
  }

  async #listen(): Promise<void> {
    const server = createServer((request, response) => this.#take(request, response));
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, "127.0.0.1", resolve);
    });
    this.#server = server;
  }

  async #close(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const isBulk = request.url?.includes("/_bulk") === true;
    const fault = isBulk ? this.#nextFault() : undefined;
    if (fault === "reset") {
      request.once("data", () => request.socket.resetAndDestroy());
      return;
    }
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("error", () => response.destroy());
    request.on("end", () => {
      if (!isBulk) {
        this.#answerOther(request, response);
        return;
      }
      const body = Buffer.concat(chunks);
      this.#answerBulk(request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body, response, fault);
    });
  }

  #nextFault(): Fault | undefined {
    const fault = this.#fault;
    if (fault !== undefined && fault !== "refused" && --this.#faultyRequests <= 0) this.#fault = undefined;
    this.requests.push(`${new Date().toISOString()} ${fault ?? "answered"}`);
    if (this.requests.length > REQUESTS_KEPT) this.requests.shift();
    return fault;
  }

  #answerBulk(body: Buffer, response: ServerResponse, fault: Fault | undefined): void {
    if (fault === "mute") return this.#leave(response);
    if (fault === "busy" || fault === "unavailable") return refuse(response, fault === "busy" ? 429 : 503);
    const lines = body.toString().split("\n");
    const count = (lines.length - 1) / 2;
    if (fault === "tooLarge" && count > LARGE_DOCUMENTS) {
      response.writeHead(413, { connection: "close", "content-length": 0 }).end();
      return;
    }
    const items: string[] = [];
    for (let i = 0; i < count; i++) {
      const isBusy = fault === "some" && i % 2 === 1;
      items.push(isBusy ? BUSY_ITEM : this.index.take(lines[2 * i], lines[2 * i + 1]) ? CREATED : CONFLICT);
    }
    if (fault === "muteTaken") return this.#leave(response);
    const answer = bulkAnswerOf(items);
    if (fault === "swallow") response.destroy();
    else if (fault === "half") {
      response.writeHead(200, { ...HEADERS, "content-length": Buffer.byteLength(answer) });
      response.write(answer.slice(0, answer.length >> 1), () => response.destroy());
    } else if (fault === "slow") setTimeout(() => response.writeHead(200, HEADERS).end(answer), SLOW_MS);
    else response.writeHead(200, HEADERS).end(answer);
  }

  /** Without an answer, until it is healed. */
  #leave(response: ServerResponse): void {
    this.#unanswered.add(response);
    response.on("close", () => this.#unanswered.delete(response));
  }

  #answerOther(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? "/").split("?")[0];
    if (path === "/_mget") {
      // Nothing here should ever be asked for: the last check of a case is that no conflict was unexpected.
      response.writeHead(200, HEADERS).end(`{"docs":[]}`);
    } else if (path.startsWith("/_index_template/_simulate")) {
      response.writeHead(200, HEADERS).end(`{"template":{"settings":{},"mappings":{},"aliases":{}},"overlapping":[]}`);
    } else if (request.method === "PUT") response.writeHead(200, HEADERS).end(`{"acknowledged":true}`);
    else
      response
        .writeHead(404, HEADERS)
        .end(`{"error":{"type":"resource_not_found_exception","reason":"there is none"},"status":404}`);
  }
}

function bulkAnswerOf(items: readonly string[]): string {
  const errors = items.some((item) => !item.startsWith(CREATED));
  return `{"errors":${errors},"items":[${items.map((item) => `{"create":{"_index":"model",${item}}}`).join(",")}]}`;
}

function refuse(response: ServerResponse, status: number): void {
  const type = status === 429 ? "es_rejected_execution_exception" : "unavailable_shards_exception";
  response.writeHead(status, HEADERS).end(`{"error":{"type":"${type}","reason":"not now"},"status":${status}}`);
}
