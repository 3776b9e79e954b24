import { type Clock, systemClock } from "../core/clock.ts";
import { TERMINATION_LOG_INTERVAL_MS, TERMINATION_LOG_MAX_BYTES } from "../core/limits.ts";
import type { ProcessLog } from "./log.ts";
import { TERMINATION_LOG_PATH, TerminationLog } from "./termination-log.ts";

/** How a drain ended: all committed, out of time, or the operator asked twice. */
export type DrainOutcome = "complete" | "deadline" | "second_signal";

/** A file as the drain record shows it. */
export interface DrainFile {
  readonly path: string;
  readonly size: number;
  /** Committed offset by the name of the sink. */
  readonly committed: ReadonlyMap<string, number>;
}

interface Entry {
  readonly remainder: number;
  readonly json: string;
}

/**
 * The drain record of contract §5 as one line of JSON, files with a remainder first, the largest first. With `maxBytes` it
 * leaves out what does not fit and says how many files that were; the sums are over all files.
 */
export function formatDrainRecord(
  outcome: DrainOutcome,
  durationMs: number,
  files: readonly DrainFile[],
  maxBytes: number = Infinity,
): string {
  const entries = files.map(entryOf).toSorted((a, b) => b.remainder - a.remainder);
  const remainderBytes = entries.reduce((sum, entry) => sum + entry.remainder, 0);
  const head = `{"code":"drain","outcome":"${outcome}","duration_ms":${Math.round(durationMs)},"remainder_bytes":${remainderBytes},"files":[`;
  const all = `${head}${entries.map((entry) => entry.json).join(",")}]}`;
  if (Buffer.byteLength(all) <= maxBytes) return all;

  let left = maxBytes - head.length - `],"files_omitted":${files.length}}`.length;
  const kept: string[] = [];
  for (const { json } of entries) {
    // One path of 4 KB must not hide the files behind it, so what does not fit is passed over.
    const bytes = Buffer.byteLength(json) + 1;
    if (bytes > left) continue;
    kept.push(json);
    left -= bytes;
  }
  return `${head}${kept.join(",")}],"files_omitted":${files.length - kept.length}}`;
}

function entryOf({ path, size, committed }: DrainFile): Entry {
  const least = committed.size === 0 ? 0 : Math.min(...committed.values());
  const remainder = Math.max(0, size - least);
  const sinks = Object.fromEntries([...committed].map(([sink, offset]) => [sink, Math.max(0, size - offset)]));
  return { remainder, json: JSON.stringify({ path, size, committed: least, remainder, sinks }) };
}

/** What the drain record needs of the agent. */
export interface DrainRecordOptions {
  /** All followed files, as they are now. */
  readonly files: () => readonly DrainFile[];
  readonly log: ProcessLog;
  readonly terminationLog?: string;
  readonly clock?: Clock;
}

/** The record of a drain that has begun. */
export interface DrainRecord {
  /** Writes the final record to the termination log and as the last line of the log, which is closed. Later calls do nothing. */
  finish(outcome: DrainOutcome): void;
}

/**
 * Begins the record at SIGTERM. The termination log is rewritten while the drain goes on, as if it ended at that moment:
 * a SIGKILL then leaves what was true at most a quarter of a second ago.
 */
export function startDrainRecord(options: DrainRecordOptions): DrainRecord {
  const clock = options.clock ?? systemClock;
  const startedMs = clock.monotonicMs();
  const file = TerminationLog.open(options.terminationLog ?? TERMINATION_LOG_PATH);
  const write = (): void => {
    const files = options.files();
    const complete = files.every((entry) => entryOf(entry).remainder === 0);
    const outcome = complete ? "complete" : "deadline";
    file?.write(formatDrainRecord(outcome, clock.monotonicMs() - startedMs, files, TERMINATION_LOG_MAX_BYTES));
  };
  let timer: NodeJS.Timeout | undefined;
  if (file !== undefined) {
    write();
    timer = setInterval(write, TERMINATION_LOG_INTERVAL_MS);
  }
  let finished = false;
  return {
    finish(outcome) {
      if (finished) return;
      finished = true;
      clearInterval(timer);
      const files = options.files();
      const durationMs = clock.monotonicMs() - startedMs;
      file?.close(formatDrainRecord(outcome, durationMs, files, TERMINATION_LOG_MAX_BYTES));
      options.log.close(formatDrainRecord(outcome, durationMs, files));
    },
  };
}
