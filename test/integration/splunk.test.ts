/**
 * Files arrive in a Splunk that is a stand-in made from its documents (`test/support/hec-collector.ts`): whole, and as often as
 * `docs/guarantees.md` says. No real Splunk was ever asked.
 */
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Agent, isCommitted, killAgents, startAgent, type Status } from "../support/agent.ts";
import { freePort } from "../support/free-port.ts";
import { MixedFiles } from "../support/mixed-files.ts";
import { sequenceOf } from "../support/mixed-lines.ts";
import { NumberedLines } from "../support/numbered-lines.ts";
import { compareWithOracle } from "../support/oracle-check.ts";
import { seededRandom } from "../support/random.ts";
import { SequenceSet } from "../support/sequence-set.ts";
import { SplunkDouble, type SplunkDoubleOptions } from "../support/splunk-double.ts";

const SEED = Number(process.env["PANNIER_SEED"] ?? Date.now() % 1_000_000);
const LINES = 10_000;
const KILLS = 4;
const PATIENCE_MS = 60_000;
const TOKEN = "11111111-2222-3333-4444-555555555555";
const MiB = 1024 * 1024;

let directory = "";
let logs = "";
let tokenFile = "";
const doubles: SplunkDouble[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(os.tmpdir(), "pannier-splunk-"));
  logs = join(directory, "logs");
  tokenFile = join(directory, "token");
  mkdirSync(logs);
  writeFileSync(tokenFile, `${TOKEN}\n`);
});

afterEach(async () => {
  await killAgents();
  for (const double of doubles.splice(0)) await double.close();
  rmSync(directory, { recursive: true, force: true });
});

async function serve(options: SplunkDoubleOptions = {}, port = 0): Promise<{ double: SplunkDouble; url: string }> {
  const double = new SplunkDouble({ token: TOKEN, ...options });
  doubles.push(double);
  return { double, url: await double.start(port) };
}

function start(url: string, ...flags: readonly string[]): Agent {
  const to = `splunk+${url}?token_file=${tokenFile}`;
  return startAgent(["run", logs, "--to", to, "--state-dir", join(directory, "state"), ...flags]);
}

async function ended(agent: Agent): Promise<void> {
  expect(await agent.end(PATIENCE_MS), JSON.stringify(agent.logs.slice(-5))).toEqual({ code: 0, signal: null });
}

/** Runs a command to its end. */
async function run(...args: readonly string[]): Promise<{ code: number | null; stdout: string }> {
  const agent = startAgent(args, { noAdmin: true });
  const { code } = await agent.end();
  return { code, stdout: agent.stdout() };
}

function delivered(lines: number) {
  return ({ sinks }: Status): boolean => sinks[0].delivered_lines === lines;
}

