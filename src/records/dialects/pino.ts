import type { Dialect } from "./dialect.ts";
import { generic, LEVEL_NAMES } from "./generic.ts";

/**
 * pino: a number as level. `base: null` leaves out pid and hostname, and a time function may write text, so that the time, the
 * message and the level together are enough.
 */
export const pino: Dialect = {
  name: "pino",
  when: [
    ["level:number", "time", "pid"],
    ["level:number", "time", "msg"],
  ],
  unless: ["v"],
  keys: { ...generic.keys, message: ["msg", "message"] },
  levels: { ...LEVEL_NAMES, 10: "trace", 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "fatal" },
  idContainers: generic.idContainers,
};
