import type { ElasticsearchConfig } from "../core/config.ts";
import { BATCH_MAX_BYTES, IN_FLIGHT_MAX } from "../core/limits.ts";
import { type Path, type Problem, quote } from "./problems.ts";
import type { ParsedSink } from "./schema.ts";
import { type Report, reporter, serverOf } from "./server.ts";
import type { Replaced } from "./variables.ts";

type Parsed = Extract<ParsedSink, { type: "elasticsearch" }>;

/** An Elasticsearch sink with what no schema can see checked. */
export function elasticsearchSink(
  sink: Parsed,
  name: string,
  where: Path,
  replaced: Replaced,
  problems: Problem[],
): ElasticsearchConfig {
  const report = reporter(where, problems);
  const server = serverOf(sink, where, replaced, report);
  if (sink.data_stream !== undefined && sink.index !== undefined)
    report(["index"], "`data_stream` and `index` exclude each other");
  const target =
    sink.index === undefined ? { dataStream: sink.data_stream ?? "logs-pannier-default" } : { index: sink.index };
  checkName(sink.index === undefined ? "data_stream" : "index", target.index ?? target.dataStream ?? "", report);
  return {
    type: "elasticsearch",
    name,
    ...(sink.was === undefined ? {} : { was: sink.was }),
    ...server,
    ...target,
    manageTemplate: sink.manage_template,
    timestampType: sink.timestamp_type,
    batch: {
      maxBytes: sink.batch.max_bytes ?? BATCH_MAX_BYTES,
      maxAgeMs: sink.batch.max_age,
      inFlight: sink.batch.in_flight ?? IN_FLIGHT_MAX,
      compression: sink.batch.compression,
    },
    deadLetters: { maxBytes: sink.dead_letters.max_bytes, whenFull: sink.dead_letters.when_full },
  };
}

/** Elasticsearch's rules for names of data streams, indices and aliases. */
function checkName(key: "data_stream" | "index", name: string, report: Report): void {
  const bad = /[A-Z\\/*?"<>| ,#:]/.exec(name)?.[0];
  if (bad !== undefined)
    report([key], `${quote(name, [])} is no valid name: Elasticsearch does not take ${JSON.stringify(bad)}`);
  else if (/^[-_+.]/.test(name)) report([key], `${quote(name, [])} is no valid name: it begins with "${name[0]}"`);
  else if (Buffer.byteLength(name) > 255) report([key], "the name is longer than 255 bytes");
}
