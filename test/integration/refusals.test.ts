/**
 * A real server that refuses on purpose. What is about the destination waits, unchanged, until it heals; what is about the
 * document goes once more as text, and then to the dead letters (contract §4).
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { request } from "../servers/request.ts";
import { ELASTICSEARCH_VERSIONS, requireServer, sharedElasticsearch, uniqueName } from "../servers/require.ts";
import { type Agent, isCommitted, killAgents, startAgent } from "../support/agent.ts";
import { allDocuments, refresh } from "../support/delivered.ts";

type Doc = Record<string, unknown>;

const LINES = 200;
let directory = "";
let url = "";
let index = "";

afterEach(async () => {
  await killAgents();
  rmSync(directory, { recursive: true, force: true });
});

/** A log of LINES records with a sequence number. */
function writeLog(more: (seq: number) => object = () => ({})): void {
  const lines = Array.from({ length: LINES }, (_, seq) =>
    JSON.stringify({ time: new Date(1_764_000_000_000 + seq).toISOString(), msg: `order ${seq}`, seq, ...more(seq) }),
  );
  writeFileSync(join(directory, "app.log"), `${lines.join("\n")}\n`);
}

function start(...more: string[]): Agent {
  const to = `elasticsearch+${url}?index=${index}`;
  return startAgent(["run", join(directory, "app.log"), "--to", to, "--state-dir", join(directory, "state"), ...more]);
}

async function stored(): Promise<Doc[]> {
  await refresh(url, index);
  const found: Doc[] = [];
  for await (const { _source: source } of allDocuments(url, index, true)) found.push(source);
  return found.toSorted((a, b) => Number(a["log.offset"]) - Number(b["log.offset"]));
}

function deadLetters(): Doc[] {
  const path = join(directory, "state", "dead-letters", "elasticsearch.ndjson");
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Doc);
}

async function create(settings: object = {}, mappings: object = {}): Promise<void> {
  const { status, body } = await request(url, "PUT", `/${index}`, { settings, mappings });
  expect(status, JSON.stringify(body)).toBe(200);
}

async function set(settings: object): Promise<void> {
  const { status, body } = await request(url, "PUT", `/${index}/_settings`, settings);
  expect(status, JSON.stringify(body)).toBe(200);
}

/** The destination refuses everything, then heals: every line arrives as it is, once, and nothing was rewritten. */
async function expectPatience(agent: Agent, heal: () => Promise<unknown>): Promise<void> {
  const waiting = await agent.waitForStatus((status) => status.sinks[0].last_error !== null);
  expect(waiting.sinks[0].state).toMatch(/^(retrying|down)$/);
  await sleep(3_000);
  const still = await agent.status();
  expect(still.files[0].ledger.delivered).toBe(0);
  expect(still.sinks[0].rejected).toBe(0);
  await heal();
  await agent.waitForStatus(isCommitted, 90_000);
  expect((await agent.stop()).code).toBe(0);
  const docs = await stored();
  expect(docs.map((doc) => doc["seq"])).toEqual(Array.from({ length: LINES }, (_, seq) => seq));
  expect(docs.filter((doc) => "error.message" in doc)).toEqual([]);
  expect(deadLetters()).toEqual([]);
}

