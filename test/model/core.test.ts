/**
 * The same stories as in model.test.ts, many more of them, played with the core of pannier in this process, killed at any step
 * (see core.ts for what is simulated). `npm run soak -- --core --cases 20000` plays more; PANNIER_SEED repeats a run.
 */
import { expect, test } from "vitest";
import { simulatedStage } from "./core.ts";
import { playMany } from "./run.ts";

const FIXED_SEED = 1;
const FRESH_SEED = Number(process.env["PANNIER_SEED"] ?? Date.now() % 1_000_000_000);
const LANES = 2;
const RUN_MS = 30_000;
const CASES_MIN = 100;
/** A story that fails is made smaller for a while. */
const TEST_MS = RUN_MS + 150_000;

test.each([
  ["the fixed seed", FIXED_SEED],
  ["a new seed", FRESH_SEED],
])(
  "%s %i: every line arrives once and whole",
  async (_, seed) => {
    const { cases } = await playMany({
      stage: simulatedStage,
      lanes: LANES,
      seed,
      cases: Infinity,
      maxMs: RUN_MS,
      minCases: CASES_MIN,
    });
    expect(cases).toBeGreaterThanOrEqual(CASES_MIN);
  },
  TEST_MS,
);
