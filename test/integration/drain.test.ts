/** How pannier ends: what can be delivered by the deadline is, and what could not is exactly what the next start delivers. */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { type Agent, type AgentOptions, isCommitted, killAgents, type LogLine, startAgent } from "../support/agent.ts";
import { freePort } from "../support/free-port.ts";
import { type Behaviour, type Gate, startGate } from "../support/gate.ts";
import { NumberedLines } from "../support/numbered-lines.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";

const LINES = 1_000;
/** What a busy machine may add to any time, also one that stands still for a second now and then. */
const SLACK_MS = 4_000;
let directory = "";
let state = "";
let lines: NumberedLines;
let receiver: Receiver;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "pannier-drain-"));
  state = join(directory, "state");
  lines = new NumberedLines(join(directory, "app.log"));
  receiver = await openReceiver();
});
afterEach(async () => {
  await killAgents();
  await receiver.close();
  rmSync(directory, { recursive: true, force: true });
});

function openReceiver(port = 0): Promise<Receiver> {
  return startReceiver({ port, ids: true, sequences: true });
}

async function gate(first: Behaviour): Promise<Gate> {
  const opened = await startGate(receiver.url, first);
  onTestFinished(opened.close);
  return opened;
}

function start(url: string, more: readonly string[] = [], options: AgentOptions = {}): Agent {
  return startAgent(["run", lines.path, "--to", `elasticsearch+${url}`, "--state-dir", state, ...more], options);
}

interface Drained {
  readonly code: number | null;
  readonly record: LogLine;
  /** From the signal until the record was there. */
  readonly tookMs: number;
}

/** Waits for the end of an agent that was sent a signal at `sinceMs`. */
async function drained(agent: Agent, sinceMs: number): Promise<Drained> {
  await agent.waitForLog("drain");
  const tookMs = performance.now() - sinceMs;
  const { code } = await agent.exited;
  const record = agent.logs.at(-1)!;
  expect(record.code, "the record is the last line").toBe("drain");
  return { code, record, tookMs };
}

function terminate(agent: Agent): Promise<Drained> {
  agent.kill("SIGTERM");
  return drained(agent, performance.now());
}

/** The next start delivers `remainder` lines and nothing else; then every line is there, once. */
async function expectRestToFollow(rest: number, to: { url: string } = receiver): Promise<void> {
  const before = receiver.stats();
  const agent = start(to.url, ["--once"]);
  expect(await agent.exited).toEqual({ code: 0, signal: null });
  expect(receiver.sequences.compare(lines.count)).toMatchObject({ missing: 0, doubled: 0 });
  expect(receiver.stats().documents - before.documents).toBe(rest);
  expect(receiver.stats().conflicts - before.conflicts, "nothing was sent twice").toBe(0);
}

