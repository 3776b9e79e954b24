/** The ways to reach a real Loki: as JSON, over TLS, with dead letters sent again, and with another configuration while it runs. */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { startLoki } from "../servers/loki/start.ts";
import { requireServer, sharedLoki, uniqueName } from "../servers/require.ts";
import { startTlsProxy } from "../servers/tls-proxy.ts";
import { isCommitted, killAgents, startAgent } from "../support/agent.ts";
import { freePort } from "../support/free-port.ts";
import { type FoundEntry, waitForEntries } from "../support/loki-query.ts";
import { Closing, countNumbered, numbered } from "../support/loki-rig.ts";
import { MixedFiles } from "../support/mixed-files.ts";

const PATIENCE_MS = 60_000;
const SEED = Number(process.env["PANNIER_SEED"] ?? Date.now() % 1_000_000);
const NONE = { missing: 0, doubled: 0 };
const closing = new Closing();

afterEach(async () => {
  await killAgents();
  await closing.close();
});

interface Setup {
  readonly logs: string;
  readonly state: string;
  readonly path: string;
  /** Writes the configuration: one sink with these members. */
  readonly configure: (sink: Readonly<Record<string, unknown>>) => void;
}

function setUp(): Setup {
  const { logs, state } = closing.directories();
  const path = join(logs, "..", "pannier.yaml");
  const configure = (sink: Readonly<Record<string, unknown>>): void => {
    const sinks = [{ type: "loki", batch: { max_age: "100ms" }, ...sink }];
    writeFileSync(path, stringify({ state_dir: state, inputs: [{ paths: [logs] }], sinks }));
  };
  return { logs, state, path, configure };
}

/** Entries by their place, without what differs between jobs. */
function byPlace(found: readonly FoundEntry[]): Map<string, unknown> {
  return new Map(
    found.map(({ time, line, metadata: { file = "", offset = "", ...metadata } }) => [
      `${file} ${offset}`,
      { time, line, metadata },
    ]),
  );
}