describe(`Splunk, seed ${SEED}`, () => {
  test(`${LINES} mixed lines: each in one event, at its place and as the oracle says`, async () => {
    const { double, url } = await serve();
    const startedMs = Date.now();
    const files = new MixedFiles(logs, LINES, SEED, startedMs - LINES * 20);
    files.write(Infinity);
    await ended(start(url, "--once"));
    const { events } = double.collector;
    const sequences = new SequenceSet();
    for (const { event } of events) sequences.add(sequenceOf(event) ?? Number.NaN);
    expect(sequences.compare(LINES)).toMatchObject({ missing: 0, doubled: 0 });
    expect(events.length).toBe(LINES);
    const byPlace = new Map(
      events.map(({ event }) => [`${String(event["log.file.path"])} ${String(event["log.offset"])}`, event]),
    );
    const lookUp = (path: string, offsets: readonly number[]): Map<number, Record<string, unknown>> =>
      new Map(
        offsets.flatMap((offset) => {
          const event = byPlace.get(`${path} ${offset}`);
          return event === undefined ? [] : [[offset, event]];
        }),
      );
    const random = seededRandom(SEED);
    const { compared, differences } = await compareWithOracle(lookUp, files, startedMs, 1_000, random);
    expect(differences.slice(0, 3)).toEqual([]);
    expect(compared).toBe(1_000);
    for (const { time, source, host, sourcetype, event } of events) {
      expect(time).toBe(Math.floor(Date.parse(String(event["@timestamp"]))) / 1_000);
      expect([source, host, sourcetype]).toEqual([event["log.file.path"], os.hostname(), "_json"]);
    }
  });

  test("kill -9: nothing is missing; what is there twice was on its way, and has the same id", async () => {
    const { double, url } = await serve();
    const path = join(logs, "app.log");
    const lines = new NumberedLines(path);
    const random = seededRandom(SEED);
    for (let kill = 0; kill < KILLS; kill++) {
      lines.write(2_000);
      const agent = start(url);
      await agent.waitForLog("admin_listening");
      const until = performance.now() + random.below(400);
      while (performance.now() < until) {
        lines.write(100);
        await sleep(10);
      }
      await agent.kill9();
    }
    await ended(start(url, "--once"));
    const { sequences, arrivals } = double.collector;
    const { missing, doubled } = sequences.compare(lines.count);
    expect(missing).toBe(0);
    const ids = new Map<number, string>();
    for (const { id, sequence } of arrivals) {
      expect(id).toBe(ids.get(sequence) ?? id);
      ids.set(sequence, id);
    }
    expect(new Set(ids.values()).size, "different lines have different ids").toBe(lines.count);
    // A kill can double what was sent and not yet journaled: three batches of 2 MiB at the most, here far less was written.
    expect(doubled * 250).toBeLessThan(KILLS * 3 * 2 * MiB);
    for (let n = 0; n < lines.count; n++) expect(sequences.times(n)).toBeLessThanOrEqual(1 + KILLS);
  });

  test("an outage, a busy collector and a token that is renewed: nothing is missing or doubled", async () => {
    const port = await freePort();
    const lines = new NumberedLines(join(logs, "app.log"));
    lines.write(500);
    const agent = start(`http://127.0.0.1:${port}`);
    await agent.waitForLog("sink_unreachable");
    const { double } = await serve({}, port);
    await agent.waitForStatus(delivered(500));
    double.interfere = (request) => (request % 3 === 0 ? undefined : 9);
    lines.write(500);
    await agent.waitForLog("sink_busy");
    await agent.waitForStatus(delivered(1_000));
    double.interfere = () => undefined;
    double.token = "another";
    lines.write(500);
    expect((await agent.waitForLog("sink_forbidden")).msg).toContain("does not accept the token");
    writeFileSync(tokenFile, "another");
    await agent.waitForStatus((status) => delivered(1_500)(status) && isCommitted(status));
    expect(double.collector.sequences.compare(1_500)).toMatchObject({ missing: 0, doubled: 0 });
    expect(await agent.stop()).toEqual({ code: 0, signal: null });
    expect(JSON.stringify(agent.logs)).not.toContain(TOKEN);
  });

  test("with acknowledgement nothing counts as delivered before it is indexed", async () => {
    const { double, url } = await serve({ acknowledges: true });
    double.collector.indexes = false;
    const lines = new NumberedLines(join(logs, "app.log"));
    lines.write(300);
    const agent = start(url);
    await agent.waitForStatus(() => double.cookies.length >= 3);
    const { files, sinks } = await agent.status();
    expect(sinks[0].delivered_lines).toBe(0);
    expect(files[0].ledger).toMatchObject({ delivered: 0, in_flight: lines.bytes });
    // Killed now, it has to send all of it again.
    await agent.kill9();
    double.collector.indexes = true;
    const next = start(url);
    await next.waitForStatus(isCommitted);
    expect(await next.stop()).toEqual({ code: 0, signal: null });
    expect(double.collector.sequences.compare(300)).toMatchObject({ missing: 0, doubled: 300 });
    expect(double.collector.events.length).toBe(600);
  });

  test("events that are refused come as text, or go to the dead letters with Splunk's reason, and can be replayed", async () => {
    const refused = new Set([7, 30, 31]);
    let isLenient = false;
    const { double, url } = await serve({
      refuses: ({ event }) => {
        const sequence = Number(event["seq"] ?? /"seq":(\d+)/.exec(String(event["message"]))?.[1]);
        const isText = Array.isArray(event["tags"]);
        return !isLenient && refused.has(sequence) && !(sequence === 30 && isText) ? 13 : undefined;
      },
    });
    const lines = new NumberedLines(join(logs, "app.log"));
    lines.write(100);
    const agent = start(url);
    const status = await agent.waitForStatus(isCommitted);
    const dead = readFileSync(lines.path, "utf8")
      .split("\n")
      .filter((_, n) => n === 7 || n === 31);
    expect(status.files[0].ledger).toMatchObject({
      delivered: lines.bytes - dead.join("\n\n").length,
      dead_lettered: dead.join("\n\n").length,
      lost: 0,
    });
    expect(status.sinks[0]).toMatchObject({ delivered_lines: 98, rejected: 3, state: "ok" });
    const asText = double.collector.arrivals.filter((arrival) => arrival.asText);
    expect(asText.map(({ document }) => document["error.message"])).toEqual(["Event field cannot be blank (code 13)"]);
    const letters = readFileSync(join(directory, "state", "dead-letters", "splunk.ndjson"), "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(letters.map(({ line }) => line)).toEqual(dead);
    for (const letter of letters)
      expect(letter).toMatchObject({ sink: "splunk", status: 400, reason: "Event field cannot be blank (code 13)" });
    isLenient = true;
    const config = join(directory, "pannier.yaml");
    writeFileSync(
      config,
      `state_dir: ${join(directory, "state")}\nsinks: [{ type: splunk, urls: ["${url}"], auth: { token: "\${file:${tokenFile}}" } }]\n`,
    );
    expect(await run("replay", "--config", config)).toMatchObject({ code: 0 });
    expect(double.collector.sequences.times(7)).toBe(1);
    expect(double.collector.sequences.times(31)).toBe(1);
    // What stood before a refused event was kept by this collector, and had to be sent again: it is there twice at most.
    expect(double.collector.sequences.compare(100).missing).toBe(0);
  });

  test("an index that the token may not write to is waited for", async () => {
    const indexes = ["main"];
    const { double, url } = await serve({ indexes });
    appendFileSync(join(logs, "app.log"), '{"msg":"a","seq":0}\n');
    const to = `splunk+${url}?token_file=${tokenFile}&index=shop`;
    const agent = startAgent(["run", logs, "--to", to, "--state-dir", join(directory, "state")]);
    expect((await agent.waitForLog("destination_missing")).msg).toContain("does not take events for this index");
    indexes.push("shop");
    await agent.waitForStatus(delivered(1));
    expect(double.collector.events[0].index).toBe("shop");
  });
});

describe("the commands", () => {
  test.each([
    [true, "on: events count as delivered once they are indexed"],
    [false, "off: events count as delivered once the collector has taken them"],
  ])("probe tells that acknowledgement is %s, and leaves nothing behind", async (acknowledges, text) => {
    const { double, url } = await serve({ acknowledges });
    const { code, stdout } = await run("probe", "--to", `splunk+${url}?token_file=${tokenFile}`);
    expect(stdout).toContain("the collector is healthy");
    expect(stdout).toContain(text);
    expect([code, double.collector.events.length]).toEqual([0, 0]);
  });

  test("probe finds a wrong token, a sick collector, and what is none", async () => {
    const { double, url } = await serve({ health: 18 });
    double.token = "another";
    const { code, stdout } = await run("probe", "--to", `splunk+${url}?token_file=${tokenFile}`);
    expect(stdout).toMatch(/FAIL {2}health.*queues are full/);
    expect(stdout).toMatch(/FAIL {2}token.*Invalid token, code 4/);
    expect(code).toBe(69);
    expect((await run("probe", "--to", `splunk+http://127.0.0.1:${await freePort()}`)).code).toBe(69);
  });

  test("check prints what is not said, and no token", async () => {
    const config = join(directory, "pannier.yaml");
    const sink = `{ type: splunk, urls: ["https://s:8088"], auth: { token: ${TOKEN} }, index: main }`;
    writeFileSync(config, `inputs: [{ paths: [${logs}] }]\nsinks: [${sink}]\n`);
    const { code, stdout } = await run("check", "--config", config);
    expect(code).toBe(0);
    expect(stdout).toContain("sourcetype: _json");
    expect(stdout).toContain("event_id: true");
    expect(stdout).toContain("splunk: repair buffer");
    expect(stdout).not.toContain(TOKEN);
  });
});
