/** A defect of pannier itself, wherever it shows: it is said in the log, the process ends with 70, and nothing is lost or doubled. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Agent, isCommitted, killAgents, SHIPPED_FLAGS, startAgent } from "../support/agent.ts";
import { type Gate, startGate } from "../support/gate.ts";
import { NumberedLines } from "../support/numbered-lines.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";

const LINES = 2_000;
/** SIGUSR2 stands for the defect. */
const THROWS = 'process.on("SIGUSR2",()=>{throw new Error("something impossible")})';
const REJECTS = 'process.on("SIGUSR2",()=>void Promise.reject(new Error("something impossible")))';

let directory = "";
let lines: NumberedLines;
let receiver: Receiver;
let gate: Gate;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "pannier-defects-"));
  lines = new NumberedLines(join(directory, "app.log"));
  receiver = await startReceiver({ ids: true, sequences: true });
  gate = await startGate(receiver.url, "swallow");
});
afterEach(async () => {
  await killAgents();
  await gate.close();
  await receiver.close();
  rmSync(directory, { recursive: true, force: true });
});

function start(code?: string): Agent {
  const flags = code === undefined ? SHIPPED_FLAGS : [...SHIPPED_FLAGS, "--import", `data:text/javascript,${code}`];
  const args = ["run", lines.path, "--to", `elasticsearch+${gate.url}`, "--state-dir", join(directory, "state")];
  return startAgent(args, { flags });
}

test.each([
  ["thrown", THROWS],
  ["rejected", REJECTS],
])("%s while a batch is on its way: said with its code and what is lost, and 70", async (_, code) => {
  lines.write(LINES);
  const agent = start(code);
  await agent.waitForStatus(({ files }) => (files[0]?.ledger.in_flight ?? 0) > 0);
  agent.kill("SIGUSR2");
  expect(await agent.end()).toEqual({ code: 70, signal: null });
  expect(agent.logs.filter((line) => line.code === "")).toEqual([]);
  expect(agent.logs.at(-1)).toMatchObject({ code: "internal", level: "error" });
  expect(agent.logs.at(-1)?.msg).toContain("something impossible");
  expect(agent.logs.at(-1)?.msg).toContain("nothing is lost");

  gate.behave("pass");
  lines.write(LINES);
  const next = start();
  await next.waitForStatus(isCommitted);
  expect(await next.stop()).toEqual({ code: 0, signal: null });
  expect(receiver.sequences.compare(lines.count)).toMatchObject({ missing: 0, doubled: 0 });
});
