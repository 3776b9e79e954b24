import { loadConfig } from "../../config/load.ts";
import type { ExitCode } from "../../core/errors.ts";
import { formatSize } from "../../core/units.ts";
import type { Environment } from "../../config/variables.ts";
import { listenForStop } from "../../signals.ts";
import { createLog } from "../../telemetry/log.ts";
import type { Arguments } from "../arguments.ts";
import { estimates } from "../estimates.ts";
import { exitCodeOf, logFatal } from "../report.ts";
import { secretValues } from "../secrets.ts";
import { presentIn, serviceNameOf } from "../surroundings.ts";

/** Follows and ships. What is wrong before the log is set up is thrown; after that it is in the log. */
export async function run({ flags, once }: Arguments, env: Environment): Promise<ExitCode> {
  // Before anything is said or loaded: as process 1 of a container it would not get a signal that nobody listens for.
  const signals = listenForStop();
  const serviceName = serviceNameOf(env);
  const { config, plan, warnings, file } = loadConfig({
    flags,
    env,
    estimates: estimates(serviceName),
    needsInputs: true,
  });
  const log = createLog({ level: config.logLevel, secrets: () => secretValues(config) });
  for (const warning of warnings) log.warn("config_warning", warning);
  log.info("memory_plan", `buffers take ${formatSize(plan.plannedBytes)} of ${formatSize(plan.limitBytes)}`, {
    config_file: file ?? null,
    limit_bytes: plan.limitBytes,
    planned_bytes: plan.plannedBytes,
    pools: Object.fromEntries(plan.lines.map((line) => [line.name, line.bytes])),
  });
  try {
    const { runAgent } = await import("../../agent.ts");
    return await runAgent({
      config,
      plan,
      once,
      log,
      serviceName,
      podUid: presentIn(env, "POD_UID"),
      signals,
    });
  } catch (error) {
    logFatal(error, log, config.logLevel === "debug");
    log.close();
    return exitCodeOf(error);
  } finally {
    signals.close();
  }
}
