import { setTimeout as pause } from "node:timers/promises";
import type { Config } from "./core/config.ts";
import { Line, type RecordEncoder } from "./core/record.ts";
import { Patterns } from "./files/patterns.ts";
import type { Sink } from "./core/sink.ts";
import type { Letter } from "./sinks/letter.ts";
import type { LetterEncoder, ReplayResult } from "./sinks/replay.ts";
import type { ReplayingSink } from "./sinks/replaying-sink.ts";
import { askRunning } from "./state/lock.ts";

/** Of a letter whose file belongs to no input any more. */
export const OTHER_FILES = { format: "auto", timezone: "UTC", fields: {} } as const;

/** What `pannier replay` asks the running agent over the state directory's socket. */
const START = "replay";
const START_DRY = "replay dry-run";
const RESULT = "replay result";
/** The socket wants an answer in time, and a replay may take hours: until it is through the answer is "ask for the result". */
const ANSWER_AFTER_MS = 10_000;
const NOT_YET = "null";

/** What became of one sink's dead letters. */
export interface SinkReplay extends ReplayResult {
  readonly sink: string;
}

/** A sink that can have dead letters. */
export interface LetterSink {
  readonly name: string;
  readonly replay: ReplayingSink["replay"];
}

export interface ReplayOptions {
  readonly sinks: readonly LetterSink[];
  readonly encoder: LetterEncoder;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

/** Sends the dead letters of every sink again, one sink after the other. */
export async function replayAll({ sinks, ...run }: ReplayOptions): Promise<SinkReplay[]> {
  const results: SinkReplay[] = [];
  for (const sink of sinks) results.push({ sink: sink.name, ...(await sink.replay(run)) });
  return results;
}

/** Those of some sinks that can have dead letters. */
export function letterSinks(sinks: readonly (Sink | ReplayingSink)[]): readonly ReplayingSink[] {
  return sinks.filter((sink): sink is ReplayingSink => "replay" in sink);
}

/** Lets the agent that runs on the directory do it, however long that takes; undefined when none runs. */
export async function askForReplay(stateDir: string, dryRun: boolean): Promise<SinkReplay[] | undefined> {
  let answer = await askRunning(stateDir, dryRun ? START_DRY : START);
  while (answer === NOT_YET) answer = await askRunning(stateDir, RESULT);
  return answer === undefined ? undefined : (JSON.parse(answer) as SinkReplay[]);
}

/** The agent's side of `askForReplay`: one replay at a time, and whoever asks for the same meanwhile gets its result. */
export function replayHandler(run: () => Omit<ReplayOptions, "dryRun">): (request: string) => Promise<string> {
  let latest: { request: string; ended: boolean; answer: Promise<string> } | undefined;

  function start(request: string): void {
    const job = {
      request,
      ended: false,
      answer: replayAll({ ...run(), dryRun: request === START_DRY }).then(JSON.stringify),
    };
    // Whoever asks for the result hears of a failure; when nobody does, there is nobody to tell.
    job.answer.catch(() => {}).finally(() => (job.ended = true));
    latest = job;
  }

  return async (request) => {
    if (request === START || request === START_DRY) {
      if (latest === undefined || latest.ended) start(request);
      else if (latest.request !== request) throw new Error("another replay is under way; try again when it is through");
    }
    if (latest === undefined) throw new Error(`there is no answer to "${request}"`);
    const patience = new AbortController();
    try {
      return await Promise.race([
        latest.answer,
        pause(ANSWER_AFTER_MS, NOT_YET, { ref: false, signal: patience.signal }),
      ]);
    } finally {
      patience.abort();
    }
  };
}

/**
 * Makes the document of a letter as it was first sent: by the input that its file belongs to, with the letter's own time for
 * a line that has none. `encoders` are those of the inputs, `other` is for a file that no input names any more.
 */
export function letterEncoder(
  inputs: Config["inputs"],
  encoders: readonly RecordEncoder[],
  other: RecordEncoder,
): LetterEncoder {
  const patterns = new Patterns(inputs);
  return {
    encoderOf: ({ file }) => encoders[patterns.ownerOf(file)] ?? other,
    lineOf: (letter) => lineOf(letter, Math.max(0, patterns.ownerOf(letter.file))),
  };
}

function lineOf(letter: Letter, input: number): Line {
  const line = new Line();
  line.bytes = letter.line;
  line.end = letter.line.length;
  line.offset = letter.offset;
  line.flags = letter.flags;
  line.originalBytes = letter.line.length + letter.cut;
  line.path = letter.file;
  line.fallbackTime = letter.time;
  line.fileKey = letter.fileKey;
  line.input = input;
  return line;
}
