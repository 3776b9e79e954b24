/**
 * The main job: a directory of mixed logs arrives whole in a real Elasticsearch, each line in exactly one document, also after
 * kills and after a power cut. PANNIER_LINES sets the number of lines, PANNIER_SEED repeats a run.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test, type TestContext } from "vitest";
import { ELASTICSEARCH_VERSIONS, requireServer, sharedElasticsearch, uniqueName } from "../servers/require.ts";
import { isCommitted, killAgents, startAgent, type Agent } from "../support/agent.ts";
import { account, placesOf, refresh, type Account } from "../support/delivered.ts";
import { JournalCut } from "../support/journal-cut.ts";
import { MixedFiles } from "../support/mixed-lines.ts";
import { compareWithOracle } from "../support/oracle-check.ts";
import { seededRandom } from "../support/random.ts";

const LINES = Number(process.env["PANNIER_LINES"] ?? 50_000);
const OLDER_SERVER_LINES = Math.min(LINES, 10_000);
const SEED = Number(process.env["PANNIER_SEED"] ?? Date.now() % 1_000_000);
const COMPARED = 1_000;
const KILLS = 5;
const LONGEST_LIFE_MS = 2_000;
const POWER_CUT_MS = 1_000;
/** Slow servers index some 3,000 lines a second. */
const PATIENCE_MS = 60_000 + LINES;

interface Job {
  readonly url: string;
  readonly stream: string;
  readonly logs: string;
  readonly state: string;
  readonly files: MixedFiles;
  readonly startedMs: number;
  start(...flags: string[]): Agent;
}

const directories: string[] = [];

afterEach(async () => {
  await killAgents();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

async function prepare(context: TestContext, lines: number, version?: string): Promise<Job> {
  const { url } = await requireServer(context, () => sharedElasticsearch(version));
  const directory = mkdtempSync(join(os.tmpdir(), "pannier-main-job-"));
  directories.push(directory);
  const [logs, state] = [join(directory, "logs"), join(directory, "state")];
  mkdirSync(logs);
  const stream = uniqueName("logs-mainjob.", "-default");
  const startedMs = Date.now();
  const args = ["run", logs, "--to", `elasticsearch+${url}/${stream}`, "--state-dir", state];
  return {
    url,
    stream,
    logs,
    state,
    startedMs,
    files: new MixedFiles(logs, lines, SEED, startedMs - lines * 20),
    start: (...flags) => startAgent([...args, ...flags]),
  };
}

/** Follows until every byte is committed, then stops it; returns the number of unexpected conflicts. */
async function finish(agent: Agent): Promise<number> {
  const status = await agent.waitForStatus(isCommitted, PATIENCE_MS);
  expect(await agent.stop()).toEqual({ code: 0, signal: null });
  return status.sinks[0].unexpected_conflicts;
}

async function expectEachOnce(job: Job): Promise<Account> {
  await refresh(job.url, job.stream);
  const found = await account(job.url, job.stream, job.files);
  const { sequences: _, ...numbers } = found;
  expect(numbers).toEqual({
    documents: job.files.written,
    missing: 0,
    doubled: 0,
    foreign: 0,
    firstMissing: [],
    firstDoubled: [],
  });
  expect(await placesOf(job.url, job.stream)).toEqual({ places: job.files.written, crowded: 0 });
  return found;
}

async function shipOnce(job: Job): Promise<void> {
  job.files.write(Infinity);
  const agent = job.start("--once");
  expect(await agent.exited, JSON.stringify(agent.logs.slice(-5))).toEqual({ code: 0, signal: null });
  expect(agent.logs.filter((line) => line.level === "error")).toEqual([]);
  await expectEachOnce(job);
  const random = seededRandom(SEED);
  const { compared, differences } = await compareWithOracle(
    job.url,
    job.stream,
    job.files,
    job.startedMs,
    COMPARED,
    random,
  );
  expect(differences.slice(0, 3)).toEqual([]);
  expect({ compared, different: differences.length }).toEqual({ compared: COMPARED, different: 0 });
}

test(
  `${LINES} mixed lines: each in exactly one document, and as the oracle says (seed ${SEED})`,
  async (context) => {
    await shipOnce(await prepare(context, LINES));
  },
  PATIENCE_MS * 2,
);

test.runIf(ELASTICSEARCH_VERSIONS.length > 1)(
  `${OLDER_SERVER_LINES} mixed lines into the older server (seed ${SEED})`,
  async (context) => {
    await shipOnce(await prepare(context, OLDER_SERVER_LINES, ELASTICSEARCH_VERSIONS[1]));
  },
  PATIENCE_MS * 2,
);

test(
  `kill -9 at ${KILLS} random moments: each line in exactly one document (seed ${SEED})`,
  async (context) => {
    const job = await prepare(context, LINES);
    const random = seededRandom(SEED);
    const conflicts: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      job.files.write(Math.ceil(LINES / (KILLS + 1)));
      const agent = job.start();
      await agent.waitForLog("started");
      await sleep(random.below(LONGEST_LIFE_MS));
      conflicts.push((await agent.status()).sinks[0].unexpected_conflicts);
      await agent.kill9();
      expect(agent.logs.filter((line) => line.code.includes("conflict"))).toEqual([]);
    }
    job.files.write(Infinity);
    conflicts.push(await finish(job.start()));
    await expectEachOnce(job);
    expect(conflicts).toEqual(Array.from({ length: KILLS + 1 }, () => 0));
  },
  PATIENCE_MS * 2,
);

test(
  `the last second of the journal is lost: no line is missing, none with a time is doubled (seed ${SEED})`,
  async (context) => {
    const job = await prepare(context, LINES);
    const random = seededRandom(SEED);
    const portion = Math.ceil(LINES / 100);
    job.files.write(portion * 10);
    const journal = new JournalCut(job.state);
    const agent = job.start();
    await agent.waitForLog("started");
    const lifeMs = 2 * POWER_CUT_MS + random.below(LONGEST_LIFE_MS);
    const killAt = performance.now() + lifeMs;
    while (performance.now() < killAt) {
      job.files.write(portion);
      await sleep(50);
    }
    await agent.kill9();
    expect(journal.cut(POWER_CUT_MS)).toBeGreaterThan(0);

    job.files.write(Infinity);
    const unexpected = await finish(job.start());
    await refresh(job.url, job.stream);
    const { missing, foreign, sequences, doubled } = await account(job.url, job.stream, job.files);
    expect({ missing, foreign }).toEqual({ missing: 0, foreign: 0 });
    const timedTwice = Array.from(job.files.timed.keys()).filter(
      (seq) => job.files.timed[seq] === 1 && sequences.times(seq) > 1,
    );
    expect(timedTwice).toEqual([]);
    context.annotate(`${doubled} lines without a time arrived twice; ${unexpected} conflicts were looked up`);
  },
  PATIENCE_MS * 2,
);
