import { describe, expect, test } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import type { ElasticsearchConfig } from "../../../src/core/config.ts";
import { probeElasticsearch } from "../../../src/sinks/elasticsearch/probe.ts";
import type { Finding } from "../../../src/sinks/finding.ts";
import { freePort } from "../../support/free-port.ts";
import { configOf } from "./helpers.ts";
import { Rig } from "./rig.ts";
import { type Answer, recorded } from "./server.ts";

const rig = Rig.use();
const never = new AbortController().signal;
const ok = (body: unknown, headers: Record<string, string> = {}): Answer => ({
  status: 200,
  body: JSON.stringify(body),
  headers,
});

async function probe(changes: Partial<ElasticsearchConfig> = {}): Promise<Map<string, Finding>> {
  const findings = await probeElasticsearch(
    configOf([rig.url], { manageTemplate: true, ...changes }),
    systemClock,
    never,
  );
  return new Map(findings.map((finding) => [finding.what, finding]));
}

/** A whole server: root, clock, templates. */
function serve(root: unknown, overlapping: readonly string[] = [], clockMs = 0): void {
  rig.server.always = () => ok({ errors: true, items: [{ delete: { status: 404 } }] });
  rig.server.controls.push((_method, path) => {
    if (path === "/") return ok(root);
    if (path === "/_cat/health") return ok([{ epoch: String(Math.floor((Date.now() + clockMs) / 1_000)) }]);
    if (path.startsWith("/_index_template/_simulate"))
      return ok({ template: {}, overlapping: overlapping.map((name) => ({ name })) });
    return undefined;
  });
}

describe("probe", () => {
  test.each(["9.5.3", "8.19.21"])("finds nothing wrong with %s, and leaves nothing behind", async (version) => {
    serve(recorded(version, "root"));
    const findings = await probe();
    expect([...findings.keys()]).toEqual([
      "reachable",
      "credentials",
      "version",
      "official client",
      "clock",
      "template",
      "round trip",
    ]);
    for (const finding of findings.values()) expect(finding.ok).toBe(true);
    expect(findings.get("version")?.detail).toBe(`Elasticsearch ${version}, tested`);
    expect(findings.get("official client")?.detail).toContain("agrees");
    expect(findings.get("template")?.detail).toContain("will be written at the first start");
    expect(rig.server.stored.size).toBe(0);
    expect(rig.server.calls.filter((call) => !/^(?:GET|POST \/_index_template\/_simulate)/.test(call))).toEqual([]);
  });

  test.each([
    ["8.17.0", "of a tested major"],
    ["7.17.29", "not supported"],
  ])("says that %s is not tested", async (number, detail) => {
    serve({ version: { number }, tagline: "You Know, for Search" });
    expect((await probe()).get("version")).toMatchObject({
      ok: true,
      detail: expect.stringContaining(detail) as unknown,
    });
  });

  test("knows OpenSearch when it sees it", async () => {
    serve({ version: { distribution: "opensearch", number: "3.3.0" } });
    expect((await probe()).get("version")?.detail).toContain("OpenSearch 3.3.0: not supported");
  });

  test("says what something else is not", async () => {
    rig.server.controls.push(() => ok({ hello: "world" }));
    expect((await probe()).get("version")).toMatchObject({ ok: false });
  });

  test("a dead address among several is named, and the sink is reached all the same", async () => {
    serve(recorded("9.5.3", "root"));
    const dead = `http://127.0.0.1:${await freePort()}`;
    for (const urls of [
      [dead, rig.url],
      [rig.url, dead],
    ]) {
      const findings = await probeElasticsearch(configOf(urls, { manageTemplate: true }), systemClock, never);
      expect(findings.filter((finding) => !finding.ok)).toEqual([]);
      const reachable = findings.filter(({ what }) => what === "reachable");
      expect(reachable).toHaveLength(2);
      const note = reachable.find(({ hint }) => hint !== undefined);
      expect(note?.detail).toContain(dead);
      expect(findings.find(({ what }) => what === "official client")?.detail).toContain("agrees");
    }
  });

  test("with every address dead, each is a failure", async () => {
    const urls = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
    const findings = await probeElasticsearch(configOf(urls), systemClock, never);
    expect(findings.map((finding) => [finding.what, finding.ok])).toEqual([
      ["reachable", false],
      ["reachable", false],
    ]);
  });

  test("measures the clock by what the server says of its health", async () => {
    serve(recorded("9.5.3", "root"), [], 600_000);
    const clock = (await probe()).get("clock");
    expect(clock?.detail).toMatch(/(?:10m|59[5-9]s|60[1-5]s) ahead of/);
    expect(clock, "it is reached, and refuses nothing").toMatchObject({
      ok: true,
      hint: expect.stringContaining("NTP") as unknown,
    });
  });

  test("measures the clock by the Date of a proxy", async () => {
    const date = new Date(Date.now() - 7_200_000).toUTCString();
    rig.server.controls.push((_method, path) => (path === "/" ? ok(recorded("9.5.3", "root"), { date }) : undefined));
    expect((await probe()).get("clock")?.detail).toMatch(/(?:2h|719[5-9]s|720[1-5]s) behind/);
  });

  test("stops where the credentials do not let it in", async () => {
    rig.server.controls.push(() => ({ status: 401, body: '{"error":{"type":"security_exception","reason":"no"}}' }));
    const findings = await probe();
    expect(findings.get("credentials")).toMatchObject({
      ok: false,
      detail: expect.stringContaining("`auth`") as unknown,
    });
    expect(findings.size).toBe(2);
  });

  test.each([true, false])("asks whether the credentials may write there: %s", async (may) => {
    serve(recorded("9.5.3", "root"));
    const asked: unknown[] = [];
    rig.server.controls.unshift((method, path, body) => {
      if (path !== "/_security/user/_has_privileges") return undefined;
      asked.push([method, JSON.parse(body)]);
      return ok({ has_all_requested: may });
    });
    const findings = await probe({ auth: { apiKey: { read: () => "aWQ6c2VjcmV0" } }, dataStream: "logs-x-y" });
    expect(findings.get("rights")).toMatchObject({ ok: may, detail: expect.stringContaining("logs-x-y") as unknown });
    expect(asked).toEqual([["POST", { index: [{ names: ["logs-x-y"], privileges: ["create_doc"] }] }]]);
  });

  test("says that nothing listens", async () => {
    await rig.server.close();
    expect((await probe()).get("reachable")).toMatchObject({
      ok: false,
      detail: expect.stringContaining("ECONNREFUSED") as unknown,
    });
    await rig.server.listen();
  });

  test("names the guarantees that a template of the user's lacks", async () => {
    serve(recorded("9.5.3", "root"), ["mine"]);
    expect((await probe()).get("template")).toMatchObject({
      ok: true,
      hint: expect.stringContaining("subobjects: false") as unknown,
    });
  });

  test("reports a round trip that fails", async () => {
    serve(recorded("9.5.3", "root"));
    rig.server.always = () => recorded("9.5.3", "cluster block");
    expect((await probe()).get("round trip")).toMatchObject({ ok: false });
  });
});
