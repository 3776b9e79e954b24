import { gzipSync } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { startReceiver, type Receiver, type ReceiverOptions } from "../../support/receiver.ts";

let receiver: Receiver | undefined;

afterEach(async () => {
  await receiver?.close();
  receiver = undefined;
});

async function start(options: ReceiverOptions): Promise<Receiver> {
  receiver = await startReceiver(options);
  return receiver;
}

function bulk(url: string, ids: readonly string[], query = ""): Promise<Response> {
  const text = ids.map((id, i) => `{"create":{"_id":"${id}"}}\n{"msg":"m","seq":${i}}\n`).join("");
  const headers = { "content-encoding": "gzip", "content-type": "application/x-ndjson" };
  return fetch(`${url}/logs-test/_bulk${query}`, { method: "POST", headers, body: gzipSync(text) });
}

test("answers a conflict for an id that it knows, and counts each sequence number once", async () => {
  const { url, sequences } = await start({ ids: true, sequences: true });
  await bulk(url, ["a", "b"]);
  const answer = await bulk(url, ["a", "b", "c"], "?filter_path=errors,items.*.status,items.*.error.type");
  const conflict = { status: 409, error: { type: "version_conflict_engine_exception" } };
  expect(await answer.json()).toEqual({
    errors: true,
    items: [{ create: conflict }, { create: conflict }, { create: { status: 201 } }],
  });
  expect(receiver?.stats()).toMatchObject({ requests: 2, documents: 3, conflicts: 2 });
  expect(sequences.compare(4)).toEqual({ missing: 1, doubled: 0, firstMissing: [3], firstDoubled: [] });
});

test("answers without items when the filter asks for none, and in full without a filter", async () => {
  const { url } = await start({});
  expect(await (await bulk(url, ["a"], "?filter_path=errors")).json()).toEqual({ errors: false });
  expect(await (await bulk(url, ["a"])).json()).toMatchObject({ errors: false, items: [{ create: { status: 201 } }] });
});

test("is not reachable while it is down, and takes requests on the same port again", async () => {
  const { url } = await start({});
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const up = receiver?.goDownUntil(over);
  await expect(bulk(url, ["a"])).rejects.toThrow("fetch failed");
  end();
  await up;
  expect((await bulk(url, ["a"])).status).toBe(200);
});

test("says that it is an Elasticsearch 9", async () => {
  const { url } = await start({});
  const answer = await fetch(url);
  expect(answer.headers.get("x-elastic-product")).toBe("Elasticsearch");
  expect(await answer.json()).toMatchObject({ version: { number: "9.5.3" } });
});
