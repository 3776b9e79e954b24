import type { Environment } from "../../config/variables.ts";
import type { ExitCode } from "../../core/errors.ts";
import type { Arguments } from "../arguments.ts";
export async function replay(_: Arguments, __: Environment): Promise<ExitCode> {
  return 0;
}