describe("SIGTERM", () => {
  test("while everything can be delivered: 0, complete, and the unterminated tail is delivered too", async () => {
    const agent = start(receiver.url);
    await agent.waitForLog("started");
    lines.write(20_000);
    const tail = "the application was killed her";
    appendFileSync(lines.path, tail);
    const { code, record } = await terminate(agent);
    const size = lines.bytes + tail.length;
    expect(code).toBe(0);
    expect(record).toEqual({
      code: "drain",
      outcome: "complete",
      duration_ms: expect.any(Number),
      remainder_bytes: 0,
      files: [{ path: lines.path, size, committed: size, remainder: 0, sinks: { elasticsearch: 0 } }],
    });
    expect(receiver.stats().documents).toBe(lines.count + 1);
    expect(receiver.sequences.without, "documents without a number: the tail").toBe(1);
    await expectRestToFollow(0);
  });

  test("while the sink is dead: 75 at the deadline, and the remainder is what the next start delivers", async () => {
    lines.write(LINES);
    const agent = start(receiver.url, ["--drain-deadline", "2s"]);
    await agent.waitForStatus(isCommitted);
    const committed = lines.bytes;
    await receiver.close();
    lines.write(LINES / 2);
    await agent.waitForStatus(({ sinks }) => sinks[0].state === "retrying");
    const { code, record, tookMs } = await terminate(agent);
    expect(code).toBe(75);
    const remainder = lines.bytes - committed;
    expect(record).toEqual({
      code: "drain",
      outcome: "deadline",
      duration_ms: expect.any(Number),
      remainder_bytes: remainder,
      files: [{ path: lines.path, size: lines.bytes, committed, remainder, sinks: { elasticsearch: remainder } }],
    });
    expect(record["duration_ms"]).toBeGreaterThan(1_000);
    expect(record["duration_ms"]).toBeLessThanOrEqual(2_000 + SLACK_MS);
    expect(tookMs).toBeLessThan(2_000 + SLACK_MS);

    receiver = await openReceiver(receiver.port);
    for (let seq = 0; seq < LINES; seq++) receiver.sequences.add(seq);
    await expectRestToFollow(LINES / 2);
  });

  test("while lines arrive whose answers are lost: the next start sends them again, and they count once", async () => {
    const lossy = await gate("pass");
    lines.write(LINES);
    const agent = start(lossy.url, ["--drain-deadline", "2s"]);
    await agent.waitForStatus(isCommitted);
    lossy.behave("swallow");
    const committed = lines.bytes;
    lines.write(LINES);
    await agent.waitForStatus(({ sinks }) => sinks[0].state === "retrying");
    const { code, record } = await terminate(agent);
    expect(code).toBe(75);
    expect(record).toMatchObject({ outcome: "deadline", remainder_bytes: lines.bytes - committed });
    expect(receiver.stats().documents).toBe(2 * LINES);

    lossy.behave("pass");
    const next = start(lossy.url);
    const status = await next.waitForStatus(isCommitted);
    expect(status.sinks[0]).toMatchObject({ delivered_lines: LINES, unexpected_conflicts: 0 });
    expect((await terminate(next)).code).toBe(0);
    expect(receiver.sequences.compare(lines.count)).toMatchObject({ missing: 0, doubled: 0 });
  });

  test("the sink comes back before the deadline: 0, complete", async () => {
    lines.write(LINES);
    await receiver.close();
    const agent = start(receiver.url);
    await agent.waitForStatus(({ sinks }) => sinks[0].state === "retrying");
    const ending = terminate(agent);
    receiver = await openReceiver(receiver.port);
    const { code, record } = await ending;
    expect(code).toBe(0);
    expect(record).toMatchObject({ outcome: "complete", remainder_bytes: 0 });
    await expectRestToFollow(0);
  });

  test("a second one ends the drain at once: 75, second_signal", async () => {
    const mute = await gate("mute");
    lines.write(LINES);
    const agent = start(mute.url, ["--drain-deadline", "60s"]);
    await agent.waitForStatus(() => mute.requests() > 0);
    const first = performance.now();
    agent.kill("SIGTERM");
    await agent.waitForStatus((status) => status.state === "draining");
    await sleep(1_000);
    expect(agent.logs.at(-1)!.code, "the drain goes on").not.toBe("drain");
    const second = performance.now();
    agent.kill("SIGTERM");
    const { code, record, tookMs } = await drained(agent, second);
    expect(code).toBe(75);
    expect(record).toMatchObject({ outcome: "second_signal", remainder_bytes: lines.bytes });
    expect(tookMs).toBeLessThan(SLACK_MS);
    expect(record["duration_ms"]).toBeLessThan(performance.now() - first);
    await expectRestToFollow(LINES);
  });

  test("--once with a dead sink: tries until it is told to stop", async () => {
    lines.write(LINES);
    await receiver.close();
    const agent = start(receiver.url, ["--once", "--drain-deadline", "1500ms"]);
    await agent.waitForStatus(({ sinks }) => sinks[0].retries > 2);
    const { code, record } = await terminate(agent);
    expect(code).toBe(75);
    expect(record).toMatchObject({ outcome: "deadline", remainder_bytes: lines.bytes });
    receiver = await openReceiver(receiver.port);
    await expectRestToFollow(LINES);
  });
});

