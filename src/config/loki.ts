import type { LokiConfig } from "../core/config.ts";
import { BATCH_MAX_BYTES, IN_FLIGHT_MAX } from "../core/limits.ts";
import { LOKI_LABELS_MAX } from "../core/loki-limits.ts";
import type { Path, Problem } from "./problems.ts";
import type { ParsedSink } from "./schema.ts";
import { type Report, reporter, serverOf } from "./server.ts";
import type { Replaced } from "./variables.ts";

type Parsed = Extract<ParsedSink, { type: "loki" }>;

/** What may stand in braces in a label's value. */
const PLACEHOLDERS = /^(?:name|[1-9])$/;

/** A Loki sink with what no schema can see checked. */
export function lokiSink(sink: Parsed, name: string, where: Path, replaced: Replaced, problems: Problem[]): LokiConfig {
  const report = reporter(where, problems);
  const server = serverOf(sink, where, replaced, report);
  if (sink.auth.api_key !== undefined)
    report(["auth", "api_key"], "Loki knows no API keys", "Use bearer, or username and password.");
  checkLabels(sink.labels, report);
  return {
    type: "loki",
    name,
    ...(sink.was === undefined ? {} : { was: sink.was }),
    ...server,
    ...(sink.tenant === undefined ? {} : { tenant: sink.tenant }),
    labels: sink.labels,
    line: sink.line,
    structuredMetadata: sink.structured_metadata,
    encoding: sink.encoding,
    batch: {
      maxBytes: sink.batch.max_bytes ?? BATCH_MAX_BYTES,
      maxAgeMs: sink.batch.max_age,
      inFlight: sink.batch.in_flight ?? IN_FLIGHT_MAX,
      compression: "none",
    },
    deadLetters: { maxBytes: sink.dead_letters.max_bytes, whenFull: sink.dead_letters.when_full },
  };
}

function checkLabels(labels: Readonly<Record<string, string>>, report: Report): void {
  const names = Object.keys(labels);
  const count = new Set([...names, "service_name"]).size;
  if (count > LOKI_LABELS_MAX - 1)
    report(
      ["labels"],
      `${count} labels with service_name, and ${LOKI_LABELS_MAX - 1} are possible: Loki takes ${LOKI_LABELS_MAX} of a stream, and pannier needs one. ` +
        "Leave out what the line or its metadata (file, level, pod, trace_id) says anyway",
    );
  for (const [name, value] of Object.entries(labels)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      report(["labels", name], "no valid name of a label: letters, digits and _ only");
    else if (name.startsWith("__") || name === "pannier_backfill")
      report(["labels", name], "this name is Loki's or pannier's own");
    for (const [, part] of value.matchAll(/\{(\w*)\}/g))
      if (!PLACEHOLDERS.test(part))
        report(
          ["labels", name],
          `{${part}} stands for nothing`,
          "{1} to {9} are the directories below what is fixed in the input's path, {name} is the file's name up to its first dot.",
        );
  }
}
