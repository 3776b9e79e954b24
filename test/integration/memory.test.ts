/** Design: memory is planned, not watched. pannier in a container with a hard limit, more load than it can take, and an outage. */
import { afterAll, beforeEach, expect, test } from "vitest";
import { buildPannierImage, removeImage } from "../servers/images/pannier.ts";
import { requireServer } from "../servers/require.ts";
import { type MemoryResult, type MemoryRunOptions, flatBytes, runMemory } from "../support/load/memory-run.ts";

const MiB = 1024 * 1024;
/** Longer than all that the runs wait for by themselves. */
const TEST_MS = 1_200_000;
/** A sink counts as down after 15 seconds; a busy machine may look at it late. */
const OUTAGE_MS = 24_000;
/** A recovery is over when all is there, on a quiet machine after some ten seconds. */
const RECOVERY_MAX_MS = 240_000;
/**
 * Garbage that is not collected yet adds up to 5 MiB to what is in use (bench/RESULTS.md), and a short run has few collections:
 * one in ten or so ends before the highest is known. What really grows in an outage does so in each of them.
 */
const RUNS_MAX = 3;

let building: Promise<string> | undefined;
let image = "";

beforeEach(async (context) => {
  building ??= buildPannierImage();
  image = await requireServer(context, () => building!);
});

afterAll(async () => {
  const built = await building?.catch(() => undefined);
  if (built !== undefined) await removeImage(built);
});

/** Runs it until it is flat, a few times at most; all else has to hold in each run. */
async function runUntilFlat(options: MemoryRunOptions, expectAlways: (result: MemoryResult) => void): Promise<void> {
  const grownMiB: number[] = [];
  for (let run = 1; run <= RUNS_MAX; run++) {
    const result = await runMemory(options);
    expectKept(result);
    expectAlways(result);
    const [before, outage] = result.phases;
    grownMiB.push((outage.ownBytes - before.ownBytes) / MiB);
    if (grownMiB.at(-1)! * MiB <= flatBytes) return;
  }
  expect.fail(
    `own memory grew in the outage of each run, by ${grownMiB.map((each) => each.toFixed(1)).join(", ")} MiB`,
  );
}

/** Every line once, whole or cut and marked; no kill, a clean end. */
function expectKept(result: MemoryResult): void {
  const { phases, sinks, written, log } = result;
  expect(result.oomKilled, log).toBe(false);
  for (const sink of sinks) {
    const { missing, doubled, torn, unknown, cut } = sink;
    const samples = [...sink.firstMissing, ...sink.samples].join("\n");
    expect({ missing, doubled, torn, unknown, cut }, `${samples}\n${log}`).toEqual({
      missing: 0,
      doubled: 0,
      torn: 0,
      unknown: 0,
      cut: written.overlong,
    });
    expect(sink.documents).toBe(written.lines);
  }
  const [before, outage, recovery] = phases;
  expect(outage.memory?.oomKills ?? 0).toBe(0);
  expect(recovery.memory?.oomKills ?? 0).toBe(0);
  // An outage leaves no socket and no file behind: what is open grows by rotated files alone.
  expect(recovery.descriptors).toBeLessThanOrEqual(before.descriptors + written.rotations + 8);
  expect(result.outageStates).toContain("down");
  expect(result.exitCode, log).toBe("0");
}

test(
  "96 MiB hold it: 100 MB/s, lines of 10 MB, 300 files, answers of megabytes, a sink that is down",
  async () => {
    const options: MemoryRunOptions = {
      image,
      memory: "96m",
      maxLineBytes: 256 * 1024,
      sinks: 1,
      manyFiles: 300,
      rotateBytes: 64 * MiB,
      burstBytesPerSecond: 100e6,
      burstMs: 5_000,
      trickleBytesPerSecond: 5e6,
      beforeMs: 12_000,
      restMaxMs: 45_000,
      outageMs: OUTAGE_MS,
      storms: { before: 4, after: 0 },
      recoveryMs: RECOVERY_MAX_MS,
    };
    await runUntilFlat(options, ({ written, sinks, phases }) => {
      expect(written.bytes).toBeGreaterThan(200e6);
      expect(sinks[0].largestAnswerBytes).toBeGreaterThan(2e6);
      for (const { name, ownBytes } of phases) expect(ownBytes / MiB, name).toBeLessThan(64);
    });
  },
  TEST_MS,
);

test(
  "two sinks, lines of 10 MB that are delivered whole, and the limit that `check` asks for",
  async () => {
    const options: MemoryRunOptions = {
      image,
      memory: "704m",
      memoryLimit: "640MiB",
      maxLineBytes: 10 * MiB,
      sinks: 2,
      manyFiles: 10,
      rotateBytes: 32 * MiB,
      burstBytesPerSecond: 40e6,
      burstMs: 5_000,
      trickleBytesPerSecond: 2e6,
      beforeMs: 10_000,
      restMaxMs: 45_000,
      outageMs: OUTAGE_MS,
      storms: { before: 2, after: 0 },
      recoveryMs: RECOVERY_MAX_MS,
    };
    await runUntilFlat(options, ({ written }) => {
      expect(written.overlong).toBe(0);
      expect(written.longest).toBe(10_000_000);
    });
  },
  TEST_MS,
);
