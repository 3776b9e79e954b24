/**
 * A directory of mixed logs arrives whole in a real Loki, each line once and in the order of its file, also after kills, with
 * lines that cannot be told apart by what they say, and with lines that Loki refuses as they are. PANNIER_LOKI_LINES sets the
 * number of lines, PANNIER_SEED repeats a run.
 */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { requireServer, sharedLoki, uniqueName } from "../servers/require.ts";
import { type Agent, isCommitted, killAgents, startAgent } from "../support/agent.ts";
import { entriesOf, type FoundEntry, waitForEntries } from "../support/loki-query.ts";
import { ALL_ONCE, compareMixed } from "../support/loki-mixed.ts";
import { MixedFiles } from "../support/mixed-files.ts";
import { seededRandom } from "../support/random.ts";

const LINES = Number(process.env["PANNIER_LOKI_LINES"] ?? 20_000);
const SEED = Number(process.env["PANNIER_SEED"] ?? Date.now() % 1_000_000);
const KILLS = 5;
const PATIENCE_MS = 60_000 + LINES;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const directories: string[] = [];
let url = "";

// In a hook, which has time enough for a server that is made for the first time.
beforeEach(async (context) => {
  ({ url } = await requireServer(context, sharedLoki));
});

afterEach(async () => {
  await killAgents();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

interface Job {
  readonly selector: string;
  readonly logs: string;
  readonly state: string;
  start(...flags: string[]): Agent;
}

/** An empty directory of logs, and how to ship it to streams that no other test has. */
function prepare(job = uniqueName("job-"), env: Record<string, string> = {}): Job {
  const directory = mkdtempSync(join(os.tmpdir(), "pannier-loki-job-"));
  directories.push(directory);
  const [logs, state] = [join(directory, "logs"), join(directory, "state")];
  mkdirSync(logs);
  const args = ["run", logs, "--to", `loki+${url}?label.job=${job}`, "--state-dir", state];
  return { selector: `{job="${job}"}`, logs, state, start: (...flags) => startAgent([...args, ...flags], { env }) };
}

async function ship(job: Job): Promise<Agent> {
  const agent = job.start("--once");
  expect(await agent.end(PATIENCE_MS), JSON.stringify(agent.logs.slice(-5))).toEqual({ code: 0, signal: null });
  return agent;
}

describe(`seed ${SEED}`, () => {
  test(
    `${LINES} mixed lines: each once, as it was written, in the order of its file`,
    async () => {
      const job = prepare();
      const files = new MixedFiles(job.logs, LINES, SEED, Date.now() - LINES * 10);
      files.write(Infinity);
      const agent = await ship(job);
      expect(agent.logs.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
      expect(await compareMixed(url, job.selector, files)).toEqual(ALL_ONCE);
    },
    2 * PATIENCE_MS,
  );

  test(
    `kill -9 at ${KILLS} random moments: each line once`,
    async (context) => {
      const job = prepare();
      const files = new MixedFiles(job.logs, LINES, SEED, Date.now() - LINES * 10);
      const random = seededRandom(SEED);
      let unfinished = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        const agent = job.start();
        await agent.waitForLog("started");
        const until = performance.now() + random.below(1_500);
        files.write(Math.ceil(LINES / 30));
        while (performance.now() < until) {
          files.write(Math.ceil(LINES / 300));
          await sleep(50);
        }
        if (!isCommitted(await agent.status())) unfinished++;
        await agent.kill9();
      }
      files.write(Infinity);
      const agent = job.start();
      await agent.waitForStatus(isCommitted, PATIENCE_MS);
      expect(await agent.stop()).toEqual({ code: 0, signal: null });
      expect(await compareMixed(url, job.selector, files)).toEqual(ALL_ONCE);
      expect(unfinished).toBeGreaterThan(0);
      await context.annotate(`${unfinished} of ${KILLS} kills found it at work`);
    },
    2 * PATIENCE_MS,
  );
});

describe("lines that say the same", () => {
  const line = (ms: number): string => `${JSON.stringify({ level: 30, time: ms, msg: "healthy" })}\n`;

  test("are kept, all of them: runs of equal lines, and the same ones of another agent with the same labels", async () => {
    const name = uniqueName("job-");
    const start = Date.now() - 60_000;
    const text = Array.from({ length: 3_000 }, (_, i) => line(start + Math.floor(i / 500))).join("");
    for (const pod of ["one", "two"]) {
      const job = prepare(name, { POD_UID: `pod-${pod}` });
      writeFileSync(join(job.logs, "app.log"), text);
      await ship(job);
    }
    const found = await waitForEntries(url, `{job="${name}"}`, 6_000);
    expect(found.length).toBe(6_000);
    expect(new Set(found.map(({ labels }) => JSON.stringify(labels))).size).toBe(1);
  });

  test("are kept when the agent is killed and sends them again", async () => {
    // Without a Pod, a machine that has no id of its own gets one with its state.
    const job = prepare(undefined, { POD_UID: "pod-one" });
    const start = Date.now() - 60_000;
    const path = join(job.logs, "app.log");
    // No more than goes to one stream, however fast: without its state, how it was spread is forgotten.
    writeFileSync(path, Array.from({ length: 4_000 }, (_, i) => line(start + Math.floor(i / 1_000))).join(""));
    const first = job.start();
    await first.waitForStatus(({ sinks }) => sinks[0].delivered_lines > 0);
    await first.kill9();
    // As if nothing of what it sent had been journaled.
    rmSync(job.state, { recursive: true });
    await ship(job);
    expect((await waitForEntries(url, job.selector, 4_000)).length).toBe(4_000);
  });
});

describe("lines without a time", () => {
  test("stand where their file was written to, also when they are sent again after a kill", async () => {
    const job = prepare(undefined, { POD_UID: "pod-one" });
    const path = join(job.logs, "plain.log");
    const agent = job.start();
    await agent.waitForLog("started");
    const writtenMs: number[] = [];
    for (let i = 0; i < 4; i++) {
      appendFileSync(path, `the same\nthe same\nline ${i}\n`);
      const { mtimeMs, size } = statSync(path);
      writtenMs.push(mtimeMs);
      await agent.waitForStatus((status) => isCommitted(status) && status.files[0]?.size === size);
      await sleep(1_500);
    }
    await agent.waitForStatus(isCommitted);
    await agent.kill9();
    await ship(job);
    const found = await waitForEntries(url, job.selector, 12);
    expect(found.map(({ line }) => line)).toEqual(
      Array.from({ length: 4 }, (_, i) => ["the same", "the same", `line ${i}`]).flat(),
    );
    for (let i = 3; i < 12; i += 3) {
      const apartMs = Number((found[i].time - found[i - 1].time) / 1_000_000n);
      const writtenApartMs = writtenMs[i / 3] - writtenMs[i / 3 - 1];
      expect(Math.abs(apartMs - writtenApartMs)).toBeLessThan(1_000);
    }
  });
});

describe("lines that Loki refuses", () => {
  test("are there all the same, with what was wrong in their metadata", async () => {
    const job = prepare();
    const now = Date.now();
    const at = (ms: number, msg: string): string => JSON.stringify({ level: 30, time: ms, msg });
    const huge = `huge ${"x".repeat(300_000)}`;
    const lines = [
      at(now, "fresh"),
      at(now - 20 * DAY_MS, "ancient"),
      at(now - 21 * DAY_MS, "more ancient"),
      at(now + 3 * HOUR_MS, "from the future"),
      at(now + 1, "fresh again"),
      huge,
      "no time at all",
      Buffer.concat([Buffer.from("not utf-8 \xff\xfe", "latin1")]),
      "nul \0 here",
      at(now - 3 * HOUR_MS, "three hours late"),
      at(now - 5 * HOUR_MS, "five hours late"),
      at(now + 2, "the last"),
    ];
    writeFileSync(
      join(job.logs, "app.log"),
      Buffer.concat(lines.flatMap((each) => [Buffer.from(each), Buffer.from("\n")])),
    );
    const agent = await ship(job);
    const found = await waitForEntries(url, job.selector, lines.length);
    expect(found.length, JSON.stringify(agent.logs.slice(-8))).toBe(lines.length);
    const metadataOf = (words: string): FoundEntry["metadata"] =>
      found.find((entry) => entry.line.includes(words))?.metadata ?? { nothing: words };
    for (const [words, ms] of [
      ["more ancient", now - 21 * DAY_MS],
      ["from the future", now + 3 * HOUR_MS],
    ] as const)
      expect(metadataOf(words)["original_time"]).toContain(new Date(ms).toISOString().slice(0, -1));
    expect(metadataOf("huge")["flags"]).toBe("truncated");
    expect(Number(metadataOf("huge")["original_bytes"])).toBe(huge.length);
    expect(found.find((entry) => entry.line.includes("not utf-8"))?.line).toBe("not utf-8 \uFFFD\uFFFD");
  });

  test("of a whole old file are delivered without a pause, each once, also after a kill", async () => {
    const job = prepare();
    const old = Date.now() - 30 * DAY_MS;
    const count = 30_000;
    const path = join(job.logs, "app.log");
    const texts = Array.from({ length: count }, (_, i) => JSON.stringify({ time: old + i, msg: `old ${i}` }));
    writeFileSync(path, `${texts.join("\n")}\n`);
    const first = job.start();
    await first.waitForStatus(({ sinks }) => sinks[0].delivered_lines > 0, PATIENCE_MS);
    await first.kill9();
    const startMs = performance.now();
    await ship(job);
    expect(performance.now() - startMs).toBeLessThan(20_000);
    const found = await waitForEntries(url, job.selector, count);
    const offsets = found.map(({ metadata }) => Number(metadata["offset"]));
    expect({ found: found.length, places: new Set(offsets).size }).toEqual({ found: count, places: count });
    expect(offsets.findIndex((offset, i) => i > 0 && offset < offsets[i - 1])).toBe(-1);
    expect(await entriesOf(url, `${job.selector} | original_time=""`)).toEqual([]);
  });
});
