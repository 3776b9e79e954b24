import { type Loaded, loadConfig } from "../../config/load.ts";
import { keepHeapSmall } from "../../core/collect.ts";
import type { ExitCode } from "../../core/errors.ts";
import { formatSize } from "../../core/units.ts";
import type { Environment } from "../../config/variables.ts";
import { listenForSignals } from "../../signals.ts";
import { type ProcessLog, createLog } from "../../telemetry/log.ts";
import type { Arguments } from "../arguments.ts";
import { estimates } from "../estimates.ts";
import { exitCodeOf, logFatal } from "../report.ts";
import { secretValues } from "../secrets.ts";
import { podNameOf, presentIn, serviceNameOf } from "../surroundings.ts";

/** Follows and ships. What is wrong before the log is set up is thrown; after that it is in the log. */
export async function run({ flags, once }: Arguments, env: Environment): Promise<ExitCode> {
  // Before anything is said or loaded: as process 1 of a container it would not get a signal that nobody listens for.
  const signals = listenForSignals();
  keepHeapSmall();
  const serviceName = serviceNameOf(env);
  const load = (running?: Loaded): Loaded =>
    loadConfig({ flags, env, estimates: estimates(serviceName), needsInputs: true, running: running?.config });
  const loaded = load();
  // What is in flight while a reload goes on may still speak of the credentials before it.
  let secretive = [loaded.config];
  const log = createLog({ level: loaded.config.logLevel, secrets: () => secretive.flatMap(secretValues) });
  if (loaded.exposed !== undefined) log.warn("password_in_arguments", loaded.exposed);
  for (const warning of loaded.warnings) log.warn("config_warning", warning);
  logPlan(loaded, log);
  const fail = (error: unknown): ExitCode => {
    logFatal(error, log, loaded.config.logLevel === "debug");
    log.close();
    return exitCodeOf(error);
  };
  // Whatever was thrown past everybody left something half done that nobody knows of. The process ends as by `kill -9`, from
  // which every start recovers, and writes nothing more that this could be in.
  const onUncaught = (error: unknown): void => process.exit(fail(error));
  process.prependListener("uncaughtException", onUncaught);
  try {
    const { runAgent } = await import("../../agent.ts");
    return await runAgent({
      loaded,
      load,
      onReload: (next) => {
        secretive = [secretive.at(-1)!, next.config];
        log.setLevel(next.config.logLevel);
        logPlan(next, log);
      },
      once,
      log,
      serviceName,
      podName: podNameOf(env),
      podUid: presentIn(env, "POD_UID"),
      signals,
    });
  } catch (error) {
    return fail(error);
  } finally {
    process.off("uncaughtException", onUncaught);
    signals.close();
  }
}

function logPlan({ plan, file }: Loaded, log: ProcessLog): void {
  log.info("memory_plan", `buffers take ${formatSize(plan.plannedBytes)} of ${formatSize(plan.limitBytes)}`, {
    config_file: file ?? null,
    limit_bytes: plan.limitBytes,
    planned_bytes: plan.plannedBytes,
    pools: Object.fromEntries(plan.lines.map((line) => [line.name, line.bytes])),
  });
}
