import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Agent, killAgents, startAgent } from "../support/agent.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";

const RECLAIMED_IN_MS = 40_000;

let directory: string;
let logs: string;
let receiver: Receiver;

beforeEach(async () => {
  directory = mkdtempSync(path.join(os.tmpdir(), "pannier-reclaim-"));
  logs = path.join(directory, "logs");
  mkdirSync(logs);
  receiver = await startReceiver({ ids: true, sequences: true });
});

afterEach(async () => {
  await killAgents();
  await receiver.close();
  rmSync(directory, { recursive: true });
});

function run(): Agent {
  const config = path.join(directory, "pannier.yaml");
  const sinks = [{ type: "stdout" }, { type: "elasticsearch", urls: [receiver.url] }];
  writeFileSync(config, JSON.stringify({ inputs: [{ paths: [logs], reclaim: "rotated" }], sinks }));
  return startAgent(["run", "--config", config, "--state-dir", path.join(directory, "state")]);
}

let sequence = 0;
function write(name: string, lines: number): void {
  const text = Array.from({ length: lines }, () => `{"level":"info","seq":${sequence++}}\n`).join("");
  appendFileSync(path.join(logs, name), text);
}

function rotate(): void {
  for (let n = 9; n > 0; n--) {
    const from = path.join(logs, `app.log.${n}`);
    if (existsSync(from)) renameSync(from, path.join(logs, `app.log.${n + 1}`));
  }
  renameSync(path.join(logs, "app.log"), path.join(logs, "app.log.1"));
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + RECLAIMED_IN_MS;
  while (!condition() && performance.now() < deadline) await sleep(50);
}

const names = (): string[] => readdirSync(logs).toSorted();

test("rotated files go when both sinks have them, through an outage of one and a kill -9, and no line is lost", async () => {
  sequence = 0;
  write("app.log", 1_000);
  rotate();
  write("app.log", 1_000);
  rotate();
  write("app.log", 10);
  const up = receiver.goDown(18_000);
  const first = run();
  await first.waitForStatus(({ sinks }) =>
    sinks.some(({ name, delivered_lines }) => name === "stdout" && delivered_lines === 2_010),
  );
  // Longer than what a file that both have would need.
  await sleep(14_000);
  expect(names()).toEqual(["app.log", "app.log.1", "app.log.2"]);
  await first.kill9();
  await up;
  const second = run();
  await until(() => names().length === 1);
  expect(names()).toEqual(["app.log"]);
  write("app.log", 10);
  await until(() => receiver.sequences.compare(sequence).missing === 0);
  expect(receiver.sequences.compare(sequence)).toMatchObject({ missing: 0, doubled: 0 });
  const { reclaimed } = (await (await second.get("/status")).json()) as { reclaimed: { files: number; bytes: number } };
  expect(reclaimed.files).toBe(2);
  expect(second.logs.filter(({ code }) => code === "file_reclaimed")).toHaveLength(2);
});
