import { loadConfig } from "../../config/load.ts";
import type { Environment } from "../../config/variables.ts";
import { systemClock } from "../../core/clock.ts";
import type { Config } from "../../core/config.ts";
import { describe, ExitCode, PannierError, systemCode } from "../../core/errors.ts";
import { askForReplay, replayAll, type SinkReplay } from "../../replay.ts";
import { openDeadLetters } from "../../sinks/create.ts";
import type { DeadLetters } from "../../sinks/dead-letters.ts";
import { takeLock } from "../../state/lock.ts";
import { createLog } from "../../telemetry/log.ts";
import type { Arguments } from "../arguments.ts";
import { estimates } from "../estimates.ts";
import { warn } from "../report.ts";
import { secretValues } from "../secrets.ts";
import { serviceNameOf } from "../surroundings.ts";

/**
 * Sends the dead letters again: by the agent that runs on the state directory, which owns their files, else by itself, with
 * the directory locked meanwhile. 69 when a server was not reached or refused letters again; those stay.
 */
export async function replay({ flags, dryRun }: Arguments, env: Environment): Promise<ExitCode> {
  const serviceName = serviceNameOf(env);
  const { config, warnings } = loadConfig({ flags, env, estimates: estimates(serviceName), needsInputs: false });
  for (const warning of warnings) warn(warning);
  const results = (await askForReplay(config.stateDir, dryRun)) ?? (await replayAlone(config, dryRun, serviceName));
  process.stdout.write(results.map((result) => describeReplay(result, dryRun)).join(""));
  const failed = results.some(({ stopped, refused }) => stopped !== undefined || refused > 0);
  return failed ? ExitCode.unavailable : ExitCode.ok;
}

async function replayAlone(config: Config, dryRun: boolean, serviceName: string | undefined): Promise<SinkReplay[]> {
  const lock = await takeLock(config.stateDir).catch((error: unknown) => {
    if (error instanceof PannierError) throw error;
    const hint = systemCode(error) === "ENOENT" ? "Is it the state directory that `pannier run` uses?" : undefined;
    throw new PannierError("state_unusable", `cannot use the state directory ${config.stateDir}: ${describe(error)}`, {
      exitCode: ExitCode.state,
      cause: error,
      ...(hint === undefined ? {} : { hint }),
    });
  });
  const opened: DeadLetters[] = [];
  const log = createLog({ level: config.logLevel, secrets: () => secretValues(config) });
  try {
    return await replayAll({
      config,
      serviceName,
      deadLettersOf: (sink) => {
        const letters = openDeadLetters(sink, config.stateDir);
        opened.push(letters);
        return letters;
      },
      dryRun,
      log,
      clock: systemClock,
      signal: new AbortController().signal,
    });
  } finally {
    await Promise.all(opened.map((letters) => letters.close()));
    log.close();
    await lock.release();
  }
}

/** One line for a sink, and below it why letters were refused, or why the rest was not sent. */
export function describeReplay(
  { sink, letters, delivered, refused, reasons, stopped }: SinkReplay,
  dryRun: boolean,
): string {
  const outcome = dryRun ? "would be sent" : `delivered ${delivered}, refused again ${refused}`;
  const lines = [
    `${sink}: ${letters} dead ${letters === 1 ? "letter" : "letters"}${letters === 0 ? "" : `, ${outcome}`}`,
  ];
  if (stopped !== undefined) lines.push(`  stopped: ${stopped.message}`);
  return [...lines, ...reasons.map((reason) => `  ${reason}`), ""].join("\n");
}
