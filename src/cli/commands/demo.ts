import type { ExitCode } from "../../core/errors.ts";
import { runDemo } from "../../demo/run.ts";
import type { Arguments } from "../arguments.ts";

/** Shows pannier at work, with nothing but Node. */
export function demo({ seconds }: Arguments): Promise<ExitCode> {
  return runDemo(seconds === undefined ? {} : { seconds });
}
