/** A server with the collector of `hec-collector.ts`, which says what its documents say. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { type CollectorAnswer, type CollectorOptions, HecCollector, hecAnswer } from "./hec-collector.ts";

export interface SplunkDoubleOptions extends CollectorOptions {
  readonly token?: string;
  /** Code that health gives. */
  readonly health?: number;
}

export class SplunkDouble {
  readonly collector: HecCollector;
  /** Instead of what the collector says: the code of an answer to the n-th request with events, counted from 1. */
  interfere: (request: number) => number | undefined = () => undefined;
  token: string;
  requests = 0;
  /** Channels of the requests with events, in their order. */
  readonly channels: string[] = [];
  readonly cookies: (string | undefined)[] = [];
  readonly #health: number;
  readonly #server = createServer((request, response) => void this.#take(request, response));

  constructor({ token = "0aa1", health = 17, ...options }: SplunkDoubleOptions = {}) {
    this.token = token;
    this.#health = health;
    this.collector = new HecCollector(options);
  }

  /** May be started again after it was closed. */
  async start(port = 0): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const raw = Buffer.concat(chunks);
    const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw;
    const { status, body: text } = this.#answer(request, body);
    response.writeHead(status, { "content-type": "application/json", "set-cookie": "node=7; Path=/; HttpOnly" });
    response.end(text);
  }

  #answer({ url = "", headers }: IncomingMessage, body: Buffer): CollectorAnswer {
    const { pathname, searchParams } = new URL(url, "http://double");
    if (pathname === "/services/collector/health") return hecAnswer(this.#health);
    const { authorization } = headers;
    if (authorization === undefined) return hecAnswer(2);
    if (!/^(?:Splunk|Basic) /.test(authorization)) return hecAnswer(3);
    const token = authorization.startsWith("Basic ")
      ? Buffer.from(authorization.slice(6), "base64").toString().split(":")[1]
      : authorization.slice(7);
    if (token !== this.token) return hecAnswer(4);
    if (pathname === "/services/collector/ack") {
      this.cookies.push(headers.cookie);
      return this.collector.ack(searchParams.get("channel") ?? "", body.toString());
    }
    if (pathname !== "/services/collector/event") return { status: 404, body: "Not Found" };
    if (body.length > 0) {
      this.channels.push(String(headers["x-splunk-request-channel"]));
      const code = this.interfere(++this.requests);
      if (code !== undefined) return hecAnswer(code);
    }
    const channel = headers["x-splunk-request-channel"] ?? searchParams.get("channel") ?? undefined;
    return this.collector.event({ ...headers, "x-splunk-request-channel": channel }, body);
  }
}
