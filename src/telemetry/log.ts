import { pino } from "pino";
import { type Clock, systemClock } from "../core/clock.ts";
import { describe } from "../core/errors.ts";
import { LOG_FOLD_KEYS_MAX, LOG_FOLD_WINDOW_MS } from "../core/limits.ts";
import type { Log } from "../core/log.ts";
import { Folding, type Level, type Said } from "./folding.ts";
import { LineWriter } from "./line-writer.ts";
import { createRedactor } from "./redact.ts";

/** The log of the process; whoever makes it closes it. */
export interface ProcessLog extends Log {
  /** Says more or less from now on. */
  setLevel(level: Level): void;
  /** Writes the counts of what is folded at the moment. */
  flush(): void;
  /** Flushes, writes `lastLine` as it stands (JSON, redacted), and says nothing more: the drain record is the last line. */
  close(lastLine?: string): void;
}

/** Settings of the log; all but the level are for tests. */
export interface LogOptions {
  readonly level: Level;
  /** Values that must never be seen. Asked for with each line, since they can change. */
  readonly secrets?: () => readonly string[];
  readonly fd?: number;
  readonly clock?: Clock;
}

/** What pino itself writes; a field of that name gets a prefix, so that no line has a key twice. */
const OWN_KEYS: ReadonlySet<string> = new Set(["time", "level", "msg", "code", "repeated"]);

/**
 * Makes the log: JSON lines on stderr with `level`, `time`, `code`, the fields and `msg`. Lines are written before the call
 * returns, without a thread or a buffer.
 */
export function createLog(options: LogOptions): ProcessLog {
  const clock = options.clock ?? systemClock;
  const writer = new LineWriter(options.fd ?? 2);
  const redact = createRedactor(options.secrets ?? (() => []));
  const folding = new Folding(LOG_FOLD_WINDOW_MS, LOG_FOLD_KEYS_MAX);
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${new Date(clock.nowMs()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => writer.write(redact(line.trimEnd())) },
  );
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  const repeat = (said: Said, repeated: number): void => {
    const { code, file, sink } = said;
    logger[said.level]({ code, file, sink, repeated }, said.message);
  };
  const releaseLater = (): void => {
    const dueMs = folding.dueMs();
    if (timer !== undefined || dueMs === undefined) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        folding.release(clock.monotonicMs(), repeat);
        releaseLater();
      },
      Math.max(1, dueMs - clock.monotonicMs()),
    ).unref();
  };
  const say = (level: Level, code: string, message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    if (closed || !logger.isLevelEnabled(level)) return;
    const said: Said = { level, code, message, file: fields["file"], sink: fields["sink"] };
    const repeated = folding.admit(said, clock.monotonicMs(), repeat);
    if (repeated === undefined) releaseLater();
    else logger[level]({ code, ...readable(fields), ...(repeated > 0 && { repeated }) }, message);
  };
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    folding.flush(repeat);
  };

  return {
    debug: (code, message, fields) => say("debug", code, message, fields),
    info: (code, message, fields) => say("info", code, message, fields),
    warn: (code, message, fields) => say("warn", code, message, fields),
    error: (code, message, fields) => say("error", code, message, fields),
    setLevel: (level) => {
      logger.level = level;
    },
    flush,
    close: (lastLine) => {
      if (closed) return;
      writer.insist();
      flush();
      closed = true;
      if (lastLine !== undefined) writer.write(redact(lastLine));
    },
  };
}

/** Fields as they can be read in a line: errors by their message, and none under a name of the log's own. */
function readable(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    out[OWN_KEYS.has(key) ? `field_${key}` : key] = value instanceof Error ? describe(value) : value;
  }
  return out;
}
