import { setTimeout as pause } from "node:timers/promises";
import type { Config, ElasticsearchConfig } from "./core/config.ts";
import type { Clock } from "./core/clock.ts";
import type { Log } from "./core/log.ts";
import { Line, LineFlag, type RecordEncoder } from "./core/record.ts";
import { Patterns } from "./files/patterns.ts";
import { createRecordEncoder } from "./records/encoder.ts";
import type { DeadLetters } from "./sinks/dead-letters.ts";
import type { Letter } from "./sinks/letter.ts";
import { replayDeadLetters, type ReplayResult } from "./sinks/replay.ts";
import { askRunning } from "./state/lock.ts";

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

export interface ReplayRun {
  readonly config: Config;
  readonly serviceName: string | undefined;
  /** Of the running agent, or opened for this. */
  readonly deadLettersOf: (sink: ElasticsearchConfig) => DeadLetters;
  readonly dryRun: boolean;
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Sends the dead letters of every sink again, one sink after the other. */
export async function replayAll(run: ReplayRun): Promise<SinkReplay[]> {
  const { config, deadLettersOf, serviceName, ...rest } = run;
  const encode = letterEncoder(config, serviceName);
  const results: SinkReplay[] = [];
  for (const sink of config.sinks) {
    if (sink.type !== "elasticsearch") continue;
    const result = await replayDeadLetters({ ...rest, config: sink, deadLetters: deadLettersOf(sink), encode });
    results.push({ sink: sink.name, ...result });
  }
  return results;
}

/** Lets the agent that runs on the directory do it, however long that takes; undefined when none runs. */
export async function askForReplay(stateDir: string, dryRun: boolean): Promise<SinkReplay[] | undefined> {
  let answer = await askRunning(stateDir, dryRun ? START_DRY : START);
  while (answer === NOT_YET) answer = await askRunning(stateDir, RESULT);
  return answer === undefined ? undefined : (JSON.parse(answer) as SinkReplay[]);
}

/** The agent's side of `askForReplay`: one replay at a time, and whoever asks for the same meanwhile gets its result. */
export function replayHandler(run: Omit<ReplayRun, "dryRun">): (request: string) => Promise<string> {
  let latest: { request: string; ended: boolean; answer: Promise<string> } | undefined;

  function start(request: string): void {
    const job = {
      request,
      ended: false,
      answer: replayAll({ ...run, dryRun: request === START_DRY }).then(JSON.stringify),
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
 * a line that has none.
 */
export function letterEncoder(config: Config, serviceName: string | undefined): (letter: Letter) => string {
  const patterns = new Patterns(config.inputs);
  const encoders: RecordEncoder[] = config.inputs.map((input) =>
    createRecordEncoder({ ...input, ...(serviceName === undefined ? {} : { serviceName }) }),
  );
  const other = createRecordEncoder({ format: "auto", timezone: "UTC", fields: {} });
  return (letter) => {
    const encoder = encoders[patterns.ownerOf(letter.file)] ?? other;
    const out = Buffer.allocUnsafe(encoder.maxEncodedBytes(letter.line.length));
    return out.toString("utf8", 0, encoder.encode(lineOf(letter), out, 0));
  };
}

function lineOf(letter: Letter): Line {
  const line = new Line();
  line.bytes = letter.line;
  line.end = letter.line.length;
  line.offset = letter.offset;
  // Beyond the line itself, at most its line end was not kept.
  if (letter.length > letter.line.length + 2) {
    line.flags = LineFlag.truncated;
    line.originalBytes = letter.length - 1;
  }
  line.pathMember = Buffer.from(`"log.file.path":${JSON.stringify(letter.file)}`);
  line.fallbackTime = Buffer.from(letter.time);
  return line;
}
