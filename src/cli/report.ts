import { describe, ExitCode, PannierError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";

const NOTHING_LOST =
  "nothing is lost: what was not committed stays in its files, and the next start sends it under the same ids";
const DEFECT = "this is a defect of pannier: please report it with its stack";

/** Exit code of any thrown value. */
export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof PannierError ? error.exitCode : ExitCode.internal;
}

/** A fatal error for a person: what happened, and below it what to do. The stack of an unexpected one only when debugging. */
export function fatalText(error: unknown, debug: boolean): string {
  if (error instanceof PannierError) {
    const lines = [
      ...error.message.split("\n"),
      ...(error.hint === undefined ? [] : error.hint.split("\n").map((hint) => `  ${hint}`)),
    ];
    return `pannier: ${lines.join("\n")}\n`;
  }
  const stack = debug && error instanceof Error ? `\n${error.stack ?? ""}` : "\n  --log-level debug shows where.";
  return `pannier: internal error: ${describe(error)}${stack}\n`;
}

/** The same for whoever reads the log; on a terminal, as text. */
export function logFatal(error: unknown, log: Log, debug: boolean): void {
  if (process.stderr.isTTY) {
    const lost = error instanceof PannierError ? "" : `  ${NOTHING_LOST}\n`;
    process.stderr.write(`${fatalText(error, debug)}${lost}`);
    return;
  }
  if (error instanceof PannierError) {
    log.error(error.code, error.message, error.hint === undefined ? {} : { hint: error.hint });
    return;
  }
  // It may never come again, so this is the time to say where it came from.
  const stack = error instanceof Error ? { stack: error.stack } : {};
  log.error("internal", `internal error: ${describe(error)}; ${NOTHING_LOST}`, { hint: DEFECT, ...stack });
}

/** A warning of a command that has no log. */
export function warn(message: string): void {
  process.stderr.write(`pannier: warning: ${message}\n`);
}
