/** Dead letters of a real process: what is dropped is lost in every count, what is kept can be sent as it was. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Agent, isCommitted, killAgents, startAgent } from "../support/agent.ts";
import type { Arrival } from "../support/bulk-store.ts";
import { MisbehavingServer } from "../support/misbehaving-server.ts";
import { NumberedLines } from "../support/numbered-lines.ts";

interface LetterLine {
  readonly line: string;
  readonly length: number;
  readonly flags?: readonly string[];
  readonly cut?: number;
}

const REFUSED = '{"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"bad"}}}';
let directory = "";
let server: MisbehavingServer;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "pannier-dead-"));
  mkdirSync(join(directory, "logs"));
  server = await new MisbehavingServer().listen();
});
afterEach(async () => {
  await killAgents();
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});

function configure(input: string, deadLetters: string): void {
  const sink = `{ type: elasticsearch, urls: ["${server.origin}"], batch: { max_age: 20ms }, dead_letters: { ${deadLetters} } }`;
  const inputs = `[{ paths: ["${join(directory, "logs")}"], ${input} }]`;
  const lines = ["version: 1", `state_dir: ${join(directory, "state")}`, `inputs: ${inputs}`, `sinks: [${sink}]`];
  writeFileSync(join(directory, "pannier.yaml"), lines.join("\n"));
}

function start(...more: readonly string[]): Agent {
  return startAgent(["run", "--config", join(directory, "pannier.yaml"), ...more]);
}

function letters(): LetterLine[] {
  const text = readFileSync(join(directory, "state", "dead-letters", "elasticsearch.ndjson"), "utf8");
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as LetterLine);
}

test("dropped to make room, they move from dead-lettered to lost, also after a restart", async () => {
  server.behave = (turn) => turn.pass(({ sequence }) => (sequence % 3 === 0 ? REFUSED : undefined));
  configure("max_line_bytes: 4KiB", "max_bytes: 8KiB, when_full: drop_oldest");
  const lines = new NumberedLines(join(directory, "logs", "app.log"));
  lines.write(300);
  const agent = start();
  const refused = readFileSync(lines.path, "utf8")
    .split("\n")
    .slice(0, -1)
    .filter((_, n) => n % 3 === 0);
  const refusedBytes = refused.reduce((sum, line) => sum + line.length + 1, 0);
  const { ledger } = (await agent.waitForStatus(isCommitted)).files[0];
  const kept = letters();
  expect(kept.map(({ line }) => line)).toEqual(refused.slice(-kept.length));
  const keptBytes = kept.reduce((sum, { length }) => sum + length, 0);
  expect(ledger).toMatchObject({
    delivered: lines.bytes - refusedBytes,
    dead_lettered: keptBytes,
    lost: refusedBytes - keptBytes,
  });
  expect(kept.length).toBeGreaterThan(5);
  expect(ledger.lost).toBeGreaterThan(keptBytes);
  expect(await agent.waitForLog("dead_letters_dropped")).toMatchObject({ level: "error", sink: "elasticsearch" });

  // Letters that were committed long ago go the same way, and it is still known after a crash.
  server.behave = (turn) => turn.pass(() => REFUSED);
  lines.write(10);
  const later = (await agent.waitForStatus((now) => isCommitted(now) && now.files[0].size === lines.bytes)).files[0];
  const keptLater = letters().reduce((sum, { length }) => sum + length, 0);
  expect(later.ledger.dead_lettered).toBe(keptLater);
  expect(later.ledger.delivered + keptLater + later.ledger.lost).toBe(lines.bytes);
  await agent.kill9();
  expect((await start().waitForStatus(isCommitted)).files[0].ledger).toEqual(later.ledger);
});

test("they keep what their event was, and the running agent sends them as it would have", async () => {
  const seen: Arrival[] = [];
  server.behave = (turn) =>
    turn.pass((arrival) => {
      seen.push(arrival);
      return REFUSED;
    });
  configure("max_line_bytes: 1KiB", "max_bytes: 1MiB");
  const long = JSON.stringify({ seq: 1, text: "x".repeat(3_000) });
  const tail = JSON.stringify({ seq: 2, msg: "no end" });
  writeFileSync(join(directory, "logs", "app.log"), `{"seq":0,"msg":"whole"}\n${long}\n${tail}`);
  const once = start("--once");
  expect(await once.exited).toMatchObject({ code: 0 });
  expect(await once.waitForLog("dead_letters")).toMatchObject({
    level: "warn",
    sink: "elasticsearch",
    dead_letters: 3,
  });
  expect(once.logs.at(-1)?.code).toBe("drain");
  expect(letters().map(({ flags }) => flags)).toEqual([undefined, ["truncated"], ["unterminated"]]);
  expect(letters()[1]).toMatchObject({ length: long.length + 1, cut: long.length - 1_024 });
  const asText = seen.filter((arrival) => arrival.asText).map(({ document }) => document["log.flags"]);
  expect(asText).toEqual([undefined, ["truncated"], ["unterminated"]]);

  server.behave = (turn) => turn.pass();
  const agent = start();
  await agent.waitForLog("started");
  const replay = startAgent(["replay", "--config", join(directory, "pannier.yaml")], { noAdmin: true });
  expect(await replay.exited).toEqual({ code: 0, signal: null });
  expect(replay.stdout()).toBe("elasticsearch: 3 dead letters, delivered 3, refused again 0\n");
  expect(letters()).toEqual([]);
  const documents = server.store.arrivals.map(({ document }) => document);
  expect(documents.map((document) => document["log.flags"])).toEqual([undefined, ["truncated"], ["unterminated"]]);
  expect(documents[1]).toMatchObject({ "log.original_bytes": long.length });
  expect(documents[0]).toMatchObject({ seq: 0, message: "whole", "log.offset": 0 });
  expect((await agent.stop()).code).toBe(0);
});
