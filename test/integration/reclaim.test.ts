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
import { type Agent, type AgentOptions, killAgents, SHIPPED_FLAGS, startAgent } from "../support/agent.ts";
import { STEPS } from "../support/crash-world.ts";
import { withLimits } from "../support/limits.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";

const RECLAIMED_IN_MS = 80_000;
/** Seconds for what else takes minutes. */
const QUICK = [
  ...SHIPPED_FLAGS,
  ...withLimits({ RECLAIM_QUIET_MS: 500, TAIL_QUIET_ROTATED_MS: 500, SWEEP_COLD_MS: 500 }),
];

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

function run(options: AgentOptions = {}): Agent {
  const config = path.join(directory, "pannier.yaml");
  const sinks = [{ type: "stdout" }, { type: "elasticsearch", urls: [receiver.url] }];
  writeFileSync(config, JSON.stringify({ inputs: [{ paths: [logs], reclaim: "rotated" }], sinks }));
  return startAgent(["run", "--config", config, "--state-dir", path.join(directory, "state")], options);
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

test.each(["rename-reclaimed.after", "unlink-reclaimed.before", "unlink-reclaimed.after"])(
  "kill -9 at %s: the next start ends the deletion, under whatever name the file has, and ships nothing again",
  async (step) => {
    sequence = 0;
    write("app.log", 1_000);
    rotate();
    write("app.log", 10);
    const dying = run({ flags: [...QUICK, "--import", STEPS], env: { PANNIER_CRASH_AT: step } });
    expect(await dying.end()).toEqual({ code: null, signal: "SIGKILL" });
    const left = names().filter((name) => name !== "app.log");
    expect(left).toEqual(step === "unlink-reclaimed.after" ? [] : [expect.stringMatching(/^app\.log\.\d{10,}$/)]);
    const next = run({ flags: QUICK });
    write("app.log", 10);
    await until(() => names().length === 1 && receiver.sequences.compare(sequence).missing === 0);
    expect(names()).toEqual(["app.log"]);
    expect(receiver.sequences.compare(sequence)).toMatchObject({ missing: 0, doubled: 0 });
    expect(receiver.stats().conflicts).toBe(0);
    expect(await next.stop()).toEqual({ code: 0, signal: null });
    expect(next.logs.filter(({ code }) => /lost|damaged|failed/.test(code))).toEqual([]);
  },
);

test("rotated files go when both sinks have them, through an outage of one and a kill -9, and no line is lost", async () => {
  sequence = 0;
  write("app.log", 1_000);
  rotate();
  write("app.log", 1_000);
  rotate();
  write("app.log", 10);
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const up = receiver.goDownUntil(over);
  const first = run();
  await first.waitForStatus(({ sinks }) =>
    sinks.some(({ name, delivered_lines }) => name === "stdout" && delivered_lines === 2_010),
  );
  // Longer than what a file that both have would need.
  await sleep(14_000);
  expect(names()).toEqual(["app.log", "app.log.1", "app.log.2"]);
  await first.kill9();
  end();
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
