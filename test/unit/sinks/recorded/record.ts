/**
 * Records what a real server answers, for the scripted server of these tests. By hand, when a version is added:
 *   node test/unit/sinks/recorded/record.ts URL > test/unit/sinks/recorded/VERSION.json
 * The server should be fresh and have `http.max_content_length=1mb`.
 */
const [url] = process.argv.slice(2);
const filter =
  "errors,items.*.status,items.*.failure_store,items.*.error.type,items.*.error.reason,items.*.error.index";
const recorded: Record<string, unknown> = {};

async function call(method: string, path: string, body?: unknown): Promise<{ status: number; body: string }> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const type = typeof body === "string" ? "application/x-ndjson" : "application/json";
  const answer = await fetch(url + path, {
    method,
    headers: { accept: "application/json", ...(body === undefined ? {} : { "content-type": type }) },
    ...(body === undefined ? {} : { body: text }),
  });
  return { status: answer.status, body: await answer.text() };
}

async function record(name: string, method: string, path: string, body?: unknown): Promise<void> {
  recorded[name] = await call(method, path, body);
}

function bulk(...list: readonly [id: string, document: unknown][]): string {
  return list
    .map(([id, document]) => `${JSON.stringify({ create: { _id: id } })}\n${JSON.stringify(document)}\n`)
    .join("");
}

const run = Date.now().toString(36);
const time = "2026-01-02T03:04:05.678901234Z";
const good = { "@timestamp": time, message: "hello" };
const bulkTo = (name: string): string => `/${name}/_bulk?filter_path=${filter}`;
const stream = (kind: string): string => `logs-${kind}-${run}`;

async function template(name: string, settings: object, mappings: object, more: object = {}): Promise<void> {
  await call("PUT", `/_index_template/${name}`, {
    index_patterns: [name],
    data_stream: {},
    priority: 300,
    template: {
      settings,
      mappings: { ...mappings, properties: { "@timestamp": { type: "date_nanos" }, n: { type: "long" } } },
      ...more,
    },
  });
}

recorded["root"] = JSON.parse((await call("GET", "/")).body) as unknown;
await record("simulate nothing", "POST", `/_index_template/_simulate_index/${stream("plain")}`);
for (const kind of ["plain", "closed", "blocked", "full"]) await template(stream(kind), {}, {});
await template(stream("strict"), {}, { dynamic: "strict" });
await template(stream("pipeline"), { "index.default_pipeline": "not-there" }, {});
await template(stream("failing"), {}, {}, { data_stream_options: { failure_store: { enabled: true } } });
await record("simulate a template", "POST", `/_index_template/_simulate_index/${stream("plain")}`);
await record("delivered", "POST", bulkTo(stream("plain")), bulk(["a", good], ["b", good]));
await record(
  "mixed",
  "POST",
  bulkTo(stream("plain")),
  bulk(
    ["a", good],
    ["c", good],
    ["d", { ...good, n: "text" }],
    ["e", { message: "no time" }],
    ["f", { ...good, n: {} }],
  ),
);
const index = /"index":"([^"]+)"/.exec((recorded["mixed"] as { body: string }).body)?.[1];
const lookUp = "/_mget?filter_path=docs._id,docs.found,docs._source";
const docs = [stream("plain"), index, "nowhere"].map((_index) => ({ _index, _id: "a", _source: ["@timestamp"] }));
await record("look-up", "POST", lookUp, { docs });
await record(
  "strict mapping",
  "POST",
  bulkTo(stream("strict")),
  bulk(["a", { "@timestamp": time, n: 1 }], ["b", good]),
);
await record("missing pipeline", "POST", bulkTo(stream("pipeline")), bulk(["a", good], ["b", good]));
await record("failure store", "POST", bulkTo(stream("failing")), bulk(["a", { ...good, n: "x" }], ["b", good]));
for (const kind of ["closed", "blocked", "full"]) await call("POST", bulkTo(stream(kind)), bulk(["a", good]));
await call("PUT", `/${stream("blocked")}/_settings`, { "index.blocks.write": true });
await record("write block", "POST", bulkTo(stream("blocked")), bulk(["b", good], ["c", good]));
await call("PUT", `/${stream("full")}/_settings`, { "index.blocks.read_only_allow_delete": true });
await record("disk full", "POST", bulkTo(stream("full")), bulk(["b", good]));
const closed = `closed-${run}`;
await call("PUT", `/${closed}`, {});
await call("POST", `/${closed}/_close`);
await record("closed index", "POST", bulkTo(closed), bulk(["b", good], ["c", good]));
await call("PUT", "/_cluster/settings", { persistent: { "action.auto_create_index": "false" } });
await record("missing index", "POST", bulkTo(`missing-${run}`), bulk(["b", good]));
await call("PUT", "/_cluster/settings", { persistent: { "action.auto_create_index": null } });
await call("PUT", "/_cluster/settings", { persistent: { "cluster.blocks.read_only": true } });
await record("cluster block", "POST", bulkTo(stream("plain")), bulk(["x", good]));
await call("PUT", "/_cluster/settings", { persistent: { "cluster.blocks.read_only": null } });
await record("malformed action", "POST", bulkTo(stream("plain")), "junk\n{}\n");
await record("malformed document", "POST", bulkTo(stream("plain")), `{"create":{"_id":"y"}}\n{"a": oops}\n`);
await record("no last newline", "POST", bulkTo(stream("plain")), bulk(["z", good]).trimEnd());
await record("long id", "POST", bulkTo(stream("plain")), bulk(["i".repeat(600), good]));
await record("too large", "POST", bulkTo(stream("plain")), bulk(["z", { ...good, message: "y".repeat(2_000_000) }]));
await record("invalid name", "POST", bulkTo("Upper"), bulk(["z", good]));
process.stdout.write(`${JSON.stringify(recorded, undefined, 1)}\n`);
