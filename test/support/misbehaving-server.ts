/** A server that does what a test says with each delivery, down to the bytes on the wire. */
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import https from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { gunzipSync } from "node:zlib";
import type { ItemOf } from "./bulk-store.ts";
import { elasticsearchKind } from "./kinds/elasticsearch.ts";
import type { Answer, SinkKind, Store } from "./sink-kind.ts";

/** One delivery, before its body was read. */
export class Turn {
  /** Counted from 1. */
  readonly number: number;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Requests on this connection so far, this one included. */
  readonly onConnection: number;
  readonly #kind: SinkKind;
  readonly #store: Store;

  constructor(
    number: number,
    onConnection: number,
    request: IncomingMessage,
    response: ServerResponse,
    kind: SinkKind,
    store: Store,
  ) {
    this.number = number;
    this.onConnection = onConnection;
    this.request = request;
    this.response = response;
    this.#kind = kind;
    this.#store = store;
  }

  get socket(): Socket {
    return this.request.socket;
  }

  /** The whole body, inflated. */
  async body(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    return this.request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
  }

  countIn(body: Buffer): number {
    return this.#kind.countIn(body);
  }

  /** Takes the records of a body as a good server does and returns its answer. */
  take(body: Buffer, itemOf?: ItemOf): Answer {
    return this.#store.take(body, itemOf);
  }

  /** Takes the records of this delivery. */
  async store(itemOf?: ItemOf): Promise<Answer> {
    return this.take(await this.body(), itemOf);
  }

  /** Takes the records and answers. */
  async pass(itemOf?: ItemOf): Promise<void> {
    this.reply(await this.store(itemOf));
  }

  reply({ status, body }: Answer): void {
    this.answer(status, body);
  }

  /** The bytes of an answer whose connection is kept. */
  wireOf({ status, body }: Answer): string {
    const headers = Object.entries(this.#kind.headers).map(([name, value]) => `${name}: ${value}`);
    const length = status === 204 ? [] : [`content-length: ${Buffer.byteLength(body)}`];
    return [`HTTP/1.1 ${status} OK`, ...headers, ...length, "", body].join("\r\n");
  }

  /** Answers without a look at the body; headers replace the usual ones. */
  answer(status: number, body: string | Buffer, headers: Readonly<Record<string, string>> = {}): void {
    this.request.resume();
    this.response.writeHead(status, {
      ...this.#kind.headers,
      ...(status === 204 ? {} : { "content-length": String(Buffer.byteLength(body)) }),
      ...headers,
    });
    this.response.end(body);
  }

  /** Writes bytes past the HTTP server. */
  raw(text: string | Buffer): void {
    this.socket.write(text);
  }
}

export type Behaviour = (turn: Turn) => void | Promise<void>;

export interface Tls {
  readonly key: string | Buffer;
  readonly cert: string | Buffer;
  /** Asks for client certificates of this authority. */
  readonly ca?: string | Buffer;
}

export interface ServerOptions {
  readonly kind?: SinkKind;
  readonly behave?: Behaviour;
  readonly store?: Store;
  readonly host?: string;
  readonly port?: number;
  readonly tls?: Tls;
}

export class MisbehavingServer {
  readonly kind: SinkKind;
  readonly store: Store;
  behave: Behaviour;
  /** Deliveries so far. */
  requests = 0;
  port = 0;
  readonly #options: ServerOptions;
  readonly #server: http.Server;
  readonly #sockets = new Map<Socket, number>();

  constructor(options: ServerOptions = {}) {
    this.#options = options;
    this.kind = options.kind ?? elasticsearchKind;
    this.store = options.store ?? this.kind.createStore();
    this.behave = options.behave ?? ((turn) => turn.pass());
    const listener = (request: IncomingMessage, response: ServerResponse): void => void this.#take(request, response);
    const { tls } = options;
    this.#server =
      tls === undefined
        ? http.createServer(listener)
        : https.createServer({ ...tls, requestCert: tls.ca !== undefined, rejectUnauthorized: true }, listener);
    this.#server.keepAliveTimeout = 60_000;
    for (const event of ["connection", "secureConnection"])
      this.#server.on(event, (socket: Socket) => {
        this.#sockets.set(socket, 0);
        socket.on("error", () => socket.destroy());
        socket.on("close", () => this.#sockets.delete(socket));
      });
  }

  get origin(): string {
    return `${this.#options.tls === undefined ? "http" : "https"}://localhost:${this.port}`;
  }

  async listen(): Promise<this> {
    const { host = "127.0.0.1", port = 0 } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, resolve);
    });
    this.port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.keys()) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    const onConnection = (this.#sockets.get(socket) ?? 0) + 1;
    this.#sockets.set(socket, onConnection);
    if (!this.kind.isDelivery(request.url ?? "")) return this.kind.beside(request, response);
    this.requests += 1;
    const turn = new Turn(this.requests, onConnection, request, response, this.kind, this.store);
    try {
      await this.behave(turn);
    } catch {
      // The connection ended while its body was read.
      socket.destroy();
    }
  }
}
