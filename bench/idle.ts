/**
 * What files that do nothing cost: own memory and CPU of an agent with many idle files, compared with one that shipped the
 * same bytes from a single file and with one that has no file; and how long the first byte of a cold file takes to arrive
 * when no notification comes.
 * Usage: npm run bench:idle -- [--files N] [--settle S] [--window S] [--colds N] [--record]
 */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { pinoLines } from "./generate.ts";
import { describeMachine, leaveMeasuredCore, recordResult } from "./machine.ts";
import { cpuSecondsOf, MEASURED_CORE, startPinned } from "./measure.ts";
import { pannierCommand } from "./pannier.ts";
import { type ReceiverProcess, startReceiverProcess } from "./receiver-process.ts";
import { table } from "./statistics.ts";

const { values } = parseArgs({
  options: {
    files: { type: "string", default: "10000" },
    settle: { type: "string", default: "130" },
    window: { type: "string", default: "30" },
    colds: { type: "string", default: "3" },
    record: { type: "boolean", default: false },
  },
});
const files = Number(values.files);
const settleMs = Number(values.settle) * 1000;
const windowMs = Number(values.window) * 1000;
const SHIPPED_IN_MS = 120_000;
const COLD_IN_MS = 30_000;
const POLL_MS = 20;
const mebibytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1);

/** Makes chokidar look as if it were not installed: the sweep is then all that there is. */
const WITHOUT_NOTIFICATIONS = `--import=data:text/javascript,${encodeURIComponent(
  'import{registerHooks}from"node:module";registerHooks({resolve(name,context,next){if(name==="chokidar")throw Object.assign(new Error("left out"),{code:"ERR_MODULE_NOT_FOUND"});return next(name,context)}})',
)}`;

interface Idle {
  readonly ownBytes: number;
  readonly cpuPercent: number;
  readonly coldMs: number[];
}

/** Ships what is in the directory, waits until all is cold, and measures the silence. */
async function measure(name: string, fill: (logs: string) => number, colds: (logs: string) => string[]): Promise<Idle> {
  const directory = mkdtempSync(join(os.tmpdir(), "pannier-idle-"));
  const logs = join(directory, "logs");
  mkdirSync(logs);
  const lines = fill(logs);
  const receiver = await startReceiverProcess();
  const agent = startPinned(
    MEASURED_CORE,
    pannierCommand(logs, receiver.url, join(directory, "state"), { args: ["--admin", "off"] }),
    { NODE_OPTIONS: WITHOUT_NOTIFICATIONS },
  );
  try {
    await arrival(receiver, lines, SHIPPED_IN_MS);
    process.stderr.write(`${name}: shipped, ${mebibytes(agent.ownBytes())} MiB own at most\n`);
    await sleep(settleMs);
    agent.forget();
    const cpuBefore = cpuSecondsOf(agent.pid, "own");
    await sleep(windowMs);
    const cpuPercent = ((cpuSecondsOf(agent.pid, "own") - cpuBefore) / windowMs) * 100_000;
    const ownBytes = agent.ownBytes();
    const coldMs: number[] = [];
    for (const file of colds(logs)) {
      const { documents } = await receiver.stats();
      const writtenAt = performance.now();
      appendFileSync(file, '{"msg":"the first one for long"}\n');
      await arrival(receiver, documents + 1, COLD_IN_MS);
      coldMs.push(performance.now() - writtenAt);
    }
    process.stderr.write(`${name}: ${mebibytes(ownBytes)} MiB own, ${cpuPercent.toFixed(2)} %\n`);
    return { ownBytes, cpuPercent, coldMs };
  } finally {
    agent.child.kill("SIGKILL");
    await agent.ended().catch(() => undefined);
    await receiver.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function arrival(receiver: ReceiverProcess, documents: number, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while ((await receiver.stats()).documents < documents) {
    if (performance.now() > deadline) throw new Error("the lines did not arrive in time");
    await sleep(POLL_MS);
  }
}

const LINES_PER_FILE = 2;
function fillMany(logs: string): number {
  const lines = pinoLines(files * LINES_PER_FILE);
  for (let i = 0; i < files; i++) {
    const text = Array.from({ length: LINES_PER_FILE }, () => `${lines.next().value}\n`).join("");
    writeFileSync(join(logs, `service-${i}.log`), text);
  }
  return files * LINES_PER_FILE;
}

function fillOne(logs: string): number {
  writeFileSync(join(logs, "all.log"), Array.from(pinoLines(files * LINES_PER_FILE), (line) => `${line}\n`).join(""));
  return files * LINES_PER_FILE;
}

leaveMeasuredCore();
const none = await measure(
  "no file",
  () => 0,
  () => [],
);
const one = await measure("one file with the same lines", fillOne, () => []);
const many = await measure(`${files} files`, fillMany, (logs) =>
  Array.from({ length: Number(values.colds) }, (_, i) => join(logs, `service-${i * 997}.log`)),
);
const row = (name: string, { ownBytes, cpuPercent, coldMs }: Idle): string[] => [
  name,
  mebibytes(ownBytes),
  mebibytes(ownBytes - none.ownBytes),
  mebibytes(ownBytes - one.ownBytes),
  cpuPercent.toFixed(2),
  coldMs.length === 0 ? "–" : coldMs.map((ms) => (ms / 1000).toFixed(1)).join(", "),
];
const report = table(
  ["idle", "own MiB", "− no file", "− one file", "% of a core", "s until the first byte of a cold file arrives"],
  [row("no file", none), row("one file, the same lines", one), row(`${files} files`, many)],
);
const title = `${files} idle files, ${values.settle} s after their last line, without notifications`;
process.stdout.write(`${title}\n${describeMachine()}\n\n${report}\n`);
if (values.record) recordResult(title, report);