describe("SIGTERM during the start", () => {
  const FILES = 500;

  /** Many files, so that the first sweep takes its time. */
  function writeFiles(): string {
    const logs = join(directory, "logs");
    mkdirSync(logs);
    for (let seq = 0; seq < FILES; seq++)
      writeFileSync(join(logs, `${seq}.log`), `{"seq":${seq},"msg":"file ${seq}"}\n`);
    lines.count = FILES;
    return logs;
  }

  function startOn(logs: string, ...more: string[]): Agent {
    const given = ["--drain-deadline", "8s", "--state-dir", state, ...more];
    return startAgent(["run", logs, "--to", `elasticsearch+${receiver.url}`, ...given]);
  }

  test("in the first sweep: what is found is delivered, and nothing a second time afterwards", async () => {
    const logs = writeFiles();
    const agent = startOn(logs);
    await agent.waitForLog("admin_listening");
    const { code, record } = await terminate(agent);
    expect(code).toBe(0);
    expect(record).toMatchObject({ outcome: "complete", remainder_bytes: 0 });
    expect(record["files"]).toHaveLength(FILES);
    expect(await startOn(logs, "--once").exited).toMatchObject({ code: 0 });
    expect(receiver.sequences.compare(FILES)).toMatchObject({ missing: 0, doubled: 0 });
    expect(receiver.stats()).toMatchObject({ documents: FILES, conflicts: 0 });
  });

  test("in a first sweep that takes longer than the deadline: it is cut short, and the next start goes on", async () => {
    const logs = join(directory, "logs");
    const many = 20_000;
    for (let folder = 0; folder < many / 1_000; folder++) mkdirSync(join(logs, `${folder}`), { recursive: true });
    for (let seq = 0; seq < many; seq++)
      writeFileSync(join(logs, `${seq % (many / 1_000)}`, `${seq}.log`), `{"seq":${seq}}\n`);
    const config = join(directory, "pannier.yaml");
    writeFileSync(config, "max_open_files: 100000\n");
    const agent = startOn(logs, "--config", config, "--drain-deadline", "1500ms");
    await agent.waitForLog("admin_listening");
    const { code, record, tookMs } = await terminate(agent);
    expect(code).toBe(75);
    expect(record).toMatchObject({ outcome: "deadline" });
    expect(record["duration_ms"]).toBeLessThanOrEqual(1_500 + SLACK_MS);
    expect(tookMs).toBeLessThan(1_500 + SLACK_MS);
    expect((record["files"] as unknown[]).length, "it had not seen everything").toBeLessThan(many);
    const delivered = receiver.stats().documents;

    const next = startOn(logs, "--config", config);
    await next.waitForLog("admin_listening");
    next.kill("SIGTERM");
    // Two signals at once are one.
    await next.waitForStatus(({ state: phase }) => phase === "draining");
    const second = await drainedBySecond(next);
    expect(second).toMatchObject({ outcome: "second_signal" });
    expect(receiver.stats().documents).toBeGreaterThanOrEqual(delivered);
    expect(receiver.sequences.compare(many)).toMatchObject({ doubled: 0 });
  });

  async function drainedBySecond(agent: Agent): Promise<LogLine> {
    const sinceMs = performance.now();
    agent.kill("SIGTERM");
    const { record, tookMs } = await drained(agent, sinceMs);
    expect(tookMs).toBeLessThan(SLACK_MS);
    return record;
  }

  test("at any moment: ended by the signal, or drained; the next start delivers what is left", async () => {
    const logs = writeFiles();
    for (const afterMs of [0, 60, 120, 180, 240, 300]) {
      const agent = startOn(logs);
      await sleep(afterMs);
      agent.kill("SIGTERM");
      const { code, signal } = await agent.exited;
      if (code === null) expect(signal).toBe("SIGTERM");
      else {
        expect([0, 75]).toContain(code);
        expect(agent.logs.at(-1)).toMatchObject({ code: "drain" });
      }
    }
    expect(await startOn(logs, "--once").exited).toMatchObject({ code: 0 });
    expect(receiver.sequences.compare(FILES)).toMatchObject({ missing: 0, doubled: 0 });
    expect(receiver.stats().documents).toBe(FILES);
  });
});

