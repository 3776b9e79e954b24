/**
 * One interleaved run over a backlog: pannier, the floor and rsyslog in turn, each alone on core 0, the receiver on core 1.
 * Usage: npm run bench -- [--lines N] [--rounds N] [--no-rsyslog] [--record]
 */
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { LINE_BYTES, writePinoFile } from "./generate.ts";
import { describeMachine, leaveMeasuredCore, recordResult } from "./machine.ts";
import { MEASURED_CORE, startPinned, type Usage } from "./measure.ts";
import { pannierCommand, SHIPPED_FLAGS } from "./pannier.ts";
import { startReceiverProcess, type ReceiverProcess } from "./receiver-process.ts";
import { rsyslogCommand, rsyslogIsThere } from "./rsyslog/rsyslog.ts";
import { median, spread, table } from "./statistics.ts";

const { values } = parseArgs({
  options: {
    lines: { type: "string", default: "1000000" },
    rounds: { type: "string", default: "3" },
    "no-rsyslog": { type: "boolean", default: false },
    record: { type: "boolean", default: false },
  },
});
const lines = Number(values.lines);
const rounds = Number(values.rounds);
const RSYSLOG_DEADLINE_MS = 600_000;
const POLL_MS = 20;
const MiB = 1024 * 1024;

type Contender = (directory: string, receiver: ReceiverProcess) => Promise<Usage>;

const directory = mkdtempSync(join(os.tmpdir(), "pannier-bench-"));
const file = join(directory, "backlog.log");
const body = join(directory, "body.ndjson");

function pannier(flags: readonly string[]): Contender {
  return (state, receiver) => {
    const command = pannierCommand(file, receiver.url, state, { flags, args: ["--once", "--admin", "off"] });
    return startPinned(MEASURED_CORE, command).ended();
  };
}

const floor: Contender = (_state, receiver) => {
  const program = fileURLToPath(new URL("floor.ts", import.meta.url));
  const args = [program, file, receiver.url, body, String(fileBytes / lines)];
  return startPinned(MEASURED_CORE, [process.execPath, ...SHIPPED_FLAGS, ...args]).ended();
};

/** rsyslog has no end: its usage is taken the moment that the last line has arrived. */
const rsyslog: Contender = async (state, receiver) => {
  const running = startPinned(MEASURED_CORE, rsyslogCommand(state, file, Number(new URL(receiver.url).port)));
  const deadline = performance.now() + RSYSLOG_DEADLINE_MS;
  while ((await receiver.stats()).documents < lines) {
    if (performance.now() > deadline) throw new Error("rsyslog did not deliver in time");
    await sleep(POLL_MS);
  }
  const usage = running.soFar();
  running.child.kill("SIGTERM");
  await running.ended();
  return usage;
};

/** Runs one contender against a fresh receiver and makes sure that every line arrived. */
async function measure(name: string, contender: Contender, recordTo?: string): Promise<Usage> {
  const receiver = await startReceiverProcess(recordTo === undefined ? [] : ["--record", recordTo]);
  const state = mkdtempSync(join(directory, "state-"));
  const usage = await contender(state, receiver);
  const { documents } = await receiver.stats();
  await receiver.stop();
  if (Math.abs(documents - lines) > (name === "floor" ? 1 : 0))
    throw new Error(`${name} delivered ${documents} of ${lines} lines`);
  process.stderr.write(`${name}: ${usage.cpuSeconds.toFixed(2)} CPU-s, ${usage.wallSeconds.toFixed(1)} s\n`);
  return usage;
}

leaveMeasuredCore();
const fileBytes = writePinoFile(file, lines);
const contenders = new Map<string, Contender>([
  ["pannier", pannier(SHIPPED_FLAGS)],
  ["floor", floor],
  ["pannier, plain `node`", pannier([])],
]);
if (!values["no-rsyslog"]) {
  if (rsyslogIsThere()) contenders.set("rsyslog", rsyslog);
  else process.stderr.write("rsyslog is not installed: apt-get install rsyslog rsyslog-elasticsearch\n");
}

const results = new Map<string, Usage[]>();
try {
  await measure("warm-up", pannier(SHIPPED_FLAGS), body);
  for (let round = 0; round < rounds; round++) {
    for (const [name, contender] of contenders) {
      results.set(name, [...(results.get(name) ?? []), await measure(name, contender)]);
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}

const ratios = (name: string, to: string): string => {
  const others = results.get(to);
  return others === undefined
    ? "–"
    : spread(
        results.get(name)!.map((usage, i) => usage.cpuSeconds / others[i].cpuSeconds),
        2,
      );
};
const rows = Array.from(results, ([name, usages]) => [
  name,
  String(Math.round(lines / median(usages.map((usage) => usage.cpuSeconds)))),
  spread(
    usages.map((usage) => usage.cpuSeconds / (fileBytes / 1e9)),
    1,
  ),
  ratios(name, "floor"),
  ratios(name, "rsyslog"),
  spread(
    usages.map((usage) => usage.wallSeconds),
    1,
  ),
  (Math.max(...usages.map((usage) => usage.peakResidentBytes)) / MiB).toFixed(0),
  (Math.max(...usages.map((usage) => usage.ownBytes)) / MiB).toFixed(0),
]);
const report = table(
  [
    "",
    "lines per CPU-second",
    "CPU-seconds per GB",
    "× floor",
    "× rsyslog",
    "wall seconds",
    "peak resident MiB",
    "own MiB",
  ],
  rows,
);
const title = `backlog of ${lines} lines of ${(fileBytes / lines).toFixed(2)} bytes, ${rounds} interleaved rounds`;
process.stdout.write(`${title}\n${describeMachine()}\n\n${report}\n`);
if (Math.abs(fileBytes / lines - LINE_BYTES) > 0.5)
  process.stderr.write(`lines are not ${LINE_BYTES} bytes on average\n`);
if (values.record) recordResult(title, `Median (lowest–highest); memory: the highest of all rounds.\n\n${report}`);
