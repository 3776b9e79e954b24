/** A Loki that is restarted, that wants a tenant, that takes few streams, and one beside a sink that is dead. PANNIER_LOKI_LINES sets the number of lines. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import type { TestServer } from "../servers/elasticsearch/start.ts";
import { type LokiOptions, startLoki } from "../servers/loki/start.ts";
import { requireServer } from "../servers/require.ts";
import { isCommitted, killAgents, startAgent } from "../support/agent.ts";
import { freePort } from "../support/free-port.ts";
import { ALL_ONCE, compareMixed } from "../support/loki-mixed.ts";
import { entriesOf, type FoundEntry, metricOf, waitForEntries } from "../support/loki-query.ts";
import { MixedFiles } from "../support/mixed-files.ts";
import { seededRandom } from "../support/random.ts";

const PATIENCE_MS = 60_000;
const LINES = Number(process.env["PANNIER_LOKI_LINES"] ?? 20_000);
const SEED = Number(process.env["PANNIER_SEED"] ?? Date.now() % 1_000_000);
const KILLS = 5;
const LONG_MS = PATIENCE_MS + LINES;
/** So that it is pannier, and not its limits, that keeps streams whole. */
const FAST = { ingestion_rate_mb: 50, ingestion_burst_size_mb: 100 };
const closing: (() => unknown)[] = [];

afterEach(async () => {
  await killAgents();
  for (const close of closing.splice(0).toReversed()) await close();
});

