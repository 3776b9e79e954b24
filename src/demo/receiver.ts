import { once } from "node:events";
import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { type Document, Documents, RequestFailure, takeBulk } from "./documents.ts";
import { filterPath } from "./filter-path.ts";

/** Elasticsearch's `http.max_content_length`, which counts inflated bytes. */
const BODY_MAX_BYTES = 100 * 1024 * 1024;

const INFO = {
  name: "pannier-demo",
  cluster_name: "pannier-demo",
  cluster_uuid: "cGFubmllci1kZW1vLXV1aWQ",
  version: { number: "9.5.3", build_flavor: "default", build_type: "tar", lucene_version: "10.5.1" },
  tagline: "You Know, for Search",
};

/** What a fresh server brings for every stream of logs. */
const BUILT_IN_TEMPLATE = {
  index_patterns: ["logs-*-*"],
  priority: 100,
  composed_of: ["logs@mappings", "logs@settings", "logs@custom"],
  ignore_missing_component_templates: ["logs@custom"],
  data_stream: {},
  _meta: { description: "default logs template installed by x-pack", managed: true },
};

/** A stand-in for Elasticsearch. */
export interface Receiver {
  readonly url: string;
  readonly stats: { requests: number; bytes: number; conflicts: number };
  stop(): Promise<void>;
}

interface Reply {
  readonly status: number;
  readonly body: object;
}

/**
 * Speaks as much of Elasticsearch 9 as an agent needs: product check, index templates, `_bulk` (gzip or plain), `_mget`. It
 * keeps ids, not documents; `accepted` sees each new document.
 */
export async function startReceiver(accepted: (document: Document) => void): Promise<Receiver> {
  const cluster = new Cluster(accepted);
  const server = createServer((request, response) => {
    void respond(request, response, cluster);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stats: cluster.stats,
    async stop() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function respond(request: IncomingMessage, response: ServerResponse, cluster: Cluster): Promise<void> {
  const { status, body } = await answer(request, cluster);
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "x-elastic-product": "Elasticsearch",
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
  });
  response.end(request.method === "HEAD" ? undefined : text);
}

async function answer(request: IncomingMessage, cluster: Cluster): Promise<Reply> {
  try {
    const url = new URL(request.url ?? "/", "http://receiver");
    const reply = cluster.answer(request.method ?? "GET", url.pathname, await readBody(request, cluster));
    const filter = url.searchParams.get("filter_path");
    if (filter === null) return reply;
    const paths = filter.split(",").map((path) => path.split("."));
    return { status: reply.status, body: filterPath(reply.body, paths) ?? {} };
  } catch (error) {
    if (error instanceof RequestFailure) return failure(error.status, error.type, error.message);
    return failure(400, "parse_exception", String(error));
  }
}

function failure(status: number, type: string, reason: string): Reply {
  return { status, body: { error: { root_cause: [{ type, reason }], type, reason }, status } };
}

async function readBody(request: IncomingMessage, cluster: Cluster): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  cluster.stats.bytes += body.length;
  if (request.headers["content-encoding"] !== "gzip") return body;
  try {
    return gunzipSync(body, { maxOutputLength: BODY_MAX_BYTES });
  } catch (error) {
    const tooLarge = (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    throw tooLarge
      ? new RequestFailure(413, "content_too_large_exception", "entity content is too large")
      : new RequestFailure(400, "parse_exception", "Not in GZIP format");
  }
}

class Cluster {
  readonly stats = { requests: 0, bytes: 0, conflicts: 0 };
  readonly #documents: Documents;
  readonly #templates = new Map<string, object>([["logs", BUILT_IN_TEMPLATE]]);

  constructor(accepted: (document: Document) => void) {
    this.#documents = new Documents(accepted);
  }

  answer(method: string, path: string, body: Buffer): Reply {
    const parts = path
      .split("/")
      .filter((part) => part !== "")
      .map(decodeURIComponent);
    const last = parts.at(-1);
    if (last === undefined) return { status: 200, body: INFO };
    if (last === "_bulk") return this.#bulk(parts.length > 1 ? parts[0] : "logs-pannier-default", body);
    if (last === "_mget")
      return this.#mget(JSON.parse(body.toString()) as { ids?: string[]; docs?: { _id: string }[] });
    if (parts[0] === "_index_template" && parts[1] === "_simulate_index") return this.#simulate();
    if (parts[0] === "_index_template") return this.#template(method, last, body);
    // The components that the server brings along; `logs@custom` is the user's, and this one has none.
    if (parts[0] === "_component_template" && ["logs@mappings", "logs@settings"].includes(last)) {
      return { status: 200, body: { component_templates: [{ name: last, component_template: { template: {} } }] } };
    }
    if (parts[0] === "_data_stream" && !this.#documents.empty) {
      return {
        status: 200,
        body: { data_streams: [{ name: last, timestamp_field: { name: "@timestamp" }, indices: [] }] },
      };
    }
    return failure(404, "resource_not_found_exception", `${path} is not here`);
  }

  #bulk(index: string, body: Buffer): Reply {
    const items = takeBulk(body, this.#documents);
    this.stats.requests++;
    this.stats.conflicts = this.#documents.conflicts;
    return {
      status: 200,
      body: {
        errors: items.some(({ error }) => error !== undefined),
        took: 1,
        items: items.map(({ op, id, ...result }) => ({ [op]: { _index: `.ds-${index}-000001`, _id: id, ...result } })),
      },
    };
  }

  #mget(body: { ids?: string[]; docs?: { _id: string }[] }): Reply {
    const ids = body.ids ?? body.docs?.map((doc) => doc["_id"]) ?? [];
    const docs = ids.map((id) => {
      const time = this.#documents.timestamp(id);
      return time === undefined ? { _id: id, found: false } : { _id: id, found: true, _source: { "@timestamp": time } };
    });
    return { status: 200, body: { docs } };
  }

  #template(method: string, name: string, body: Buffer): Reply {
    if (method === "PUT" || method === "POST") {
      this.#templates.set(name, JSON.parse(body.toString()) as object);
      return { status: 200, body: { acknowledged: true } };
    }
    const template = this.#templates.get(name);
    if (template === undefined)
      return failure(404, "resource_not_found_exception", `index template matching [${name}] not found`);
    return { status: 200, body: { index_templates: [{ name, index_template: template }] } };
  }

  /** The templates that would have a word in a new index. All that are here match the one stream that the demo writes to. */
  #simulate(): Reply {
    const overlapping = [...this.#templates.keys()].map((name) => ({ name }));
    return { status: 200, body: { template: { settings: {}, mappings: {}, aliases: {} }, overlapping } };
  }
}
