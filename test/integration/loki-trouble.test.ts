/** A Loki that goes away, that is slow, that wants a tenant, and one beside a sink that is dead. */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import type { TestServer } from "../servers/elasticsearch/start.ts";
import { type LokiOptions, startLoki } from "../servers/loki/start.ts";
import { requireServer } from "../servers/require.ts";
import { type Agent, isCommitted, killAgents, startAgent } from "../support/agent.ts";
import { freePort } from "../support/free-port.ts";
import { entriesOf, type FoundEntry, waitForEntries } from "../support/loki-query.ts";

const PATIENCE_MS = 60_000;
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

async function drained(agent: Agent): Promise<void> {
  await agent.waitForStatus(isCommitted, PATIENCE_MS);
  expect(await agent.stop()).toEqual({ code: 0, signal: null });
}

describe("Loki", () => {
  test("that is restarted twice while the agent is killed: each line once", async (context) => {
    const [data, logs, state] = [directory(), directory(), directory()];
    const port = await freePort();
    const path = join(logs, "app.log");
    let server = await requireServer(context, () => start({ dataDir: data, port }));
    const args = ["run", path, "--to", `loki+${server.url}?label.job=restarts`, "--state-dir", state];
    let written = 0;
    const write = (): void => {
      appendFileSync(path, numbered(written, 2_000));
      written += 2_000;
    };
    let agent = startAgent(args);
    for (let restart = 0; restart < 2; restart++) {
      write();
      await agent.waitForStatus(({ sinks }) => sinks[0].delivered_lines > 0, PATIENCE_MS);
      write();
      const stopped = server.stop();
      write();
      await stopped;
      await agent.waitForStatus(({ sinks }) => sinks[0].state !== "ok", PATIENCE_MS);
      await agent.kill9();
      write();
      agent = startAgent(args);
      server = await start({ dataDir: data, port });
    }
    await drained(agent);
    const found = await waitForEntries(server.url, '{job="restarts"}', written);
    expect(countsOf(found, written)).toEqual({ missing: 0, doubled: 0 });
    expect(found.length).toBe(written);
  });

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
    const startMs = performance.now();
    await agent.waitForStatus(({ sinks }) => sinks[1].delivered_lines === 5_000, PATIENCE_MS);
    expect(performance.now() - startMs).toBeLessThan(10_000);
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
