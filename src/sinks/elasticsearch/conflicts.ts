import type { Conflict, LookUp } from "../destination.ts";
import type { Carrier } from "../http/carrier.ts";
import { callControl, member } from "../http/control.ts";
import { sameInstant } from "./instant.ts";
import { describeFailure } from "../http/failure.ts";
import { describeError } from "./problem.ts";

/**
 * Compares the events of unexpected conflicts with those that have their ids, by one `_mget` in the indices that the answer
 * named: ids are unique per backing index. The id covers every byte of the line, so only the time can differ.
 */
export async function lookUpConflicts(
  carrier: Carrier,
  plainIndex: string | undefined,
  conflicts: readonly Conflict[],
  signal: AbortSignal,
): Promise<LookUp> {
  const asked = conflicts.filter(({ place }) => (place ?? plainIndex) !== undefined);
  const same = new Set<number>();
  if (asked.length === 0) return { kind: "found", same };
  const docs = asked.map(({ id, place }) => ({ _index: place ?? plainIndex, _id: id, _source: ["@timestamp"] }));
  const call = { method: "POST", path: "/_mget?filter_path=docs._id,docs.found,docs._source", body: { docs } };
  const answer = await callControl(carrier, call, signal);
  if ("kind" in answer) return { kind: "retry", problem: describeFailure(answer.code, answer.message, answer.origin) };
  const { status, type, reason, origin } = answer;
  // A key that may only write cannot read; that is the normal case, and an answer.
  if (status === 429 || status >= 500) return { kind: "retry", problem: describeError(status, type, reason, origin) };
  const found = member(answer.json, "docs");
  if (status !== 200 || !Array.isArray(found) || found.length !== asked.length) return { kind: "found", same };
  for (const [i, conflict] of asked.entries()) {
    const stored = timestampOf(member(found[i], "_source"));
    if (sameInstant(timestampOf(JSON.parse(conflict.document.toString())), stored)) same.add(conflict.position);
  }
  return { kind: "found", same };
}

function timestampOf(document: unknown): unknown {
  return member(document, "@timestamp");
}
