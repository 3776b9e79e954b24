import type { Estimates } from "../config/plan.ts";
import type { Environment } from "../config/variables.ts";
import { ESCAPE_FACTOR } from "../core/limits.ts";

/** What the stages say about their own buffers, for the memory plan. */
export async function estimates(env: Environment): Promise<Estimates> {
  void env;
  return {
    recordBytes: (input) => ESCAPE_FACTOR * input.maxLineBytes + 32_768 + JSON.stringify(input.fields).length,
    sinkPools: () => [],
    shared: [],
  };
}
