/**
 * The hard memory cap: pannier in a container of 96 MiB, 100 MB/s written for a minute and 5 MB/s after it, lines up to 10 MB, 500
 * files, answers of megabytes, the sink down for five minutes. About twelve minutes; CI runs a short form of it
 * (test/integration/memory.test.ts).
 * Usage: node bench/memory.ts [--outage S] [--sinks N] [--record]
 */
import { parseArgs } from "node:util";
import { buildPannierImage, removeImage } from "../test/servers/images/pannier.ts";
import { mebibytes } from "../test/support/load/contained.ts";
import { type MemoryResult, type Phase, flatBytes, runMemory } from "../test/support/load/memory-run.ts";
import { describeMachine, recordResult } from "./machine.ts";
import { table } from "./statistics.ts";

const { values } = parseArgs({
  options: {
    outage: { type: "string", default: "300" },
    sinks: { type: "string", default: "1" },
    record: { type: "boolean", default: false },
  },
});
const outageS = Number(values.outage);
const sinks = Number(values.sinks);

const image = await buildPannierImage();
let result: MemoryResult;
try {
  result = await runMemory({
    image,
    memory: "96m",
    maxLineBytes: 256 * 1024,
    sinks,
    manyFiles: 500,
    rotateBytes: 256 * 1024 * 1024,
    burstBytesPerSecond: 100e6,
    // An agent has lived a while before its sink goes down: what is highest before is not what it has after a few seconds.
    burstAtMs: 60_000,
    burstMs: 60_000,
    trickleBytesPerSecond: 5e6,
    beforeMs: 90_000,
    restMaxMs: 0,
    outageMs: outageS * 1000,
    storms: { before: 5, after: 2 },
    recoveryMs: 1_800_000,
    say: (text) => process.stderr.write(`${text}\n`),
  });
} finally {
  await removeImage(image);
}

function rowOf({ name, durationMs, ownBytes, memory, descriptors }: Phase): string[] {
  const container =
    memory === undefined ? ["?", "?", "?"] : [memory.pageCache, memory.kernel, memory.used].map(mebibytes);
  return [name, (durationMs / 1000).toFixed(0), mebibytes(ownBytes), ...container, String(descriptors)];
}

const { phases, written, backlogBytes } = result;
const [before, outage, recovery] = phases;
const flat = outage.ownBytes <= before.ownBytes + flatBytes;
const kills = Math.max(...phases.map(({ memory }) => memory?.oomKills ?? 0));
const flawed = result.sinks.some(({ missing, doubled, torn, unknown, cut }) => {
  return missing + doubled + torn + unknown > 0 || cut !== written.overlong;
});
const title = `memory: ${outageS} s of outage, ${(written.bytes / 1e9).toFixed(1)} GB, ${sinks} sink(s), in a container of 96 MiB`;
const body = [
  table(["phase", "s", "own MiB", "files' pages MiB", "kernel MiB", "used MiB", "descriptors"], phases.map(rowOf)),
  table(
    ["lines", "lost", "doubled", "torn", "over-long", "cut and marked", "sent again (409)", "largest answer MB"],
    result.sinks.map((sink) =>
      [written.lines, sink.missing, sink.doubled, sink.torn + sink.unknown, written.overlong, sink.cut, sink.conflicts]
        .map(String)
        .concat((sink.largestAnswerBytes / 1e6).toFixed(1)),
    ),
  ),
  `OOM kills: ${kills}. Flat: ${flat ? "yes" : "NO"}. Peak resident: ${mebibytes(result.peakResidentBytes)} MiB. ` +
    `Backlog: ${mebibytes(backlogBytes)} MiB, delivered at ${(backlogBytes / 1e3 / recovery.durationMs).toFixed(1)} MB/s ` +
    `beside the receiver on the same machine. Exit code: ${result.exitCode}.`,
].join("\n\n");
process.stdout.write(`${title}\n${describeMachine()}\n\n${body}\n`);
if (flawed) process.stderr.write(`${result.sinks.flatMap(({ samples }) => samples).join("\n")}\n`);
if (values.record) recordResult(title, body);
if (!flat || flawed || kills > 0 || result.oomKilled || result.exitCode !== "0") process.exitCode = 1;