function directory(): string {
  const made = mkdtempSync(join(os.tmpdir(), "pannier-loki-trouble-"));
  closing.push(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

async function start(options: LokiOptions): Promise<TestServer> {
  const server = await startLoki(options);
  closing.push(() => server.stop());
  return server;
}

/** Lines of about 200 bytes, each with its number. */
function numbered(from: number, count: number): string {
  const now = Date.now();
  return Array.from({ length: count }, (_, i) => {
    const more = "and what else there is to say about it ".repeat(3);
    return `${JSON.stringify({ level: 30, time: now + Math.floor(i / 100), seq: from + i, msg: more })}\n`;
  }).join("");
}

/** How often each number is there. */
function countsOf(found: readonly FoundEntry[], count: number): { missing: number; doubled: number } {
  const times = new Uint16Array(count);
  for (const { line } of found) times[(JSON.parse(line) as { seq: number }).seq]++;
  return { missing: times.filter((n) => n === 0).length, doubled: times.filter((n) => n > 1).length };
}

describe("Loki", () => {
  test(
    `that is restarted twice while the agent is killed ${KILLS} times: each of ${LINES} mixed lines once (seed ${SEED})`,
    { timeout: 3 * LONG_MS },
    async (context) => {
      const [data, logs, state] = [directory(), directory(), directory()];
      const port = await freePort();
      let server = await requireServer(context, () => start({ dataDir: data, port, limits: FAST }));
      const files = new MixedFiles(logs, LINES, SEED, Date.now() - LINES);
      const random = seededRandom(SEED);
      const args = ["run", logs, "--to", `loki+${server.url}?label.job=restarts`, "--state-dir", state];
      const startMs = performance.now();
      let unfinished = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        const agent = startAgent(args);
        files.write(Math.ceil(LINES / (KILLS + 1) / 2));
        await agent.waitForStatus(({ sinks }) => sinks[0].delivered_lines > 0, LONG_MS);
        files.write(Math.ceil(LINES / (KILLS + 1) / 2));
        if (kill % 2 === 1) {
          const stopped = server.stop();
          await sleep(random.below(300));
          await stopped;
        } else await sleep(random.below(200));
        if (!isCommitted(await agent.status())) unfinished++;
        await agent.kill9();
        if (kill % 2 === 1) server = await start({ dataDir: data, port, limits: FAST });
      }
      files.write(Infinity);
      const agent = startAgent(args);
      await agent.waitForStatus(isCommitted, LONG_MS);
      expect(await agent.stop()).toEqual({ code: 0, signal: null });
      const seconds = (performance.now() - startMs) / 1_000;
      expect(unfinished).toBeGreaterThan(1);
      const result = await compareMixed(server.url, '{job="restarts"}', files);
      const split = await metricOf(server.url, "loki_stream_sharding_count");
      await context.annotate(
        `${JSON.stringify(result)}; ${unfinished} kills found it at work, ${seconds.toFixed(0)} s, ${split} pushes split since the last restart`,
      );
      expect(result).toEqual(ALL_ONCE);
    },
  );

  test("of several tenants: each sink writes to its own; without one the lines wait", async (context) => {
    const [logs, state] = [directory(), directory()];
    const server = await requireServer(context, () => start({ tenants: true }));
    const path = join(logs, "app.log");
    writeFileSync(path, numbered(0, 100));
    const to = ["?tenant=red&label.job=t", "?tenant=blue&label.job=t", "?label.job=t"];
    const agent = startAgent([
      "run",
      path,
      ...to.flatMap((query) => ["--to", `loki+${server.url}${query}`]),
      "--state-dir",
      state,
    ]);
    const status = await agent.waitForStatus(
      ({ sinks }) => sinks[0].delivered_lines === 100 && sinks[1].delivered_lines === 100 && sinks[2].retries > 0,
      PATIENCE_MS,
    );
    expect(status.sinks[2].last_error?.code).toBe("sink_unauthorized");
    for (const tenant of ["red", "blue"]) {
      const found = await entriesOf(server.url, '{job="t"}', { tenant });
      expect(countsOf(found, 100)).toEqual({ missing: 0, doubled: 0 });
    }
  });

  test("beside an Elasticsearch that is dead gets everything", async (context) => {
    const [logs, state] = [directory(), directory()];
    const server = await requireServer(context, () => start({}));
    const path = join(logs, "app.log");
    writeFileSync(path, numbered(0, 5_000));
    const dead = `elasticsearch+http://127.0.0.1:${await freePort()}`;
    const agent = startAgent(["run", path, "--to", dead, "--to", `loki+${server.url}`, "--state-dir", state]);
    // Behind the dead one, they would never come.
    await agent.waitForStatus(({ sinks }) => sinks[1].delivered_lines === 5_000, PATIENCE_MS);
    const found = await waitForEntries(server.url, '{service_name="unknown_service"}', 5_000);
    expect(countsOf(found, 5_000)).toEqual({ missing: 0, doubled: 0 });
  });

  test("that takes no structured metadata gets the lines without it", async (context) => {
    const [logs, state] = [directory(), directory()];
    const server = await requireServer(context, () => start({ limits: { allow_structured_metadata: false } }));
    const path = join(logs, "app.log");
    writeFileSync(path, numbered(0, 500));
    const args = ["run", path, "--to", `loki+${server.url}?label.job=bare`, "--state-dir", state, "--once"];
    const agent = startAgent(args);
    expect(await agent.end(PATIENCE_MS)).toEqual({ code: 0, signal: null });
    expect(agent.logs.filter(({ code }) => code === "metadata_dropped").length).toBe(1);
    expect((await waitForEntries(server.url, '{job="bare"}', 500)).length).toBe(500);
  });

  test("that takes few streams: the files of further ones go to the stream of their service", async (context) => {
    const [logs, state] = [directory(), directory()];
    const limits = { max_global_streams_per_user: 5, max_streams_per_user: 5 };
    const server = await requireServer(context, () => start({ limits }));
    const args = ["run", logs, "--to", `loki+${server.url}?label.app={1}`, "--state-dir", state, "--once"];
    // A file in no directory has no label but that of the service.
    writeFileSync(join(logs, "x.log"), "the first\n");
    expect(await startAgent(args).end(PATIENCE_MS)).toEqual({ code: 0, signal: null });
    for (let i = 0; i < 20; i++) {
      mkdirSync(join(logs, `app-${i}`));
      writeFileSync(join(logs, `app-${i}`, "x.log"), numbered(i * 50, 50));
    }
    const agent = startAgent(args);
    expect(await agent.end(PATIENCE_MS), JSON.stringify(agent.logs.slice(-4))).toEqual({ code: 0, signal: null });
    await sleep(300);
    const all = await waitForEntries(server.url, '{service_name="unknown_service"}', 1_001);
    const found = all.filter(({ line }) => line !== "the first");
    expect(countsOf(found, 1_000)).toEqual({ missing: 0, doubled: 0 });
    expect(new Set(found.map(({ labels }) => labels["app"])).size).toBeLessThanOrEqual(5);
  });
});
