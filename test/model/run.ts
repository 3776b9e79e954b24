/** Plays many stories, several at once, and makes one report of the first that fails. */
import { assert, asyncProperty } from "fast-check";
import { play } from "./case.ts";
import { story } from "./commands.ts";
import type { Stage } from "./subject.ts";

export interface RunOptions {
  readonly stage: Stage;
  /** Stories at the same time, each lane with a seed of its own: `seed`, `seed + 1`, … */
  readonly lanes: number;
  readonly seed: number;
  readonly cases: number;
  /** No new story begins after this time. */
  readonly maxMs: number;
  /** Repeats a failure: what fast-check has printed. */
  readonly path?: string;
  readonly replayPath?: string;
  readonly onCase?: (cases: number) => void;
}

export interface RunResult {
  readonly cases: number;
  readonly documents: number;
}

/** Stories are made smaller for so long. */
const SHRINK_MS = 90_000;

export async function playMany(options: RunOptions): Promise<RunResult> {
  const { stage, lanes, seed, path } = options;
  const deadline = performance.now() + options.maxMs;
  let failedAt = Infinity;
  let cases = 0;
  let documents = 0;

  const lane = async (index: number): Promise<void> => {
    let isMine = false;
    const property = asyncProperty(story(options.replayPath), async (steps) => {
      const now = performance.now();
      if (isMine ? now > failedAt + SHRINK_MS : now > deadline || failedAt < Infinity) return;
      try {
        const verdict = await play(stage, steps);
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
    await assert(property, {
      seed: seed + index,
      numRuns: Math.ceil(options.cases / lanes),
      verbose: 1,
      ...(path === undefined ? {} : { path }),
    });
  };
  const ends = await Promise.allSettled(Array.from({ length: lanes }, (_, index) => lane(index)));
  const failed = ends.filter((end) => end.status === "rejected");
  if (failed.length === 0) return { cases, documents };
  const reports = failed.map(({ reason }) => (reason instanceof Error ? describe(reason) : String(reason)));
  throw new Error(`${cases} stories were right before this one.\n${reports.join("\n\n")}`);
}

function describe(error: Error): string {
  const { cause } = error;
  return `${error.message}\n${cause instanceof Error ? cause.message : ""}`;
}