describe("/-/drain-soon", () => {
  test("its grace shortens the deadline of the drain", async () => {
    lines.write(LINES);
    await receiver.close();
    const agent = start(receiver.url, ["--drain-deadline", "20s"]);
    await agent.waitForStatus(({ sinks }) => sinks[0].state === "retrying");
    const announced = performance.now();
    const answer = await agent.get("/-/drain-soon?grace=6s");
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ status: "draining_soon", grace: "6s" });
    await agent.get("/-/drain-soon?grace=30s");
    await sleep(800);
    const { code, record } = await terminate(agent);
    expect(code).toBe(75);
    expect(record).toMatchObject({ outcome: "deadline", remainder_bytes: lines.bytes });
    // Not the 20 s of the setting, but what is left of the grace, less half a second.
    expect(record["duration_ms"]).toBeLessThanOrEqual(4_700 + SLACK_MS);
    expect(record["duration_ms"]).toBeGreaterThan(1_500);
    expect(performance.now() - announced).toBeLessThan(6_000 + SLACK_MS);
    receiver = await openReceiver(receiver.port);
    await expectRestToFollow(LINES);
  });

  test("a drain has a second and a half, however little grace is left", async () => {
    lines.write(LINES);
    const mute = await gate("mute");
    const agent = start(mute.url);
    await agent.waitForStatus(() => mute.requests() > 0);
    await agent.get("/-/drain-soon?grace=1s");
    const { code, record } = await terminate(agent);
    expect(code).toBe(75);
    expect(record["duration_ms"]).toBeGreaterThan(1_000);
    expect(record["duration_ms"]).toBeLessThanOrEqual(1_500 + SLACK_MS);
  });

  test("from then on batches do not wait for more", async () => {
    const sink = `{ type: elasticsearch, urls: ["${receiver.url}"], batch: { max_age: 60s } }`;
    const inputs = `[{ paths: ["${lines.path}"] }]`;
    const config = join(directory, "pannier.yaml");
    writeFileSync(config, `version: 1\nstate_dir: ${state}\ninputs: ${inputs}\nsinks: [${sink}]\n`);
    const agent = startAgent(["run", "--config", config]);
    await agent.waitForLog("started");
    lines.write(LINES);
    await agent.waitForStatus(({ files }) => files.length > 0 && files[0].ledger.unread === 0);
    await sleep(500);
    expect(receiver.stats().documents, "the age of a batch is 60 s").toBe(0);
    await agent.get("/-/drain-soon?grace=60s");
    lines.write(LINES);
    await agent.waitForStatus((status) => isCommitted(status) && status.files[0].size === lines.bytes);
    expect(receiver.sequences.compare(lines.count)).toMatchObject({ missing: 0, doubled: 0 });
  });
});

describe("two sinks, one of them dead (invariant 7)", () => {
  let other: Receiver;
  beforeEach(async () => {
    other = await openReceiver();
    return () => other.close();
  });

  function startBoth(deadPort: number, ...more: string[]): Agent {
    const both = [`http://127.0.0.1:${deadPort}`, receiver.url].flatMap((url) => ["--to", `elasticsearch+${url}`]);
    return startAgent(["run", lines.path, ...both, "--state-dir", state, ...more]);
  }

  test("the other has everything, and the dead one catches up when it comes back", async () => {
    lines.write(LINES);
    const port = await freePort();
    const agent = startBoth(port);
    await agent.waitForStatus(({ sinks }) => sinks[1].delivered_lines === LINES);
    lines.write(LINES);
    const status = await agent.waitForStatus(({ sinks }) => sinks[1].delivered_lines === 2 * LINES);
    expect(status.sinks).toMatchObject([
      { name: "elasticsearch", delivered_lines: 0, state: expect.stringMatching(/^(retrying|down)$/) as string },
      { name: "elasticsearch-2", delivered_lines: 2 * LINES, state: "ok", last_error: null, retries: 0 },
    ]);
    expect(receiver.sequences.compare(lines.count)).toMatchObject({ missing: 0, doubled: 0 });
    await other.close();
    other = await openReceiver(port);
    await agent.waitForStatus(isCommitted);
    expect((await terminate(agent)).code).toBe(0);
    for (const each of [receiver, other]) {
      expect(each.sequences.compare(lines.count)).toMatchObject({ missing: 0, doubled: 0 });
      expect(each.stats()).toMatchObject({ documents: 2 * LINES, conflicts: 0 });
    }
  });

  test("the record says what each is missing, and the next start delivers exactly that", async () => {
    lines.write(LINES);
    const port = await freePort();
    const agent = startBoth(port, "--drain-deadline", "1500ms");
    await agent.waitForStatus(({ sinks }) => sinks[1].delivered_lines === LINES);
    const { code, record } = await terminate(agent);
    expect(code).toBe(75);
    const size = lines.bytes;
    expect(record).toMatchObject({
      outcome: "deadline",
      remainder_bytes: size,
      files: [{ size, committed: 0, remainder: size, sinks: { elasticsearch: size, "elasticsearch-2": 0 } }],
    });
    await other.close();
    other = await openReceiver(port);
    expect(await startBoth(port, "--once").exited).toMatchObject({ code: 0 });
    for (const each of [receiver, other]) {
      expect(each.sequences.compare(lines.count)).toMatchObject({ missing: 0, doubled: 0 });
      expect(each.stats()).toMatchObject({ documents: LINES, conflicts: 0 });
    }
  });
});
