/**
 * The main job: a directory of mixed logs arrives whole in a real Elasticsearch, each line in exactly one document, also after
 * kills and after a power cut. PANNIER_LINES sets the number of lines, PANNIER_SEED repeats a run.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ELASTICSEARCH_VERSIONS, requireServer, sharedElasticsearch, uniqueName } from "../servers/require.ts";
import { isCommitted, killAgents, startAgent, type Agent } from "../support/agent.ts";
import { account, documentsAt, placesOf, refresh, type Account } from "../support/delivered.ts";
import { JournalCut } from "../support/journal-cut.ts";
import { MixedFiles } from "../support/mixed-files.ts";
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
const TEST_MS = 2 * PATIENCE_MS;
const FEED_INTERVAL_MS = 50;

interface Job {
  readonly stream: string;
  readonly logs: string;
  readonly state: string;
  readonly files: MixedFiles;
  readonly startedMs: number;
  start(...flags: string[]): Agent;
}

const directories: string[] = [];
let url = "";

afterEach(async () => {
  await killAgents();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

/** In a hook, which has time enough for a server that is made for the first time. */
function useServer(version: string): void {
  beforeEach(async (context) => {
    ({ url } = await requireServer(context, () => sharedElasticsearch(version)));
  });
}

function prepare(lines: number): Job {
  const directory = mkdtempSync(join(os.tmpdir(), "pannier-main-job-"));
  directories.push(directory);
  const [logs, state] = [join(directory, "logs"), join(directory, "state")];
  mkdirSync(logs);
  const stream = uniqueName("logs-mainjob.", "-default");
  const startedMs = Date.now();
  const args = ["run", logs, "--to", `elasticsearch+${url}/${stream}`, "--state-dir", state];
  return {
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
  await refresh(url, job.stream);
  const found = await account(url, job.stream, job.files);
  const { sequences: _, ...numbers } = found;
  expect(numbers).toEqual({
    documents: job.files.written,
    missing: 0,
    doubled: 0,
    foreign: 0,
    firstMissing: [],
    firstDoubled: [],
  });
  expect(await placesOf(url, job.stream)).toEqual({ places: job.files.written, crowded: 0 });
  return found;
}

/** Writes on for a while and until it `isEnough`, so that a kill at its end finds work that has begun and is not finished. */
async function feed(job: Job, forMs: number, isEnough = () => true): Promise<void> {
  const portion = Math.ceil(LINES / 300);
  const until = performance.now() + forMs;
  job.files.write(portion * 10);
  while (performance.now() < until || !isEnough()) {
    await sleep(FEED_INTERVAL_MS);
    job.files.write(portion);
  }
}

async function shipOnce(job: Job): Promise<void> {
  job.files.write(Infinity);
  const agent = job.start("--once");
  expect(await agent.end(PATIENCE_MS), JSON.stringify(agent.logs.slice(-5))).toEqual({ code: 0, signal: null });
  expect(agent.logs.filter((line) => line.level === "error")).toEqual([]);
  await expectEachOnce(job);
  const random = seededRandom(SEED);
  const { compared, differences } = await compareWithOracle(
    (path, offsets) => documentsAt(url, job.stream, path, offsets),
    job.files,
    job.startedMs,
    COMPARED,
    random,
  );
  expect(differences.slice(0, 3)).toEqual([]);
  expect({ compared, different: differences.length }).toEqual({ compared: COMPARED, different: 0 });
}

describe(`Elasticsearch ${ELASTICSEARCH_VERSIONS[0]}, seed ${SEED}`, () => {
  useServer(ELASTICSEARCH_VERSIONS[0]);

  test(
    `${LINES} mixed lines: each in exactly one document, and as the oracle says`,
    async () => {
      await shipOnce(prepare(LINES));
    },
    TEST_MS,
  );

  test(
    `kill -9 at ${KILLS} random moments: each line in exactly one document`,
    async (context) => {
      const job = prepare(LINES);
      const random = seededRandom(SEED);
      const conflicts: number[] = [];
      let unfinished = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        const agent = job.start();
        await agent.waitForLog("started");
        await feed(job, random.below(LONGEST_LIFE_MS));
        const status = await agent.status();
        conflicts.push(status.sinks[0].unexpected_conflicts);
        if (!isCommitted(status)) unfinished += 1;
        await agent.kill9();
        expect(agent.logs.filter((line) => line.code.includes("conflict"))).toEqual([]);
      }
      job.files.write(Infinity);
      conflicts.push(await finish(job.start()));
      await expectEachOnce(job);
      expect(conflicts).toEqual(Array.from({ length: KILLS + 1 }, () => 0));
      expect(unfinished).toBeGreaterThan(0);
      await context.annotate(`${unfinished} of ${KILLS} kills found it at work`);
    },
    TEST_MS,
  );

  test(
    "the last second of the journal is lost: no line is missing, none with a time is doubled",
    async (context) => {
      const job = prepare(LINES);
      const journal = new JournalCut(job.state);
      const agent = job.start();
      await agent.waitForLog("started");
      // A server that has just started can be silent for longer than the second that is to be cut off.
      const hasWorked = (): boolean => journal.hasGrownSince(POWER_CUT_MS);
      await feed(job, 2 * POWER_CUT_MS + seededRandom(SEED).below(LONGEST_LIFE_MS), hasWorked);
      await agent.kill9();
      const cutBytes = await journal.cut(POWER_CUT_MS);
      expect(cutBytes).toBeGreaterThan(0);

      job.files.write(Infinity);
      const unexpected = await finish(job.start());
      await refresh(url, job.stream);
      const { missing, foreign, sequences, doubled } = await account(url, job.stream, job.files);
      expect({ missing, foreign }).toEqual({ missing: 0, foreign: 0 });
      const timedTwice = Array.from(job.files.timed.keys()).filter(
        (seq) => job.files.timed[seq] === 1 && sequences.times(seq) > 1,
      );
      expect(timedTwice).toEqual([]);
      await context.annotate(
        `${cutBytes} bytes of journal cut off; ${doubled} lines without a time arrived twice; ${unexpected} conflicts looked up`,
      );
    },
    TEST_MS,
  );
});

describe.runIf(ELASTICSEARCH_VERSIONS.length > 1)(`Elasticsearch ${ELASTICSEARCH_VERSIONS[1]}, seed ${SEED}`, () => {
  useServer(ELASTICSEARCH_VERSIONS[1]);

  test(
    `${OLDER_SERVER_LINES} mixed lines: each in exactly one document, and as the oracle says`,
    async () => {
      await shipOnce(prepare(OLDER_SERVER_LINES));
    },
    TEST_MS,
  );
});
