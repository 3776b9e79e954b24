/** Plays many stories, several at once, and makes one report of the first that fails. */
import { assert, asyncProperty } from "fast-check";
import { isGentle, play } from "./case.ts";
import { story } from "./commands.ts";
import type { Stage } from "./subject.ts";

export interface RunOptions {
  readonly stage: Stage;
  /** Stories at the same time. */
  readonly lanes: number;
  /** Of the first round of stories; each further round, in whatever lane, has the next one. */
  readonly seed: number;
  readonly cases: number;
  /** No new story begins after this time, once `minCases` were played. */
  readonly maxMs: number;
  readonly minCases?: number;
  /** Repeats a failure: what fast-check has printed. */
  readonly path?: string;
  readonly replayPath?: string;
  readonly onCase?: (cases: number) => void;
}

export interface RunResult {
  readonly cases: number;
  readonly documents: number;
}

/** Stories with one seed, which grow longer one after the other. */
const ROUND = 25;
/** Stories are made smaller for so long. */
const SHRINK_MS = 90_000;

export async function playMany(options: RunOptions): Promise<RunResult> {
  const { stage, lanes, path } = options;
  const deadline = performance.now() + options.maxMs;
  let nextSeed = options.seed;
  let failedAt = Infinity;
  let cases = 0;
  let begun = 0;
  let documents = 0;
  const isLate = (): boolean => performance.now() > deadline && begun >= (options.minCases ?? 0);
  const isOver = (): boolean => isLate() || failedAt < Infinity || begun >= options.cases;

  const playRound = async (seed: number): Promise<void> => {
    let isMine = false;
    const property = asyncProperty(story(isGentle(seed), options.replayPath), async (steps) => {
      if (isMine ? performance.now() > failedAt + SHRINK_MS : isOver()) return;
      begun++;
      try {
        const verdict = await play(stage, seed, steps);
        if (isMine) return;
        cases++;
        documents += verdict.delivered;
        options.onCase?.(cases);
      } catch (error) {
        isMine ||= failedAt === Infinity;
        failedAt = Math.min(failedAt, performance.now());
        throw error;
      }
    });
    await assert(property, { seed, numRuns: ROUND, verbose: 1, ...(path === undefined ? {} : { path }) });
  };
  const lane = async (): Promise<void> => {
    while (!isOver()) await playRound(nextSeed++);
  };
  const ends = await Promise.allSettled(Array.from({ length: lanes }, lane));
  const failed = ends.filter((end) => end.status === "rejected");
  if (failed.length === 0) return { cases, documents };
  const reports = failed.map(({ reason }) => (reason instanceof Error ? describe(reason) : String(reason)));
  throw new Error(`${cases} stories were right before this one.\n${reports.join("\n\n")}`);
}

function describe(error: Error): string {
  const { cause } = error;
  return `${error.message}\n${cause instanceof Error ? cause.message : ""}`;
}
