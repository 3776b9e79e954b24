import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { killAgents, startAgent } from "../support/agent.ts";

const LINES = 60_000;
/** What an Elasticsearch sink may hold of a file: `in_flight + 1` batch buffers, of 2 MiB at most. */
const HELD_MAX_BYTES = 3 * 2 * 1024 * 1024;
const OBSERVED_MS = 3_000;

interface Ledgers {
  readonly files: readonly {
    readonly size: number;
    readonly ledgers: Readonly<Record<string, { unread: number; in_flight: number; delivered: number }>>;
  }[];
}

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), "pannier-isolation-"));
  file = path.join(directory, "app.log");
  const fd = openSync(file, "w");
  for (let n = 0; n < LINES; n++) {
    const time = new Date(Date.UTC(2026, 0, 2) + n).toISOString();
    const fields = { "@timestamp": time, "log.level": "info", message: `line ${n}`, padding: "x".repeat(120) };
    writeSync(fd, `${JSON.stringify(fields)}\n`);
  }
  closeSync(fd);
});

afterEach(async () => {
  await killAgents();
  rmSync(directory, { recursive: true });
});

/** A server that takes requests and never answers: the worst kind of outage, since nothing fails. */
async function startMute(): Promise<{ url: string; bytes: () => number }> {
  let bytes = 0;
  const server = http.createServer((request) => {
    request.on("data", (chunk: Buffer) => (bytes += chunk.length));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bytes: () => bytes };
}

test("a sink that never answers holds up no other (invariant 7), and no more is read for it than its buffers hold (invariant 2)", async () => {
  const mute = await startMute();
  const to = ["--to", "stdout:", "--to", `elasticsearch+${mute.url}/logs-isolation-default`];
  const agent = startAgent(["run", file, ...to, "--state-dir", path.join(directory, "state")]);
  const ledgers = async (): Promise<Ledgers> => (await (await agent.get("/status")).json()) as Ledgers;

  await agent.waitForStatus(({ sinks }) => sinks.some((sink) => sink.delivered_lines === LINES), 60_000);
  await sleep(OBSERVED_MS);
  const [{ size, ledgers: bySink }] = (await ledgers()).files;
  expect(bySink["stdout"]).toMatchObject({ unread: 0, in_flight: 0, delivered: size });
  expect(new Set(agent.stdout().match(/line \d+/g)).size).toBe(LINES);

  const stuck = bySink["elasticsearch"];
  expect(mute.bytes(), "it was asked").toBeGreaterThan(0);
  expect(stuck.delivered).toBe(0);
  expect(stuck.in_flight).toBeLessThanOrEqual(HELD_MAX_BYTES);
  expect(stuck.unread).toBe(size - stuck.in_flight);
  expect(stuck.unread, "the rest waits in the file").toBeGreaterThan(0);
});
