import type { ClientRequest, IncomingHttpHeaders } from "node:http";
import { http, loadHttps } from "../../core/builtins.ts";
import type { Clock } from "../../core/clock.ts";
import type { AuthConfig, BatchConfig, TlsConfig } from "../../core/config.ts";
import { describe, systemCode } from "../../core/errors.ts";
import { ANSWER_MAX_MS, ANSWER_SILENCE_MAX_MS, CONNECT_TIMEOUT_MS } from "../../core/delivery-limits.ts";
import { Agents } from "./agents.ts";
import { Credentials } from "./credentials.ts";
import { decoded } from "./decode.ts";
import { type Node, NodeRing } from "./nodes.ts";
import { Scavenger } from "./scavenge.ts";

/** What a carrier needs to know of its sink. */
export interface CarrierConfig {
  readonly urls: readonly string[];
  readonly auth: AuthConfig;
  readonly tls: TlsConfig;
  readonly batch: Pick<BatchConfig, "inFlight">;
}

/** Patience of the carrier; tests pass less. */
export interface CarrierTimes {
  readonly connectMs: number;
  readonly silenceMs: number;
  readonly answerMs: number;
}

export const carrierTimes: CarrierTimes = {
  connectMs: CONNECT_TIMEOUT_MS,
  silenceMs: ANSWER_SILENCE_MAX_MS,
  answerMs: ANSWER_MAX_MS,
};

/** What a request brings along, with the headers that tell of it. */
export interface Body {
  readonly bytes: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Request {
  readonly method: string;
  /** Path and query below the node's own path. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Asked once, when a connection stands, and waited for before a byte goes out: for a server that is not there nothing is
   * compressed, try after try, in time that other sinks have a use for.
   */
  readonly body?: () => Promise<Body>;
}

/**
 * What became of a request. `resent`: it went out twice, since the first time the other side closed a kept connection in the
 * same moment. In `failed`, `connected` says whether any byte of it may have gone out.
 */
export type Transfer =
  | {
      readonly kind: "answer";
      readonly origin: string;
      readonly resent?: boolean;
      readonly status: number;
      readonly headers: IncomingHttpHeaders;
    }
  | {
      readonly kind: "failed";
      readonly origin: string;
      readonly resent?: boolean;
      readonly connected: boolean;
      readonly code: string;
      readonly message: string;
    };

/** The other side has closed the connection. */
const CLOSED: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE"]);

/** Takes the pieces of a body. */
export type BodyReader = (chunk: Buffer) => void;

/**
 * Carries requests over plain `node:http(s)` with kept connections. The official client was measured beside it (decision
 * 0003) and is used by `probe` alone.
 */
export class Carrier {
  readonly credentials: Credentials;
  readonly nodes: NodeRing;
  readonly #times: CarrierTimes;
  readonly #agents: Agents;
  readonly #scavenger = new Scavenger();

  constructor(config: CarrierConfig, clock: Clock, times: CarrierTimes = carrierTimes) {
    this.credentials = new Credentials(config.auth, config.urls);
    this.nodes = new NodeRing(config.urls, clock);
    this.#times = times;
    // One for the repair desk, one for templates and look-ups.
    this.#agents = new Agents(config.batch.inFlight + 2, config.tls, clock);
  }

  /**
   * Sends a request to the next node. `onHead` is asked once for who reads the body. Never rejects, and resolves when nobody
   * works on the request's own body any more: the memory that it is made in is used for the next one.
   */
  async send(
    request: Request,
    onHead: (status: number, headers: IncomingHttpHeaders) => BodyReader,
    signal: AbortSignal,
    node: Node = this.nodes.pick(),
  ): Promise<Transfer> {
    let body: Promise<Body | undefined> | undefined;
    const bodyOnce = (): Promise<Body | undefined> => (body ??= request.body?.() ?? Promise.resolve(undefined));
    let transfer;
    let resent = false;
    for (;;) {
      let outgoing: ClientRequest;
      try {
        outgoing = this.#open(node, request);
      } catch (error) {
        return this.#failed(node, error, false);
      }
      transfer = await this.#exchange(outgoing, bodyOnce, onHead, signal, node);
      await body?.catch(() => undefined);
      // No server promises to keep a connection: this is no trouble, unless it happens on a fresh one too.
      if (transfer.kind === "answer" || !outgoing.reusedSocket || !CLOSED.has(transfer.code) || signal.aborted) break;
      resent ||= transfer.connected;
    }
    if (resent) transfer = { ...transfer, resent };
    if (transfer.kind === "answer" && ![502, 503, 504].includes(transfer.status)) this.nodes.worked(node);
    else if (!signal.aborted) this.nodes.failed(node);
    return transfer;
  }

