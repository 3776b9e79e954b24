import { loadConfig } from "../../config/load.ts";
import type { Environment } from "../../config/variables.ts";
import { systemClock } from "../../core/clock.ts";
import { GzipCompressor } from "../../batches/compress.ts";
import type { Config, InputConfig } from "../../core/config.ts";
import { describe, ExitCode, PannierError, systemCode } from "../../core/errors.ts";
import { REPLAY_ALONE_RECORD_BYTES } from "../../core/limits.ts";
import type { RecordEncoder } from "../../core/record.ts";
import type { RecordSource } from "../../core/sink.ts";
import { createRecordEncoder } from "../../records/encoder.ts";
import { askForReplay, letterEncoder, letterSinks, OTHER_FILES, replayAll, type SinkReplay } from "../../replay.ts";
import { createSink, type Surroundings } from "../../sinks/create.ts";
import { takeLock } from "../../state/lock.ts";
import { createLog } from "../../telemetry/log.ts";
import type { Arguments } from "../arguments.ts";
import { estimates } from "../estimates.ts";
import { warn } from "../report.ts";
import { secretValues } from "../secrets.ts";
import { podNameOf, serviceNameOf } from "../surroundings.ts";

/**
 * Sends the dead letters again: by the agent that runs on the state directory, which owns their files, else by itself, with
 * the directory locked meanwhile. 69 when a server was not reached or refused letters again; those stay.
 */
export async function replay({ flags, dryRun }: Arguments, env: Environment): Promise<ExitCode> {
  const serviceName = serviceNameOf(env);
  const podName = podNameOf(env);
  const { config, exposed, warnings } = loadConfig({
    flags,
    env,
    estimates: estimates(serviceName),
    needsInputs: false,
  });
  if (exposed !== undefined) warn(exposed);
  for (const warning of warnings) warn(warning);
  const results =
    (await askForReplay(config.stateDir, dryRun)) ?? (await replayAlone(config, dryRun, { serviceName, podName }));
  process.stdout.write(results.map((result) => describeReplay(result, dryRun)).join(""));
  const failed = results.some(({ stopped, refused }) => stopped !== undefined || refused > 0);
  return failed ? ExitCode.unavailable : ExitCode.ok;
}

async function replayAlone(
  config: Config,
  dryRun: boolean,
  { serviceName, podName }: Omit<Surroundings, "inputs">,
): Promise<SinkReplay[]> {
  const lock = await takeLock(config.stateDir).catch((error: unknown) => {
    if (error instanceof PannierError) throw error;
    const hint = systemCode(error) === "ENOENT" ? "Is it the state directory that `pannier run` uses?" : undefined;
    throw new PannierError("state_unusable", `cannot use the state directory ${config.stateDir}: ${describe(error)}`, {
      exitCode: ExitCode.state,
      cause: error,
      ...(hint === undefined ? {} : { hint }),
    });
  });
  const log = createLog({ level: config.logLevel, secrets: () => secretValues(config) });
  const encoderOf = (input: InputConfig | typeof OTHER_FILES): RecordEncoder =>
    createRecordEncoder({ ...input, ...(serviceName === undefined ? {} : { serviceName }) });
  const shipping = config.sinks.filter(({ type }) => type !== "stdout");
  const sinks = shipping.map((sink) =>
    createSink({
      // What the letters once were refused by may have been mended by hand: only `run` writes templates.
      config: sink.type === "elasticsearch" ? { ...sink, manageTemplate: false } : sink,
      surroundings: { inputs: config.inputs, serviceName, podName },
      stateDir: config.stateDir,
      source: NO_RECORDS,
      createCompressor: (outputBytes) => new GzipCompressor(outputBytes),
      maxRecordBytes: REPLAY_ALONE_RECORD_BYTES,
      log,
      clock: systemClock,
    }),
  );
  try {
    return await replayAll({
      sinks: letterSinks(sinks),
      encoder: letterEncoder(config.inputs, config.inputs.map(encoderOf), encoderOf(OTHER_FILES)),
      dryRun,
      signal: new AbortController().signal,
    });
  } finally {
    await Promise.all(sinks.map((sink) => sink.stop()));
    log.close();
    await lock.release();
  }
}

/** Nothing is read from files here; letters have their lines with them. */
const NO_RECORDS = new Proxy<RecordSource>({} as RecordSource, {
  get: (_, name) => {
    throw new Error(`a replay has no records to ask for: ${String(name)}`);
  },
});

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
