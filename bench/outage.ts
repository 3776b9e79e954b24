/**
 * The receiver goes down for a while under a steady load: own memory before, during and after, and whether every line arrived
 * once. Flat = the highest own memory in the outage is at most 2 MiB above the highest before.
 * Usage: node bench/outage.ts [--rate LINES_PER_SECOND] [--before S] [--outage S] [--after S] [--record]
 */
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { pinoLines } from "./generate.ts";
import { describeMachine, leaveMeasuredCore, recordResult } from "./machine.ts";
import { MEASURED_CORE, startPinned } from "./measure.ts";
import { pannierCommand } from "./pannier.ts";
import { startReceiverProcess } from "./receiver-process.ts";
import { table } from "./statistics.ts";

const { values } = parseArgs({
  options: {
    rate: { type: "string", default: "20000" },
    before: { type: "string", default: "30" },
    outage: { type: "string", default: "30" },
    after: { type: "string", default: "20" },
    record: { type: "boolean", default: false },
  },
});
const rate = Number(values.rate);
const [beforeMs, outageMs, afterMs] = [values.before, values.outage, values.after].map(
  (text) => Number(text) * 1000,
) as [number, number, number];
const TICK_MS = 50;
const FLAT_BYTES = 2 * 1024 * 1024;
const CATCH_UP_MS = 120_000;
const mebibytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1);

leaveMeasuredCore();
const directory = mkdtempSync(join(os.tmpdir(), "pannier-outage-"));
const logs = join(directory, "logs");
mkdirSync(logs);
const fd = openSync(join(logs, "app.log"), "a");

/** Writes at the given rate, by the clock, so that a late tick catches up. */
function startWriter(): { written: () => number; stop: () => void } {
  const source = pinoLines(Number.MAX_SAFE_INTEGER);
  const startedAt = performance.now();
  let written = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * rate);
    let text = "";
    for (; written < due; written++) text += `${source.next().value}\n`;
    writeSync(fd, text);
  }, TICK_MS);
  return { written: () => written, stop: () => clearInterval(timer) };
}

const receiver = await startReceiverProcess(["--ids", "--sequences"]);
const agent = startPinned(
  MEASURED_CORE,
  pannierCommand(logs, receiver.url, join(directory, "state"), { args: ["--admin", "off"] }),
);
const writer = startWriter();
const phase = async (durationMs: number): Promise<number> => {
  agent.forget();
  await sleep(durationMs);
  return agent.ownBytes();
};

let failed = false;
try {
  const before = await phase(beforeMs);
  const up = receiver.down(outageMs);
  const during = await phase(outageMs);
  await up;
  const after = await phase(afterMs);
  writer.stop();
  const written = writer.written();
  const deadline = performance.now() + CATCH_UP_MS;
  while ((await receiver.stats()).documents < written && performance.now() < deadline) await sleep(100);
  const caughtUpMs = CATCH_UP_MS - (deadline - performance.now());
  agent.child.kill("SIGTERM");
  const usage = await agent.ended();
  const { missing, doubled } = await receiver.compare(written);
  const { conflicts } = await receiver.stats();
  const flat = during <= before + FLAT_BYTES;
  failed = !flat || missing > 0 || doubled > 0;
  const report = table(
    [
      "own MiB before",
      "during",
      "after",
      "flat",
      "lines",
      "lost",
      "doubled",
      "sent again (409)",
      "CPU-s",
      "peak resident MiB",
      "s to catch up after the last line",
    ],
    [
      [
        ...[before, during, after].map(mebibytes),
        flat ? "yes" : "NO",
        ...[written, missing, doubled, conflicts].map(String),
        usage.cpuSeconds.toFixed(1),
        mebibytes(usage.peakResidentBytes),
        (caughtUpMs / 1000).toFixed(1),
      ],
    ],
  );
  const title = `receiver down for ${outageMs / 1000} s while ${rate} lines/s are written`;
  process.stdout.write(`${title}\n${describeMachine()}\n\n${report}\n`);
  if (values.record) recordResult(title, report);
} finally {
  writer.stop();
  agent.child.kill("SIGKILL");
  closeSync(fd);
  await receiver.stop();
  rmSync(directory, { recursive: true, force: true });
}
if (failed) process.exitCode = 1;
