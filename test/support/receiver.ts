/**
 * A receiver that answers `_bulk` like Elasticsearch 9 and counts what arrives, as cheaply as it can: bodies are inflated and
 * their lines counted. It can also remember every `_id` (409 for a known one) and every sequence number, go down for a while
 * and keep one request body.
 */
import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { gunzipSync } from "node:zlib";
import { bulkAnswer } from "./bulk-answer.ts";
import { SequenceSet } from "./sequence-set.ts";

export interface ReceiverOptions {
  readonly port?: number;
  /** Remember every `_id` and answer 409 to one that is known. */
  readonly ids?: boolean;
  /** Remember how often each `"seq":N` arrived as a new document. */
  readonly sequences?: boolean;
  /** Reads bodies instead of what is described above. */
  readonly read?: (body: Buffer) => { documents: number; conflicts: Set<number> };
  /** Answers instead: with this text, or (`"never"`) not at all. Undefined: as usual. */
  readonly answer?: (body: Buffer) => string | undefined;
  /** Write the largest of the first bodies, inflated, to this file, and what belongs to it to `FILE.json`. */
  readonly recordPath?: string;
}

export interface ReceiverStats {
  readonly requests: number;
  readonly documents: number;
  /** Documents whose `_id` was known. */
  readonly conflicts: number;
  readonly bodyBytes: number;
  readonly inflatedBytes: number;
}

/** What belongs to a recorded body: enough to send it again as it came. */
export interface RecordedRequest {
  readonly path: string;
  readonly contentType: string;
  readonly documents: number;
  readonly bytes: number;
}

export interface Receiver {
  readonly url: string;
  readonly port: number;
  readonly sequences: SequenceSet;
  stats(): ReceiverStats;
  /** Closes every connection and refuses new ones; resolves when it takes requests again. */
  goDown(forMs: number): Promise<void>;
  /** The same until something has happened. */
  goDownUntil(up: Promise<unknown>): Promise<void>;
  close(): Promise<void>;
}

const RECORDED_AMONG = 4;
const NEWLINE = 10;
/** Inflating a batch in few pieces costs half. */
const INFLATE_CHUNK_BYTES = 1024 * 1024;

export async function startReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const sequences = new SequenceSet();
  const known = options.ids === true ? new Set<string>() : undefined;
  const stats = { requests: 0, documents: 0, conflicts: 0, bodyBytes: 0, inflatedBytes: 0 };
  let recordedBytes = 0;

  const takeBulk = (request: IncomingMessage, body: Buffer, response: ServerResponse): void => {
    const inflated =
      request.headers["content-encoding"] === "gzip" ? gunzipSync(body, { chunkSize: INFLATE_CHUNK_BYTES }) : body;
    const path = request.url ?? "";
    stats.requests += 1;
    stats.bodyBytes += body.length;
    stats.inflatedBytes += inflated.length;
    const { documents, conflicts } =
      options.read?.(inflated) ?? readBulk(inflated, known, options.sequences === true ? sequences : undefined);
    stats.documents += documents - conflicts.size;
    stats.conflicts += conflicts.size;
    if (options.recordPath !== undefined && stats.requests <= RECORDED_AMONG && inflated.length > recordedBytes) {
      recordedBytes = inflated.length;
      const contentType = request.headers["content-type"] ?? "";
      record(options.recordPath, inflated, { path, contentType, documents, bytes: inflated.length });
    }
    const answer = options.answer?.(inflated);
    if (answer !== "never") send(response, answer ?? bulkAnswer(path, inflated, documents, conflicts));
  };

  const sockets = new Set<Socket>();
  const listen = async (port: number): Promise<Server> => {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("error", () => response.destroy());
      request.on("end", () => {
        if (request.url?.includes("/_bulk") === true) takeBulk(request, Buffer.concat(chunks), response);
        else send(response, otherAnswer(request, response));
      });
    });
    server.on("connection", (socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
    return server;
  };
  const shut = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };

  let server = await listen(options.port ?? 0);
  const { port } = server.address() as AddressInfo;
  const goDownUntil = async (up: Promise<unknown>): Promise<void> => {
    await shut();
    await up;
    server = await listen(port);
  };
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    sequences,
    stats: () => ({ ...stats }),
    goDown: (forMs) => goDownUntil(new Promise((resolve) => setTimeout(resolve, forMs))),
    goDownUntil,
    close: shut,
  };
}

/** Counts the documents of a bulk body; with a set of known ids also says which were there before, by position. */
function readBulk(
  body: Buffer,
  known: Set<string> | undefined,
  sequences: SequenceSet | undefined,
): { documents: number; conflicts: Set<number> } {
  const conflicts = new Set<number>();
  let documents = 0;
  for (let at = 0; at < body.length; documents++) {
    const actionEnd = body.indexOf(NEWLINE, at);
    let end = body.indexOf(NEWLINE, actionEnd + 1);
    if (end === -1) end = body.length;
    if (known !== undefined) {
      const id = /"_id":"([^"]+)"/.exec(body.toString("latin1", at, actionEnd))?.[1];
      if (id !== undefined && known.has(id)) conflicts.add(documents);
      else if (id !== undefined) known.add(id);
    }
    if (sequences !== undefined && !conflicts.has(documents)) sequences.addFrom(body, actionEnd, end);
    at = end + 1;
  }
  return { documents, conflicts };
}

function record(path: string, body: Buffer, request: RecordedRequest): void {
  writeFileSync(path, body);
  writeFileSync(`${path}.json`, JSON.stringify(request));
}

function send(response: ServerResponse, body: Buffer | string): void {
  response.setHeader("x-elastic-product", "Elasticsearch");
  response.setHeader("content-type", "application/json");
  response.end(body);
}

/** Everything beside `_bulk`: who it is, and templates, of which it has none. */
function otherAnswer(request: IncomingMessage, response: ServerResponse): string {
  const path = (request.url ?? "/").split("?")[0];
  if (path === "/") {
    return `{"name":"receiver","cluster_name":"receiver","version":{"number":"9.5.3","build_flavor":"default"},"tagline":"You Know, for Search"}`;
  }
  if (path.startsWith("/_index_template/_simulate"))
    return `{"template":{"settings":{},"mappings":{},"aliases":{}},"overlapping":[]}`;
  if (path.startsWith("/_cat/")) return "";
  if (path.endsWith("/_mget")) return `{"docs":[]}`;
  if (request.method === "PUT") return `{"acknowledged":true}`;
  response.statusCode = 404;
  return `{"error":{"type":"resource_not_found_exception","reason":"the receiver has none"},"status":404}`;
}
