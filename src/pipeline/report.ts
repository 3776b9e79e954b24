import { PannierError, describe } from "../core/errors.ts";
import type { Log } from "../core/log.ts";

/** Says why a sink's pipeline waits: its state cannot be written, or, which is a defect, something else went wrong. */
export function reportWaiting(log: Log, sink: string, error: unknown): void {
  if (error instanceof PannierError) {
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    log.error(error.code, `${sink}: ${error.message}`, { sink, ...hint });
  } else log.error("pipeline_failed", `${sink}: ${describe(error)}; it is tried again, no line is lost`, { sink });
}
