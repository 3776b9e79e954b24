import type { HecAnswer } from "./answer.ts";

/**
 * What a request came to. `taken`: all of it. `event`: one of its events is refused for what it says. `content`: something in
 * it is refused. `busy`: it came at a bad time. `destination`: the collector or its settings are in the way. `failed`: the
 * collector failed, and perhaps because of what is in the request. `stranger`: no answer of a collector's.
 */
export type HecVerdict = "taken" | "event" | "content" | "busy" | "destination" | "failed" | "stranger";

/** The documented codes of the collector, and what each is about. */
const ABOUT: ReadonlyMap<number, HecVerdict> = new Map([
  [0, "taken"],
  // Token: disabled, required, invalid authorization, invalid.
  [1, "destination"],
  [2, "destination"],
  [3, "destination"],
  [4, "destination"],
  // No data.
  [5, "content"],
  // Invalid data format.
  [6, "event"],
  // Incorrect index: all events of a sink name the same one.
  [7, "destination"],
  // Internal server error.
  [8, "failed"],
  // Server is busy.
  [9, "busy"],
  // Data channel: missing, invalid.
  [10, "destination"],
  [11, "destination"],
  // Event field: required, blank.
  [12, "event"],
  [13, "event"],
  // Acknowledgement is disabled.
  [14, "destination"],
  // Error in handling indexed fields.
  [15, "event"],
  // Query string authorization is not enabled.
  [16, "destination"],
  // Unhealthy: queues full, acknowledgement service unavailable, both.
  [18, "destination"],
  [19, "destination"],
  [20, "destination"],
  // Token: invalid, disabled.
  [21, "destination"],
  [22, "destination"],
  // Server is shutting down.
  [23, "destination"],
  // At capacity: the queue, the channel of acknowledgements.
  [26, "busy"],
  [27, "busy"],
]);

/** A verdict by a closed list; what is not on it is read by its status. */
export function verdictOf(status: number, answer: HecAnswer | undefined): HecVerdict {
  if (status === 429) return "busy";
  const known = answer === undefined ? undefined : ABOUT.get(answer.code);
  // Success in words with an error in the status, or the other way round: something in between speaks as well.
  if (status === 200) return known === "taken" ? "taken" : "stranger";
  if (status < 400) return "stranger";
  if (known !== undefined && known !== "taken") return known;
  if (status === 400 && answer !== undefined) return answer.eventNumber === undefined ? "content" : "event";
  if (status === 401 || status === 403 || status === 404) return "destination";
  return "failed";
}
