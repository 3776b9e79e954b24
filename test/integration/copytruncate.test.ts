/** copytruncate, live and around every kind of end: the real process, real files, a receiver that counts every line. */
import { appendFileSync, copyFileSync, mkdtempSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Agent, isCommitted, killAgents, startAgent } from "../support/agent.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { RotatingLog } from "../support/rotating-log.ts";

let directory: string;
let log: RotatingLog;
let receiver: Receiver;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "pannier-copytruncate-"));
  log = new RotatingLog(join(directory, "app.log"));
  receiver = await startReceiver({ ids: true, sequences: true });
});

afterEach(async () => {
  await killAgents();
  await receiver.close();
  rmSync(directory, { recursive: true });
});

function start(...more: string[]): Agent {
  const to = `elasticsearch+${receiver.url}/logs-copies-default`;
  return startAgent(["run", join(directory, "*.log"), "--to", to, "--state-dir", join(directory, "state"), ...more]);
}

const NOTHING_WRONG = { missing: 0, doubled: 0, firstMissing: [], firstDoubled: [] };

/** Ships the rest, and holds what arrived to what was written. */
async function expectEveryLineOnce(): Promise<Agent> {
  const agent = start("--once");
  expect(await agent.end()).toEqual({ code: 0, signal: null });
  expect(receiver.sequences.compare(log.count)).toEqual(NOTHING_WRONG);
  expect(receiver.sequences.without).toBe(0);
  return agent;
}

async function shipped(agent: Agent): Promise<void> {
  await agent.waitForStatus(isCommitted);
}

test("while pannier runs: whatever is unread at the truncation comes from the copy, and nothing twice", async () => {
  const agent = start();
  for (let round = 0; round < 25; round++) {
    log.write(1 + ((round * 37) % 200));
    // Now and then pannier has read everything, and mostly not.
    if (round % 5 === 0) await sleep(300);
    log.copy();
    if (round % 3 === 0) await sleep(round * 10);
    log.truncate();
    if (round % 2 === 0) log.write(1 + ((round * 53) % 300));
  }
  await agent.waitForLog("started");
  await sleep(1_000);
  await shipped(agent);
  expect((await agent.stop()).code).toBe(0);
  await expectEveryLineOnce();
});

/** Places in a copytruncate at which pannier is killed; it is started again at the end. */
const STEPS = ["before the copy", "after the copy", "after the truncation", "after the next line"] as const;

test.each(STEPS)("kill -9 %s, and the rest happens while pannier is down", async (when) => {
  log.write(300);
  let agent = start();
  await agent.waitForLog("started");
  await shipped(agent);
  log.write(200);
  const killAt = async (step: (typeof STEPS)[number]): Promise<void> => {
    if (step !== when) return;
    await agent.kill9();
  };
  await killAt("before the copy");
  log.copy();
  await sleep(300);
  await killAt("after the copy");
  log.truncate();
  await sleep(300);
  await killAt("after the truncation");
  log.write(400);
  await killAt("after the next line");
  log.copy();
  log.truncate();
  log.write(10);
  agent = start();
  await agent.waitForLog("started");
  log.write(10);
  await shipped(agent);
  await agent.kill9();
  await expectEveryLineOnce();
});

test("kill -9 again and again around a copytruncate a second", async () => {
  for (let round = 0; round < 6; round++) {
    const agent = start();
    for (let i = 0; i < 4; i++) {
      log.write(500);
      await sleep(20 * round);
      log.copy();
      if (i % 2 === 1) await sleep(30);
      log.truncate();
      log.write(50);
    }
    await sleep(100 + 60 * round);
    await agent.kill9();
  }
  await expectEveryLineOnce();
});

test("two sinks that stand at different places both go on in the copy", async () => {
  const slow = await startReceiver({ ids: true, sequences: true });
  log.write(200);
  const to = [receiver, slow].flatMap(({ url }) => ["--to", `elasticsearch+${url}/logs-copies-default`]);
  const args = ["run", log.path, "--state-dir", join(directory, "state"), ...to];
  let agent = startAgent(args);
  await agent.waitForStatus(isCommitted);
  const up = slow.goDown(2_500);
  log.write(300);
  await sleep(700);
  log.copy();
  log.truncate();
  log.write(100);
  await sleep(500);
  await agent.kill9();
  log.copy();
  log.truncate();
  log.write(50);
  await up;
  agent = startAgent([...args, "--once"]);
  expect((await agent.end()).code).toBe(0);
  expect(receiver.sequences.compare(log.count)).toEqual(NOTHING_WRONG);
  expect(slow.sequences.compare(log.count)).toEqual(NOTHING_WRONG);
  await slow.close();
});

test("a copy that is compressed at once takes its unread bytes along: they are lost, counted, and said once", async () => {
  const agent = start();
  log.write(100);
  await shipped(agent);
  // A line without its end is seen and not read.
  appendFileSync(log.path, '{"msg":"half');
  await agent.waitForStatus(({ files }) => files[0]?.ledger.unread === 12);
  copyFileSync(log.path, `${log.path}.1.gz`);
  truncateSync(log.path);
  log.write(10);
  const { lost_bytes: lost } = await agent.waitForLog("bytes_lost");
  expect(lost).toBe(12);
  await agent.waitForStatus(({ files }) => files.some(({ ledger }) => ledger.lost === 12));
  await agent.stop();
  await expectEveryLineOnce();
});

test("the same while pannier is down: the size that was seen last tells", async () => {
  const agent = start("--drain-deadline", "1500ms");
  log.write(100);
  await shipped(agent);
  const { bytes } = log;
  await receiver.close();
  log.write(100);
  await agent.waitForStatus(({ files }) => files[0]?.size === log.bytes);
  await agent.stop();
  const lost = log.bytes - bytes;
  copyFileSync(log.path, `${log.path}.1.gz`);
  truncateSync(log.path);
  receiver = await startReceiver({ port: receiver.port, ids: true, sequences: true });
  log.write(10);
  const next = start();
  // Nobody was there to send them to.
  expect((await next.waitForLog("bytes_lost"))["lost_bytes"]).toBe(lost);
  await next.waitForStatus(({ files }) => files.some(({ ledger }) => ledger.lost === lost));
  await next.stop();
  expect(next.logs.filter(({ code }) => code.startsWith("bytes_"))).toHaveLength(1);
});