describe("Loki", () => {
  test(`gets the same as JSON and as protobuf, also after a kill -9 (seed ${SEED})`, async (context) => {
    const { url } = await requireServer(context, sharedLoki);
    const { logs, path, configure } = setUp();
    const files = new MixedFiles(logs, 10_000, SEED, Date.now() - 100_000);
    files.write(Infinity);
    const hard = [
      'quotes " and \\ and /',
      "nul \0 and \u0001\u001F",
      "not utf-8 \xff",
      "größe 🙂 \u2028",
      "\t x".repeat(20_000),
    ];
    appendFileSync(files.paths[0], Buffer.from(`${hard.slice(2, 3).join("")}\n`, "latin1"));
    appendFileSync(files.paths[0], `${hard.toSpliced(2, 1).join("\n")}\n`);
    const count = files.written + hard.length;
    const found: Map<string, unknown>[] = [];
    for (const encoding of ["json", "protobuf"]) {
      const job = uniqueName("job-");
      configure({ name: encoding, urls: [url], encoding, labels: { job } });
      const args = ["run", "--config", path];
      const first = startAgent(args, { env: { POD_UID: "one" } });
      await first.waitForStatus(({ sinks }) => sinks[0].delivered_lines > 0, PATIENCE_MS);
      await first.kill9();
      const last = startAgent([...args, "--once"], { env: { POD_UID: "one" } });
      expect(await last.end(PATIENCE_MS), JSON.stringify(last.logs.slice(-5))).toEqual({ code: 0, signal: null });
      const entries = await waitForEntries(url, `{job="${job}"}`, count);
      expect(entries.length).toBe(count);
      found.push(byPlace(entries));
    }
    expect(found[0].size).toBe(count);
    expect(found[0]).toEqual(found[1]);
  });

  test("behind TLS with a CA of its own, and a password that changes", async (context) => {
    const server = await closing.loki(context);
    const proxy = await startTlsProxy(server.url, { basic: "me:first" });
    closing.add(() => proxy.stop());
    const { logs, path, configure } = setUp();
    const secret = join(logs, "..", "secret");
    writeFileSync(secret, "first");
    const auth = { username: "me", password: `\${file:${secret}}` };
    configure({ urls: [proxy.url], tls: { ca: proxy.ca }, auth, labels: { job: "tls" } });
    writeFileSync(join(logs, "app.log"), numbered(0, 500));
    const agent = startAgent(["run", "--config", path]);
    await agent.waitForStatus(isCommitted, PATIENCE_MS);
    proxy.accept({ basic: "me:second" });
    appendFileSync(join(logs, "app.log"), numbered(500, 500));
    await agent.waitForStatus(({ sinks }) => sinks[0].last_error?.code === "sink_unauthorized", PATIENCE_MS);
    writeFileSync(secret, "second");
    await agent.waitForStatus(isCommitted, PATIENCE_MS);
    expect(await agent.stop()).toEqual({ code: 0, signal: null });
    expect(await countNumbered(server.url, '{job="tls"}', 1_000)).toMatchObject(NONE);
    const probe = startAgent(["probe", "--config", path], { noAdmin: true });
    expect(await probe.end(PATIENCE_MS), probe.stdout()).toEqual({ code: 0, signal: null });
    configure({ urls: [proxy.url], auth, labels: { job: "tls" } });
    const untrusting = startAgent(["probe", "--config", path], { noAdmin: true });
    expect(await untrusting.end(PATIENCE_MS)).toMatchObject({ code: 69 });
    expect(untrusting.stdout()).toMatch(/certificate|tls/i);
  });

  test("that refuses everything in every form: the dead letters have its reason, and replay sends them once it takes them", async (context) => {
    const { logs, state, path, configure } = setUp();
    const [port, dataDir] = [await freePort(), join(logs, "..", "loki")];
    // Not even the name of the service is short enough.
    const limits = { max_label_value_length: 5 };
    const strict = await requireServer(context, () => startLoki({ port, dataDir, limits }));
    let server = strict;
    closing.add(() => server.stop());
    configure({ urls: [server.url], labels: { job: "dead" } });
    writeFileSync(join(logs, "app.log"), numbered(0, 50));
    const agent = startAgent(["run", "--config", path, "--once"]);
    expect(await agent.end(PATIENCE_MS), JSON.stringify(agent.logs.slice(-5))).toEqual({ code: 0, signal: null });
    const letters = readFileSync(join(state, "dead-letters", "loki.ndjson"), "utf8")
      .split("\n")
      .slice(0, -1);
    expect(letters.length).toBe(50);
    for (const letter of letters)
      expect((JSON.parse(letter) as { reason: string }).reason).toContain("label value too long");
    await strict.stop();
    server = await startLoki({ port, dataDir });
    const replay = startAgent(["replay", "--config", path], { noAdmin: true });
    expect(await replay.end(PATIENCE_MS), replay.stdout()).toEqual({ code: 0, signal: null });
    expect(replay.stdout()).toBe("loki: 50 dead letters, delivered 50, refused again 0\n");
    expect(await countNumbered(server.url, '{job="dead"}', 50)).toMatchObject(NONE);
  });

  test("gets each line once while its labels, encoding and metadata are changed by SIGHUP", async (context) => {
    const { url } = await requireServer(context, sharedLoki);
    const { logs, path, configure } = setUp();
    const job = uniqueName("job-");
    const settings = [
      { labels: { job, app: "{name}" } },
      { labels: { job, app: "{name}" }, encoding: "json" },
      { labels: { job, tier: "web" } },
      { labels: { job, tier: "web" }, structured_metadata: false },
    ];
    configure({ urls: [url], ...settings[0] });
    const agent = startAgent(["run", "--config", path]);
    await agent.waitForLog("started");
    let written = 0;
    for (const [i, each] of settings.entries()) {
      if (i > 0) {
        configure({ urls: [url], ...each });
        agent.kill("SIGHUP");
      }
      for (let n = 0; n < 10; n++) {
        appendFileSync(join(logs, "app.log"), numbered(written, 100));
        written += 100;
        await sleep(30);
      }
      const reloads = (): number => agent.logs.filter(({ code }) => code === "config_reloaded").length;
      await agent.waitForStatus((status) => isCommitted(status) && reloads() === i, PATIENCE_MS);
    }
    expect(await agent.stop()).toEqual({ code: 0, signal: null });
    expect(await countNumbered(url, `{job="${job}"}`, written)).toMatchObject(NONE);
    for (const selector of [`{job="${job}", app="app"}`, `{job="${job}", tier="web"}`])
      expect((await waitForEntries(url, selector, 1)).length).toBeGreaterThan(0);
  });
});