  #open(node: Node, request: Request): ClientRequest {
    const secure = node.url.protocol === "https:";
    const authorization = this.credentials.header();
    return (secure ? loadHttps() : http).request({
      agent: secure ? this.#agents.secure : this.#agents.plain,
      protocol: node.url.protocol,
      hostname: node.url.hostname.replace(/^\[|\]$/g, ""),
      port: node.url.port === "" ? (secure ? 443 : 80) : node.url.port,
      method: request.method,
      path: node.url.pathname.replace(/\/$/, "") + request.path,
      timeout: this.#times.silenceMs,
      headers: {
        accept: "application/json",
        "accept-encoding": "identity",
        ...(authorization === undefined ? {} : { authorization }),
        ...request.headers,
      },
    });
  }

  #exchange(
    outgoing: ClientRequest,
    makeBody: () => Promise<Body | undefined>,
    onHead: (status: number, headers: IncomingHttpHeaders) => BodyReader,
    signal: AbortSignal,
    node: Node,
  ): Promise<Transfer> {
    return new Promise((resolve) => {
      const times = this.#times;
      let connected = false;
      let answered = false;
      const connecting = setTimeout(() => outgoing.destroy(timedOut("connect", times.connectMs)), times.connectMs);
      const whole = setTimeout(() => outgoing.destroy(timedOut("answer", times.answerMs)), times.answerMs);
      const abort = (): void => void outgoing.destroy(new Error("stopped"));
      const finish = (transfer: Transfer): void => {
        clearTimeout(connecting);
        clearTimeout(whole);
        signal.removeEventListener("abort", abort);
        resolve(transfer);
      };
      const fail = (error: unknown): void => finish(this.#failed(node, error, connected));
      const isConnected = (): void => {
        clearTimeout(connecting);
        makeBody().then(leave, (error: unknown) => void outgoing.destroy(error as Error));
      };
      const leave = (body: Body | undefined): void => {
        // Whatever was answered before, it was not this body.
        if (answered) outgoing.destroy();
        if (outgoing.destroyed) return;
        connected = true;
        for (const [name, value] of Object.entries(body?.headers ?? {})) outgoing.setHeader(name, value);
        // The length goes by itself with what is the first and the last piece.
        outgoing.end(body?.bytes);
      };
      outgoing.once("socket", (socket) => {
        if (!socket.connecting && outgoing.reusedSocket) isConnected();
        else socket.once(node.url.protocol === "https:" ? "secureConnect" : "connect", isConnected);
      });
      outgoing.on("timeout", () => outgoing.destroy(timedOut("silence", times.silenceMs)));
      // Once there is an answer, it decides: a server that refuses a body closes before it has read it.
      let endedBy: Error | undefined;
      outgoing.on("error", (error) => (answered ? (endedBy = error) : fail(error)));
      const endsEarly = (): void => fail(endedBy ?? new Error("the answer ended early"));
      outgoing.once("response", (response) => {
        answered = true;
        const status = response.statusCode ?? 0;
        const { headers } = response;
        const read = onHead(status, headers);
        const body = decoded(response);
        if (body === undefined) {
          outgoing.destroy();
          fail(new Error(`an answer in an encoding that was not asked for: ${headers["content-encoding"]}`));
          return;
        }
        body.on("data", (chunk: Buffer) => {
          read(chunk);
          this.#scavenger.received(chunk.length);
        });
        body.once("error", (error) => (body === response ? endsEarly() : fail(endedBy ?? error)));
        body.once("end", () => finish({ kind: "answer", origin: node.origin, status, headers }));
        response.once("close", () => response.complete || endsEarly());
      });
      // A server that changes the protocol closes without an error, and without an answer.
      outgoing.once("close", () => answered || fail(new Error("closed without an answer")));
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort, { once: true });
    });
  }

  #failed(node: Node, error: unknown, connected: boolean): Transfer {
    const code = systemCode(error) ?? "no_answer";
    this.#agents.refresh();
    return { kind: "failed", origin: node.origin, connected, code, message: this.credentials.redact(describe(error)) };
  }

  /** Closes every connection. */
  close(): void {
    this.#agents.close();
  }
}

function timedOut(what: "connect" | "answer" | "silence", ms: number): Error {
  const text = { connect: "no connection", answer: "no complete answer", silence: "silence" }[what];
  return Object.assign(new Error(`${text} for ${Math.round(ms / 1000)} s`), { code: `${what}_timeout` });
}
