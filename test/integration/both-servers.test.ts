/** A real Elasticsearch and a real Loki behind one agent, one of them not there at first: neither slows the other, and each has every line once. */
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { request } from "../servers/request.ts";
import { requireServer, sharedElasticsearch, uniqueName } from "../servers/require.ts";
import { isCommitted, killAgents, startAgent } from "../support/agent.ts";
import { freePort } from "../support/free-port.ts";
import { startGate } from "../support/gate.ts";
import { Closing, countNumbered, numbered } from "../support/loki-rig.ts";

const FIRST = 3_000;
const ALL = 5_000;
const PATIENCE_MS = 60_000;
const closing = new Closing();

afterEach(async () => {
  await killAgents();
  await closing.close();
});

/** How often each number is in a data stream. */
async function countDocuments(url: string, stream: string): Promise<{ missing: number; doubled: number }> {
  await request(url, "POST", `/${stream}/_refresh`);
  const times = new Uint8Array(ALL);
  const { body } = await request(url, "GET", `/${stream}/_search?size=10000&filter_path=hits.hits._source.seq`);
  const { hits } = (body as { hits: { hits: { _source: { seq: number } }[] } }).hits;
  for (const { _source } of hits) times[_source.seq]++;
  return { missing: times.filter((n) => n === 0).length, doubled: times.filter((n) => n > 1).length };
}

test.for(["elasticsearch", "loki"] as const)(
  "%s is dead, and comes",
  { timeout: 4 * PATIENCE_MS },
  async (dead, context) => {
    const elasticsearch = await requireServer(context, () => sharedElasticsearch());
    const loki = await closing.loki(context);
    const { logs, state } = closing.directories();
    const path = join(logs, "app.log");
    writeFileSync(path, numbered(0, FIRST));
    const port = await freePort();
    const gone = `http://127.0.0.1:${port}`;
    const stream = uniqueName("logs-both.", "-default");
    const urls = { elasticsearch: elasticsearch.url, loki: loki.url, [dead]: gone };
    const to = [`elasticsearch+${urls.elasticsearch}/${stream}`, `loki+${urls.loki}?label.job=both`];
    const agent = startAgent(["run", logs, ...to.flatMap((url) => ["--to", url]), "--state-dir", state]);

    const startMs = performance.now();
    const alive = await agent.waitForStatus(
      ({ sinks }) => sinks.some(({ delivered_lines: lines }) => lines === FIRST),
      PATIENCE_MS,
    );
    expect(performance.now() - startMs).toBeLessThan(15_000);
    expect(alive.sinks.find(({ name }) => name === dead)?.delivered_lines).toBe(0);
    appendFileSync(path, numbered(FIRST, ALL - FIRST));
    await agent.waitForStatus(({ sinks }) => sinks.some(({ delivered_lines: lines }) => lines === ALL), PATIENCE_MS);

    const gate = await startGate(dead === "loki" ? loki.url : elasticsearch.url, "pass", port);
    closing.add(() => gate.close());
    await agent.waitForStatus((status) => isCommitted(status), PATIENCE_MS);
    expect(await agent.stop()).toEqual({ code: 0, signal: null });
    expect(await countDocuments(elasticsearch.url, stream)).toEqual({ missing: 0, doubled: 0 });
    expect(await countNumbered(loki.url, '{job="both"}', ALL)).toMatchObject({ missing: 0, doubled: 0 });
  },
);
