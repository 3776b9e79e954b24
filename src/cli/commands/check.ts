import { loadConfig } from "../../config/load.ts";
import { printConfig, printPlan } from "../../config/print.ts";
import type { Environment } from "../../config/variables.ts";
import { ExitCode } from "../../core/errors.ts";
import type { Arguments } from "../arguments.ts";
import { estimates } from "../estimates.ts";
import { overlapWarnings } from "../overlaps.ts";
import { warn } from "../report.ts";
import { serviceNameOf } from "../surroundings.ts";

/** Validates, and prints the effective configuration with the memory plan. Throws what is wrong. */
export function check({ flags }: Arguments, env: Environment): ExitCode {
  const { config, plan, exposed, warnings } = loadConfig({
    flags,
    env,
    estimates: estimates(serviceNameOf(env)),
    needsInputs: true,
  });
  if (exposed !== undefined) warn(exposed);
  for (const warning of [...warnings, ...overlapWarnings(config.inputs)]) warn(warning);
  process.stdout.write(printConfig(config) + printPlan(plan));
  return ExitCode.ok;
}
