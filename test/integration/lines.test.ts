/** What becomes of single lines and of files as they grow: the real process, real files, the stdout sink. */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Agent, killAgents, startAgent } from "../support/agent.ts";

type Doc = Record<string, unknown>;
let directory = "";
let log = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "pannier-lines-"));
  log = join(directory, "app.log");
});
afterEach(async () => {
  await killAgents();
  rmSync(directory, { recursive: true, force: true });
});

function start(...more: string[]): Agent {
  return startAgent(["run", log, "--to", "stdout:", "--state-dir", join(directory, "state"), ...more]);
}

function docs(agent: Agent): Doc[] {
  return agent
    .stdout()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Doc);
}

/** Ships what is there and returns the documents. */
async function shipOnce(): Promise<Doc[]> {
  const agent = start("--once");
  expect(await agent.exited).toEqual({ code: 0, signal: null });
  return docs(agent);
}

test("every line becomes one document, with its place", async () => {
  writeFileSync(log, '{"time":"2026-11-23T01:02:03.004Z","level":"info","msg":"a"}\nplain\r\n\n  \nlast\n');
  const found = await shipOnce();
  expect(found.map((doc) => doc["message"])).toEqual(["a", "plain", "last"]);
  expect(found.map((doc) => doc["log.offset"])).toEqual([0, 61, 72]);
  expect(found.map((doc) => doc["log.file.path"])).toEqual([log, log, log]);
  expect(found.map((doc) => doc["@timestamp"])).toEqual(Array.from({ length: 3 }, () => "2026-11-23T01:02:03.004Z"));
});

test("what was shipped is not shipped again by the next run", async () => {
  writeFileSync(log, "one\n");
  expect(await shipOnce()).toHaveLength(1);
  expect(await shipOnce()).toHaveLength(0);
  appendFileSync(log, "two\n");
  expect((await shipOnce()).map((doc) => doc["message"])).toEqual(["two"]);
});

test("a byte order mark belongs to the first event and to no message", async () => {
  writeFileSync(log, "\ufefffirst\nsecond\n");
  const found = await shipOnce();
  expect(found.map((doc) => [doc["message"], doc["log.offset"]])).toEqual([
    ["first", 0],
    ["second", 9],
  ]);
});

test("an unterminated tail goes out once it is quiet; what follows is continued", async () => {
  writeFileSync(log, "whole\nhalf a li");
  const first = await shipOnce();
  expect(first.map((doc) => [doc["message"], doc["log.flags"]])).toEqual([
    ["whole", undefined],
    ["half a li", ["unterminated"]],
  ]);
  appendFileSync(log, "ne\nnext\n");
  const second = await shipOnce();
  expect(second.map((doc) => [doc["message"], doc["log.flags"]])).toEqual([
    ["ne", ["continued"]],
    ["next", undefined],
  ]);
});

test("an over-long line is cut at a character and says so; the rest of the file goes on (invariant 3)", async () => {
  const limit = 256 * 1024;
  const long = `${"x".repeat(limit - 1)}€${"y".repeat(10_000_000)}`;
  writeFileSync(log, `before\n${long}\nafter\n`);
  const found = await shipOnce();
  expect(found.map((doc) => doc["log.flags"])).toEqual([undefined, ["truncated"], undefined]);
  expect(found[1]["message"]).toBe("x".repeat(limit - 1));
  expect(found[1]["log.original_bytes"]).toBe(Buffer.byteLength(long));
  expect(found[2]["message"]).toBe("after");
});

test("a line of exactly the limit is whole, with either line end", async () => {
  const limit = 256 * 1024;
  writeFileSync(log, `${"a".repeat(limit)}\n${"b".repeat(limit)}\r\n${"c".repeat(limit + 1)}\n`);
  const found = await shipOnce();
  expect(found.map((doc) => [String(doc["message"]).length, doc["log.flags"]])).toEqual([
    [limit, undefined],
    [limit, undefined],
    [limit, ["truncated"]],
  ]);
});

test("a line that is written in pieces is delivered whole, once", async () => {
  writeFileSync(log, "");
  const agent = start();
  await agent.waitForLog("started");
  for (const piece of ["one ", "line ", "in ", "five ", "pieces\nand", " another\n"]) {
    appendFileSync(log, piece);
    await sleep(300);
  }
  await agent.waitForStatus((status) => status.files[0]?.ledger.delivered === 36);
  expect((await agent.stop()).code).toBe(0);
  expect(docs(agent).map((doc) => doc["message"])).toEqual(["one line in five pieces", "and another"]);
});

test("the drain record is the last line and says that all is committed", async () => {
  writeFileSync(log, "one\ntwo");
  const agent = start();
  await agent.waitForLog("started");
  expect((await agent.stop()).code).toBe(0);
  const record = agent.logs.at(-1)!;
  expect(record).toMatchObject({ code: "drain", outcome: "complete", remainder_bytes: 0 });
  expect(record["files"]).toEqual([{ path: log, size: 7, committed: 7, remainder: 0, sinks: { stdout: 0 } }]);
  expect(docs(agent)).toHaveLength(2);
});
