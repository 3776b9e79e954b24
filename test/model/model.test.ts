/**
 * Stories of an application, its rotation, a sink and a supervisor that all misbehave, played with the real process; after
 * each, every line must have arrived once and whole. One run has a fixed seed and one a new one; PANNIER_SEED repeats that.
 */
import { expect, test } from "vitest";
import { realStage } from "./process.ts";
import { playMany, type RunResult } from "./run.ts";

const FIXED_SEED = 20_260;
const FRESH_SEED = Number(process.env["PANNIER_SEED"] ?? Date.now() % 1_000_000_000);
const LANES = 4;
const RUN_MS = 150_000;
const CASES_MIN = 75;
/** On a slow machine the stories take longer, and one that fails is made smaller for a while. */
const TEST_MS = 4 * RUN_MS;

function playFor(seed: number): Promise<RunResult> {
  return playMany({
    stage: realStage,
    lanes: LANES,
    seed,
    cases: Infinity,
    maxMs: RUN_MS,
    minCases: CASES_MIN,
  });
}

test.each([
  ["the fixed seed", FIXED_SEED],
  ["a new seed", FRESH_SEED],
])(
  "%s %i: every line arrives once and whole",
  async (_, seed) => {
    const { cases } = await playFor(seed);
    expect(cases).toBeGreaterThanOrEqual(CASES_MIN);
  },
  TEST_MS,
);
