import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Document } from "../../../src/demo/documents.ts";
import { type Receiver, startReceiver } from "../../../src/demo/receiver.ts";

let accepted: Document[];
let receiver: Receiver;
beforeEach(async () => {
  accepted = [];
  receiver = await startReceiver((document) => accepted.push(document));
});
afterEach(() => receiver.stop());

const TIME = "2026-11-23T00:00:00Z";
const item = (id: string, document: unknown): string =>
  `{"create":{"_id":"${id}"}}\n${typeof document === "string" ? document : JSON.stringify(document)}\n`;

async function send(
  path: string,
  init: RequestInit = {},
): Promise<{ status: number; body: unknown; response: Response }> {
  const response = await fetch(`${receiver.url}${path}`, init);
  return { status: response.status, body: await response.json(), response };
}
const bulk = (
  body: string | Buffer<ArrayBuffer>,
  headers: Record<string, string> = {},
  query = "",
): ReturnType<typeof send> => send(`/logs-orders-demo/_bulk${query}`, { method: "POST", body, headers });

describe("receiver of the demo", () => {
  test("says what it is, with the header that the client asks for", async () => {
    const { body, response } = await send("/");
    expect(body).toMatchObject({ version: { number: "9.5.3" }, tagline: "You Know, for Search" });
    expect(response.headers.get("x-elastic-product")).toBe("Elasticsearch");
  });

  test("takes documents once, plain or gzip, and answers 409 for a known id", async () => {
    const first = await bulk(item("a", { "@timestamp": TIME, seq: 1 }) + item("b", { "@timestamp": TIME, seq: 2 }));
    expect(first).toMatchObject({ status: 200, body: { errors: false } });
    const again = await bulk(
      gzipSync(item("b", { "@timestamp": TIME, seq: 2 }) + item("c", { "@timestamp": TIME, seq: 3 })),
      {
        "content-encoding": "gzip",
      },
    );
    expect(again).toMatchObject({
      status: 200,
      body: {
        errors: true,
        items: [
          { create: { _id: "b", status: 409, error: { type: "version_conflict_engine_exception" } } },
          { create: { _id: "c", status: 201 } },
        ],
      },
    });
    expect(accepted.map((document) => document["seq"])).toEqual([1, 2, 3]);
    expect(receiver.stats).toMatchObject({ requests: 2, conflicts: 1 });
  });

  test("refuses only the item for a malformed document, one without a time, and another operation", async () => {
    const { status, body } = await bulk(
      item("a", "{torn") +
        item("b", { seq: 1 }) +
        item("c", { "@timestamp": TIME }) +
        `{"index":{}}\n{"@timestamp":"${TIME}"}\n`,
    );
    expect(status).toBe(200);
    expect((body as { items: object[] }).items).toMatchObject([
      { create: { status: 400, error: { type: "document_parsing_exception" } } },
      { create: { status: 400, error: { type: "document_parsing_exception" } } },
      { create: { status: 201 } },
      { index: { status: 400, error: { type: "illegal_argument_exception" } } },
    ]);
    expect(accepted).toHaveLength(1);
  });

  test.each([
    ["an empty body", ""],
    ["a missing last newline", item("a", { "@timestamp": TIME }).trimEnd()],
    ["a malformed action", `${item("a", { "@timestamp": TIME })}nonsense\n{}\n`],
    ["an action without a document", '{"create":{"_id":"a"}}\n'],
    ["an id over 512 bytes", item("x".repeat(513), { "@timestamp": TIME })],
  ])("refuses the whole request for %s", async (_, body) => {
    expect(await bulk(body)).toMatchObject({
      status: 400,
      body: { status: 400, error: { type: expect.any(String) as string } },
    });
    expect(accepted).toEqual([]);
  });

  test("refuses what is not gzip though it says so, and what inflates beyond the limit", async () => {
    const encoded = { "content-encoding": "gzip" };
    expect((await bulk("no gzip", encoded)).status).toBe(400);
    expect((await bulk(gzipSync(Buffer.alloc(101 * 1024 * 1024), { level: 1 }), encoded)).status).toBe(413);
    expect((await bulk(item("a", { "@timestamp": TIME }))).status).toBe(200);
  });

  test("obeys filter_path", async () => {
    const { body } = await bulk(
      item("a", { "@timestamp": TIME }) + item("a", { "@timestamp": TIME }),
      {},
      "?filter_path=errors,items.*.status,items.*.error.type",
    );
    expect(body).toEqual({
      errors: true,
      items: [
        { create: { status: 201 } },
        { create: { status: 409, error: { type: "version_conflict_engine_exception" } } },
      ],
    });
  });

  test("knows templates, simulation, component templates and the time of a document", async () => {
    expect((await send("/_index_template/pannier-logs-orders-demo")).status).toBe(404);
    expect(await send("/_index_template/_simulate_index/logs-orders-demo", { method: "POST" })).toMatchObject({
      status: 200,
      body: { template: { aliases: {} }, overlapping: [{ name: "logs" }] },
    });
    expect((await send("/_index_template/logs?filter_path=index_templates.index_template._meta.managed")).body).toEqual(
      {
        index_templates: [{ index_template: { _meta: { managed: true } } }],
      },
    );
    const template = { index_patterns: ["logs-orders-demo"], priority: 500, _meta: { version: 1 } };
    await send("/_index_template/pannier-logs-orders-demo", { method: "PUT", body: JSON.stringify(template) });
    expect((await send("/_index_template/pannier-logs-orders-demo")).body).toEqual({
      index_templates: [{ name: "pannier-logs-orders-demo", index_template: template }],
    });
    expect((await send("/_component_template/logs@mappings")).status).toBe(200);
    expect((await send("/_component_template/logs@custom")).status).toBe(404);
    await bulk(item("a", { "@timestamp": TIME }));
    expect((await send("/logs-orders-demo/_mget", { method: "POST", body: '{"ids":["a","b"]}' })).body).toEqual({
      docs: [
        { _id: "a", found: true, _source: { "@timestamp": TIME } },
        { _id: "b", found: false },
      ],
    });
  });

  test("an unknown path is a 404 in Elasticsearch's words", async () => {
    expect(await send("/_cat/indices")).toMatchObject({
      status: 404,
      body: { error: { type: "resource_not_found_exception" } },
    });
  });
});
