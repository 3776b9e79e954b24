import type { RoleName } from "../roles.ts";

/** Names of levels in a record. */
export type Level = "trace" | "debug" | "info" | "notice" | "warn" | "error" | "critical" | "alert" | "fatal";

/** How one logger writes. A table, not code: adding a logger is adding an entry to `index.ts`. */
export interface Dialect {
  readonly name: string;
  /**
   * A line is of this dialect when all facts of one of these sets hold: `key` (a member at the top) or `key:kind` (of that kind). An
   * opened ECS name (`ecs.version`) holds in both spellings. Empty: every line.
   */
  readonly when: readonly (readonly string[])[];
  /** Facts that rule it out. */
  readonly unless?: readonly string[];
  /** Keys by what they are, best first. */
  readonly keys: Readonly<Partial<Record<RoleName, readonly string[]>>>;
  /** What this logger writes for each level, lower case; a number as its digits. */
  readonly levels: Readonly<Record<string, Level>>;
  /** Containers that trace and span ids are taken out of; the rest of them stays. */
  readonly idContainers: readonly string[];
}

/** `{ trace: "trace silly" }` → `{ trace: "trace", silly: "trace" }` */
export function levels(table: Readonly<Partial<Record<Level, string>>>): Record<string, Level> {
  const result: Record<string, Level> = {};
  for (const [level, names] of Object.entries(table)) {
    for (const name of names.split(" ")) result[name] = level as Level;
  }
  return result;
}
