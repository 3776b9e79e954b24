import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Client } from "@elastic/elasticsearch";
import { ElasticsearchContainer, type StartedElasticsearchContainer } from "@testcontainers/elasticsearch";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { requireServer } from "../servers/require.ts";
import { startAgent } from "../support/agent.ts";

const IMAGE = process.env["PANNIER_ELASTICSEARCH_IMAGE"] ?? "docker.elastic.co/elasticsearch/elasticsearch:9.5.3";
const LINES_PER_KIND = 500;
const TIME = Date.UTC(2026, 0, 2, 3, 4, 5);

let directory: string;
let starting: Promise<StartedElasticsearchContainer> | undefined;
let container: StartedElasticsearchContainer;

beforeAll(() => {
  // In a container, testcontainers looks for published ports at the bridge's gateway, as if the daemon ran outside. One
  // that runs beside us publishes them where it was told to.
  if (existsSync("/var/run/docker.pid")) process.env["TESTCONTAINERS_HOST_OVERRIDE"] ??= "127.0.0.1";
  directory = mkdtempSync(path.join(os.tmpdir(), "pannier-containers-"));
});

beforeEach(async (context) => {
  // Two minutes, the default, are what it takes a slow machine that starts other servers at the same time.
  starting ??= new ElasticsearchContainer(IMAGE).withStartupTimeout(300_000).start();
  container = await requireServer(context, () => starting!);
});

afterAll(async () => {
  rmSync(directory, { recursive: true, force: true });
  await (await starting?.catch(() => undefined))?.stop();
});

/** The n-th line of the file, in one of four shapes, and the fields that it must have in Elasticsearch. */
function lineOf(n: number): { text: string; expected: Record<string, unknown> } {
  const ms = TIME + n;
  const iso = new Date(ms).toISOString();
  const message = `order ${n} placed`;
  switch (n % 4) {
    case 0: // pino
      return {
        text: JSON.stringify({ level: 50, time: ms, pid: 7, hostname: "web-1", orderId: n, msg: message }),
        expected: {
          "@timestamp": iso,
          "log.level": "error",
          "process.pid": 7,
          "host.name": "web-1",
          orderId: n,
          message,
        },
      };
    case 1: // ecs-logging
      return {
        text: JSON.stringify({
          "@timestamp": iso,
          "log.level": "warn",
          message,
          "ecs.version": "8.10.0",
          "service.name": "orders",
        }),
        expected: {
          "@timestamp": iso,
          "log.level": "warn",
          message,
          "ecs.version": "8.10.0",
          "service.name": "orders",
        },
      };
    case 2: // generic keys
      return {
        text: JSON.stringify({ timestamp: iso, level: "INFO", message, nested: { total: n / 4, paid: true } }),
        expected: { "@timestamp": iso, "log.level": "info", message },
      };
    default: // plain text takes the time of the line before it
      return { text: message, expected: { "@timestamp": new Date(ms - 1).toISOString(), message } };
  }
}

/** Every document of an index, by its `log.offset`. */
async function documentsByOffset(client: Client, index: string): Promise<Map<number, Record<string, unknown>[]>> {
  await client.indices.refresh({ index });
  const answer = await client.search<Record<string, unknown>>({ index, size: 10_000, query: { match_all: {} } });
  const found = new Map<number, Record<string, unknown>[]>();
  for (const { _source: document } of answer.hits.hits) {
    const offset = Number(document?.["log.offset"]);
    found.set(offset, [...(found.get(offset) ?? []), document ?? {}]);
  }
  return found;
}

test(`a file arrives whole in the server of a container: ${IMAGE}`, async () => {
  const file = path.join(directory, "orders.log");
  const lines = Array.from({ length: 4 * LINES_PER_KIND }, (_, n) => lineOf(n));
  writeFileSync(file, lines.map(({ text }) => `${text}\n`).join(""));

  const { host, username, password } = {
    host: `${container.getHost()}:${container.getPort()}`,
    username: container.getUsername(),
    password: container.getPassword(),
  };
  const stream = "logs-orders-containers";
  const to = `elasticsearch+http://${username}:${password}@${host}/${stream}`;
  const options = ["--once", "--state-dir", path.join(directory, "state"), "--admin", "off"];
  // The second run finds everything committed and must not send it again.
  for (let run = 1; run <= 2; run++) {
    const agent = startAgent(["run", file, "--to", to, ...options], { noAdmin: true });
    const { code } = await agent.exited;
    const log = JSON.stringify(agent.logs);
    expect(code, log).toBe(0);
    expect(log, "secrets stay out of the log").not.toContain(`:${password}@`);
  }

  const client = new Client({ node: container.getHttpUrl(), auth: { username, password } });
  try {
    const documents = await documentsByOffset(client, stream);
    let offset = 0;
    for (const { text, expected } of lines) {
      const found = documents.get(offset);
      expect(found, `line at byte ${offset}`).toHaveLength(1);
      expect(found?.[0]).toMatchObject({ ...expected, "log.offset": offset, "log.file.path": file });
      offset += Buffer.byteLength(text) + 1;
    }
    expect(documents.size).toBe(lines.length);
  } finally {
    await client.close();
  }
});