describe.each(ELASTICSEARCH_VERSIONS)("Elasticsearch %s", (version) => {
  beforeEach(async (context) => {
    directory = mkdtempSync(join(os.tmpdir(), "pannier-refusals-"));
    index = uniqueName("refusals-");
    ({ url } = await requireServer(context, () => sharedElasticsearch(version)));
  });

  test("a closed index is waited for", async () => {
    await create();
    await request(url, "POST", `/${index}/_close`);
    writeLog();
    await expectPatience(start(), () => request(url, "POST", `/${index}/_open`));
  });

  test("a write block is waited for", async () => {
    await create({ "index.blocks.write": true });
    writeLog();
    await expectPatience(start(), () => set({ "index.blocks.write": null }));
  });

  test("a flood-stage block is waited for", async () => {
    // For a server that was not started here: it would take the block away with its next look at the disks, in 30 s.
    const settings = { persistent: { "cluster.info.update.interval": "1h" } };
    expect((await request(url, "PUT", "/_cluster/settings", settings)).status).toBe(200);
    await create({ "index.blocks.read_only_allow_delete": true });
    writeLog();
    await expectPatience(start(), () => set({ "index.blocks.read_only_allow_delete": null }));
  });

  test("a missing pipeline is waited for", async () => {
    await create({ "index.default_pipeline": "nobody-made-it" });
    writeLog();
    await expectPatience(start(), () => set({ "index.default_pipeline": "_none" }));
  });

  test("what a strict mapping refuses arrives as text with the server's reason, under the same id", async () => {
    await create(
      {},
      {
        dynamic: "strict",
        subobjects: false,
        properties: {
          ...Object.fromEntries(
            ["log.level", "log.file.path", "ecs.version", "error.message", "tags", "event.timestamp_source"].map(
              (name) => [name, { type: "keyword" }],
            ),
          ),
          "@timestamp": { type: "date" },
          message: { type: "text" },
          "log.offset": { type: "long" },
          seq: { type: "long" },
        },
      },
    );
    writeLog((seq) => (seq % 50 === 7 ? { surprise: true } : {}));
    const agent = start("--once");
    expect((await agent.exited).code).toBe(0);
    const docs = await stored();
    expect(docs).toHaveLength(LINES);
    const refused = docs.filter((doc) => JSON.stringify(doc["tags"]) === '["refused"]');
    expect(refused).toHaveLength(4);
    for (const doc of refused) {
      const line = JSON.parse(String(doc["message"])) as Doc;
      expect(line["surprise"]).toBe(true);
      expect(doc["error.message"]).toContain("surprise");
      expect(new Date(String(doc["@timestamp"])).toISOString()).toBe(line["time"]);
      expect(doc).not.toHaveProperty("seq");
    }
    expect(deadLetters()).toEqual([]);
  });

  test("what is refused as text too is a dead letter, and replay sends it once the server takes it", async () => {
    await create({}, { dynamic: "strict", properties: { "@timestamp": { type: "date" } } });
    writeLog();
    const agent = start("--once");
    expect((await agent.exited).code).toBe(0);
    expect(await stored()).toEqual([]);
    const letters = deadLetters();
    expect(letters).toHaveLength(LINES);
    expect(letters[0]).toMatchObject({
      "@timestamp": new Date(1_764_000_000_000).toISOString(),
      sink: "elasticsearch",
      status: 400,
      file: join(directory, "app.log"),
      offset: 0,
    });
    expect(letters.map((letter) => (JSON.parse(String(letter["line"])) as Doc)["seq"])).toEqual(
      Array.from({ length: LINES }, (_, seq) => seq),
    );

    await request(url, "PUT", `/${index}/_mapping`, { dynamic: true });
    const config = join(directory, "pannier.yaml");
    const sink = `{ type: elasticsearch, urls: ["${url}"], index: ${index} }`;
    writeFileSync(
      config,
      `version: 1\nstate_dir: ${join(directory, "state")}\ninputs: [{ paths: ["${join(directory, "app.log")}"] }]\nsinks: [${sink}]\n`,
    );
    const replay = startAgent(["replay", "--config", config], { noAdmin: true });
    expect(await replay.exited, replay.stdout() + JSON.stringify(replay.logs)).toEqual({ code: 0, signal: null });
    expect(await stored()).toHaveLength(LINES);
    expect(deadLetters()).toEqual([]);
    const ids: string[] = [];
    for await (const { _id: id } of allDocuments(url, index, [])) ids.push(id);
    expect(ids.toSorted()).toEqual(letters.map((letter) => String(letter["id"])).toSorted());
  });
});
