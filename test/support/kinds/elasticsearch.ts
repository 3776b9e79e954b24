import { BulkStore } from "../bulk-store.ts";
import type { SinkKind } from "../sink-kind.ts";

const REASON = "failed to parse field [n] of type [long]";

export const elasticsearchKind: SinkKind = {
  type: "elasticsearch",
  settings: [],
  largeBodies: "compression: none",
  createStore: () => new BulkStore(),
  headers: { "x-elastic-product": "Elasticsearch", "content-type": "application/json" },
  isDelivery: (path) => path.includes("/_bulk"),

  // What is asked beside deliveries: templates, of which it has none and takes all.
  beside(request, response) {
    request.resume();
    response.setHeader("x-elastic-product", "Elasticsearch");
    response.setHeader("content-type", "application/json");
    if (request.url?.includes("/_simulate") === true)
      response.end('{"template":{"settings":{},"mappings":{},"aliases":{}},"overlapping":[]}');
    else if (request.method === "PUT") response.end('{"acknowledged":true}');
    else response.writeHead(404).end("{}");
  },

  countIn: (body) => (body.toString("latin1").split("\n").length - 1) / 2,
  answersWithBody: true,
  keepsOnce: true,
  stranger: "sink_not_elasticsearch",
  strangers: [{ status: 204, body: "" }],
  busy: {
    status: 429,
    body: error(429, "es_rejected_execution_exception", "rejected execution of coordinating operation"),
  },
  unauthorized: { status: 401, body: error(401, "security_exception", "unable to authenticate") },
  refused: { status: 400, body: error(400, "illegal_argument_exception", "malformed action") },
  refusal: JSON.stringify({ create: { status: 400, error: { type: "document_parsing_exception", reason: REASON } } }),
  reason: REASON,
};

function error(status: number, type: string, reason: string): string {
  return JSON.stringify({ error: { root_cause: [{ type, reason }], type, reason }, status });
}
