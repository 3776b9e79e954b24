/** What others do between two system calls of pannier's core, which runs in this very process. */
import { AsyncLocalStorage } from "node:async_hooks";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

type SystemCall = (...values: unknown[]) => unknown;

/** By these it learns what there is. */
const CALLS = ["openSync", "lstatSync", "fstatSync", "readSync", "opendirSync"] as const;
const steps = new AsyncLocalStorage<() => void>();

for (const name of CALLS) {
  const call = fs[name] as SystemCall;
  Object.assign(fs, {
    [name](...values: unknown[]): unknown {
      const step = steps.getStore();
      // What the step does are no calls of pannier's.
      if (step !== undefined) steps.exit(step);
      return call(...values);
    },
  });
}
syncBuiltinESMExports();

/** Runs the action; before each of its system calls comes a step. */
export function stepBetween<T>(step: () => void, action: () => T): T {
  return steps.run(step, action);
}
