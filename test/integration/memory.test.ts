/** Design: memory is planned, not watched. pannier in a container with a hard limit, more load than it can take, and an outage. */
import { afterAll, beforeEach, expect, test } from "vitest";
import { buildPannierImage, removeImage } from "../servers/images/pannier.ts";
import { requireServer } from "../servers/require.ts";
import { type MemoryResult, flatBytes, runMemory } from "../support/load/memory-run.ts";

const MiB = 1024 * 1024;
/** Longer than all that a run waits for by itself. */
const TEST_MS = 400_000;

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

/** Every line once, whole or cut and marked; no kill, no growth, a clean end. */
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
  expect(outage.ownBytes / MiB, "own memory in the outage").toBeLessThanOrEqual((before.ownBytes + flatBytes) / MiB);
  // An outage leaves no socket and no file behind: what is open grows by rotated files alone.
  expect(recovery.descriptors).toBeLessThanOrEqual(before.descriptors + written.rotations + 8);
  expect(result.outageStates).toContain("down");
  expect(result.exitCode, log).toBe("0");
}

test(
  "96 MiB hold it: 100 MB/s, lines of 10 MB, 300 files, answers of megabytes, a sink that is down",
  async () => {
    const result = await runMemory({
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
      outageMs: 20_000,
      storms: { before: 4, after: 0 },
      recoveryMs: 90_000,
    });
    expectKept(result);
    expect(result.written.bytes).toBeGreaterThan(200e6);
    expect(result.sinks[0].largestAnswerBytes).toBeGreaterThan(2e6);
    for (const { name, ownBytes } of result.phases) expect(ownBytes / MiB, name).toBeLessThan(64);
  },
  TEST_MS,
);

test(
  "two sinks, lines of 10 MB that are delivered whole, and the limit that `check` asks for",
  async () => {
    const result = await runMemory({
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
      outageMs: 18_000,
      storms: { before: 2, after: 0 },
      recoveryMs: 90_000,
    });
    expectKept(result);
    expect(result.written.overlong).toBe(0);
    expect(result.written.longest).toBe(10_000_000);
  },
  TEST_MS,
);
