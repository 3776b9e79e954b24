import { readFileSync } from "node:fs";
import https from "node:https";
import { describe, expect, onTestFinished, test } from "vitest";
import { request } from "../servers/request.ts";
import { ELASTICSEARCH_VERSIONS, requireServer, sharedElasticsearch, uniqueName } from "../servers/require.ts";
import { startTlsProxy } from "../servers/tls-proxy.ts";

/** Status of a GET through TLS. */
function status(url: string, ca: string, authorization?: string): Promise<number> {
  const headers = authorization === undefined ? {} : { authorization };
  return new Promise((resolve, reject) => {
    https
      .get(url, { ca: readFileSync(ca), headers, agent: false }, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      })
      .on("error", reject);
  });
}

describe.each(ELASTICSEARCH_VERSIONS)("Elasticsearch %s", (version) => {
  test("takes a document once under its id, in a data stream", async (context) => {
    const { url } = await requireServer(context, () => sharedElasticsearch(version));
    const stream = uniqueName("logs-servers.", "-default");
    await request(url, "PUT", `/_index_template/${stream}`, {
      index_patterns: [stream],
      data_stream: {},
      priority: 600,
    });
    const bulk = '{"create":{"_id":"1"}}\n{"@timestamp":"2026-01-02T03:04:05Z","message":"hello"}\n';
    const path = `/${stream}/_bulk?refresh=true&filter_path=items.*.status`;
    expect(await request(url, "POST", path, bulk)).toEqual({
      status: 200,
      body: { items: [{ create: { status: 201 } }] },
    });
    expect(await request(url, "POST", path, bulk)).toEqual({
      status: 200,
      body: { items: [{ create: { status: 409 } }] },
    });
    expect((await request(url, "GET", `/${stream}/_count?filter_path=count`)).body).toEqual({ count: 1 });
  });
});

test("the TLS proxy lets in only who is known, and the server's answers come through", async (context) => {
  const { url } = await requireServer(context, () => sharedElasticsearch());
  const proxy = await startTlsProxy(url, { apiKey: "dGVzdDprZXk=" });
  onTestFinished(proxy.stop);
  expect(await status(proxy.url, proxy.ca)).toBe(401);
  expect(await status(proxy.url, proxy.ca, "ApiKey wrong")).toBe(401);
  expect(await status(proxy.url, proxy.ca, "ApiKey dGVzdDprZXk=")).toBe(200);
  proxy.accept({ basic: "elastic:changed" });
  expect(await status(proxy.url, proxy.ca, "ApiKey dGVzdDprZXk=")).toBe(401);
  expect(await status(proxy.url, proxy.ca, `Basic ${btoa("elastic:changed")}`)).toBe(200);
});
