import type { Sink } from "../core/sink.ts";
import type { ReplayResult, ReplayRun } from "./replay.ts";

/** A sink that has dead letters. */
export interface ReplayingSink extends Sink {
  /** Sends them again, under the same ids; those refused again stay. */
  replay(run: ReplayRun): Promise<ReplayResult>;
}
