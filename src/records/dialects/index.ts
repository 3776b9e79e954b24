import type { Dialect } from "./dialect.ts";
import { ecs } from "./ecs.ts";
import { generic } from "./generic.ts";
import { pino } from "./pino.ts";

/** The first whose facts hold is the line's dialect. The last holds for every line. */
export const DIALECTS: readonly Dialect[] = [ecs, pino, generic];
