import { describe, expect, test } from "vitest";
import { Outcome } from "../../../src/core/batch.ts";
import { batchOf, records } from "./helpers.ts";
import { Rig, all, deliver, until } from "./rig.ts";
import type { Answer } from "./server.ts";

const rig = Rig.use();
const { delivered } = Outcome;
const managed = { manageTemplate: true };
const SIMULATE = "/_index_template/_simulate_index/logs-pannier-default";
const OWN = "/_index_template/pannier-logs-pannier-default";

const ok = (body: unknown): Answer => ({ status: 200, body: JSON.stringify(body) });

/** Template calls of the stand-in: what overlaps, and templates by name. */
function serve(overlapping: readonly string[], templates: Readonly<Record<string, unknown>> = {}): { put: unknown[] } {
  const put: unknown[] = [];
  rig.server.controls.push((method, path, body) => {
    if (path === SIMULATE && body === "") return ok({ template: { settings: {}, mappings: {} }, overlapping: [] });
    if (path === SIMULATE) return ok({ template: {}, overlapping: overlapping.map((name) => ({ name })) });
    const name = path.replace("/_index_template/", "");
    if (method === "PUT") put.push(JSON.parse(body));
    if (method === "PUT") return ok({ acknowledged: true });
    if (!(name in templates)) return undefined;
    return ok({ index_templates: [{ name, index_template: templates[name] }] });
  });
  return { put };
}

describe("the template of a new stream", () => {
  test("is written before the first record, for exactly its name", async () => {
    const { put } = serve([]);
    const made = rig.open(records(2), managed);
    made.sink.start();
    expect(await deliver(made)).toEqual(all(2, delivered));
    expect(rig.server.calls).toEqual([`POST ${SIMULATE}`, `PUT ${OWN}`]);
    expect(put).toMatchObject([
      {
        index_patterns: ["logs-pannier-default"],
        priority: 500,
        version: 1,
        data_stream: {},
        composed_of: ["logs@mappings", "logs@settings", "logs@custom"],
        ignore_missing_component_templates: ["logs@mappings", "logs@settings", "logs@custom"],
        template: { mappings: { subobjects: false, properties: { "@timestamp": { type: "date_nanos" } } } },
      },
    ]);
  });

  test("of a plain index makes no data stream", async () => {
    const put: unknown[] = [];
    rig.server.controls.push((method, path, body) => {
      if (method === "PUT") put.push(path, JSON.parse(body));
      return ok({ template: {}, overlapping: [], acknowledged: true });
    });
    const made = rig.open(records(1), { ...managed, index: "my-index", timestampType: "date" });
    expect(await deliver(made)).toEqual([delivered]);
    expect(rig.server.seen[0].path).toBe("/my-index/_bulk");
    expect(put[0]).toBe("/_index_template/pannier-my-index");
    expect(put[1]).toMatchObject({ template: { mappings: { properties: { "@timestamp": { type: "date" } } } } });
    expect(put[1]).not.toHaveProperty("data_stream");
    expect(put[1]).not.toHaveProperty("composed_of");
  });

  test("stays when it is there and not older", async () => {
    serve(["pannier-logs-pannier-default"], { "pannier-logs-pannier-default": { version: 1 } });
    const made = rig.open(records(1), managed);
    await deliver(made);
    expect(rig.server.calls).toEqual([`POST ${SIMULATE}`, `GET ${OWN}`]);
  });

  test("is replaced when it is older", async () => {
    const { put } = serve(["pannier-logs-pannier-default"], { "pannier-logs-pannier-default": { version: 0 } });
    const made = rig.open(records(1), managed);
    await deliver(made);
    expect(put.length).toBe(1);
  });

  test("replaces the one that Elasticsearch brings for all logs", async () => {
    const { put } = serve(["logs"], { logs: { _meta: { managed: true } } });
    const made = rig.open(records(1), managed);
    await deliver(made);
    expect(put.length).toBe(1);
  });

  test.each([
    ["with a name of their own", "logs-mine", {}],
    ["under the built-in name", "logs", { logs: { _meta: {} } }],
  ])("leaves the user's as it is, %s, and says once what it lacks", async (_name, name, templates) => {
    const { put } = serve([name], templates);
    const made = rig.open(records(1), managed);
    await deliver(made);
    await deliver(made, records(1, "s"));
    expect(put).toEqual([]);
    const said = made.log.lines.filter(({ code }) => code === "template_of_user");
    expect(said.length).toBe(1);
    expect(said[0].message).toContain("subobjects: false");
  });
});

describe("trouble with the template", () => {
  test("a page that answers 200 to everything has taken no template: records wait for the server", async () => {
    let isServer = false;
    rig.server.controls.push((method) => {
      if (!isServer) return { status: 200, body: "<html>welcome</html>" };
      return ok(method === "PUT" ? { acknowledged: true } : { template: {}, overlapping: [] });
    });
    const made = rig.open(records(1), managed, { backoffFirstMs: 30, backoffMaxMs: 30 });
    const delivering = deliver(made);
    await until(() => made.sink.status().lastError !== null);
    expect(made.sink.status().lastError?.code).toBe("sink_not_elasticsearch");
    expect(rig.server.seen).toEqual([]);
    isServer = true;
    await delivering;
    expect(rig.server.calls).toContain(`PUT ${OWN}`);
  });

  test("holds the first record back while the server is out of reach or starting", async () => {
    let ready = false;
    rig.server.controls.push((method) =>
      ready ? ok({ template: {}, overlapping: [], acknowledged: true, method }) : { status: 503, body: "" },
    );
    const made = rig.open(records(1), managed, { backoffFirstMs: 30, backoffMaxMs: 30 });
    const delivering = made.sink.deliver(batchOf(made.source.records));
    await until(() => rig.server.calls.length >= 3);
    expect(rig.server.seen.length).toBe(0);
    expect(made.sink.status().state).toBe("retrying");
    ready = true;
    await delivering;
    expect(rig.server.calls.at(-1)).toBe(`PUT ${OWN}`);
  });

  test("does not hold records back for ever", async () => {
    rig.server.controls.push(() => ({ status: 500, body: "" }));
    const made = rig.open(records(1), managed, { backoffFirstMs: 1, backoffMaxMs: 1 });
    expect(await deliver(made)).toEqual([delivered]);
    expect(made.log.codes()).toContain("template_missing");
  });

  test.each([401, 403, 400, 404, 405])("%i on it alone: one warning, records go out", async (status) => {
    rig.server.controls.push(() => ({ status, body: '{"error":{"type":"security_exception","reason":"no"}}' }));
    const made = rig.open(records(1), managed);
    made.sink.start();
    expect(await deliver(made)).toEqual([delivered]);
    expect(await deliver(made, records(1, "s"))).toEqual([delivered]);
    expect(made.log.codes().filter((code) => code === "template_missing").length).toBe(1);
  });

  test("with credentials that heal: it is written before records get through", async () => {
    let good = false;
    const denied = { status: 401, body: '{"error":{"type":"security_exception","reason":"no"}}' };
    rig.server.controls.push(() => (good ? ok({ template: {}, overlapping: [], acknowledged: true }) : denied));
    let refused = 0;
    rig.server.always = () => {
      if (good) return undefined;
      good = ++refused === 2;
      return denied;
    };
    const made = rig.open(records(1), managed);
    expect(await deliver(made)).toEqual([delivered]);
    expect(rig.server.calls.at(-1)).toBe(`PUT ${OWN}`);
    expect(made.log.codes()).not.toContain("template_missing");
  });
});
