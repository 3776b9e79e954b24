import path from "node:path";
import type { Config, InputConfig, ListenConfig, SinkConfig, StdoutConfig } from "../core/config.ts";
import { BATCH_MAX_BYTES } from "../core/limits.ts";
import { elasticsearchSink } from "./elasticsearch.ts";
import { flattenFields } from "./fields.ts";
import { lokiSink } from "./loki.ts";
import { type Path, type Problem, valueAt } from "./problems.ts";
import type { ParsedConfig, ParsedSink } from "./schema.ts";
import { splunkSink } from "./splunk.ts";
import type { Replaced } from "./variables.ts";

/** Which sizes the user wrote: only those can make a plan impossible. */
export interface Explicit {
  readonly limit: boolean;
  readonly maxLineBytes: boolean;
  /** By sink. */
  readonly maxBytes: readonly boolean[];
  readonly inFlight: readonly boolean[];
}

/** A configuration with the largest batches that it may have, before the memory plan fits them to the limit. */
export interface Draft {
  readonly config: Config;
  readonly explicit: Explicit;
  readonly problems: readonly Problem[];
}

/** Turns what was parsed into what the program works with, and finds what no schema can see. */
export function draft(parsed: ParsedConfig, replaced: Replaced): Draft {
  const problems: Problem[] = [];
  const names = sinkNames(parsed.sinks, problems);
  const written = (...keys: Path): boolean => valueAt(replaced.value, keys) !== undefined;
  const config: Config = {
    stateDir: path.resolve(parsed.state_dir),
    memoryLimitBytes: parsed.memory.limit,
    drainDeadlineMs: parsed.drain.deadline,
    admin: listener(parsed.admin.listen, written("admin", "listen")),
    health: listener(parsed.health.listen, written("health", "listen")),
    watchConfig: parsed.watch_config,
    maxOpenFiles: parsed.max_open_files,
    allowLinksInto: parsed.allow_links_into.map((directory) => path.resolve(directory)),
    logLevel: parsed.log.level,
    inputs: parsed.inputs.map((input, i) => inputConfig(input, ["inputs", i], problems)),
    sinks: parsed.sinks.map((sink, i) => sinkConfig(sink, names[i], ["sinks", i], replaced, problems)),
  };
  if (problems.length === 0) problems.push(...sharedDestinations(config.sinks));
  const explicit: Explicit = {
    limit: written("memory", "limit"),
    maxLineBytes: parsed.inputs.some((_, i) => written("inputs", i, "max_line_bytes")),
    maxBytes: parsed.sinks.map((sink) => sink.batch.max_bytes !== undefined),
    inFlight: parsed.sinks.map((sink) => sink.type === "stdout" || sink.batch.in_flight !== undefined),
  };
  return { config, explicit, problems };
}

function listener(address: { host: string; port: number } | undefined, explicit: boolean): ListenConfig | undefined {
  return address === undefined ? undefined : { ...address, explicit };
}

function inputConfig(input: ParsedConfig["inputs"][number], where: Path, problems: Problem[]): InputConfig {
  if (!isTimeZone(input.timezone)) {
    const message = `${JSON.stringify(input.timezone)} is no time zone that this Node knows`;
    problems.push({
      code: "config_value",
      path: [...where, "timezone"],
      message,
      hint: "Such as UTC, Europe/Berlin or +02:00.",
    });
  }
  const { fields, problems: found } = flattenFields(input.fields, [...where, "fields"]);
  problems.push(...found);
  return {
    paths: input.paths.map((file) => path.resolve(file)),
    exclude: input.exclude,
    startAt: input.start_at,
    format: input.format,
    maxLineBytes: input.max_line_bytes,
    timezone: input.timezone,
    fields,
    reclaim: input.reclaim,
  };
}

function isTimeZone(timeZone: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone }) instanceof Intl.DateTimeFormat;
  } catch {
    return false;
  }
}

function sinkConfig(sink: ParsedSink, name: string, where: Path, replaced: Replaced, problems: Problem[]): SinkConfig {
  if (sink.type === "elasticsearch") return elasticsearchSink(sink, name, where, replaced, problems);
  if (sink.type === "loki") return lokiSink(sink, name, where, replaced, problems);
  if (sink.type === "splunk") return splunkSink(sink, name, where, replaced, problems);
  const { max_bytes: maxBytes = BATCH_MAX_BYTES, max_age: maxAgeMs } = sink.batch;
  const stdout: StdoutConfig = {
    type: "stdout",
    name,
    batch: { maxBytes, maxAgeMs, inFlight: 1, compression: "none" },
  };
  return sink.was === undefined ? stdout : { ...stdout, was: sink.was };
}

/** The names that were given, and for the others their type, then TYPE-2, …: the first that is free. */
function sinkNames(sinks: readonly ParsedSink[], problems: Problem[]): string[] {
  const taken = new Set<string>();
  for (const [i, { name, was }] of sinks.entries()) {
    const repeated = name !== undefined && taken.has(name);
    if (repeated)
      problems.push({
        code: "config_duplicate_name",
        path: ["sinks", i, "name"],
        message: `another sink has the name "${name}"`,
      });
    if (name !== undefined) taken.add(name);
    if (was !== undefined && sinks.some((other, j) => other.name === was || (other.was === was && j < i))) {
      const message = `another sink has or had the name "${was}"`;
      problems.push({ code: "config_duplicate_name", path: ["sinks", i, "was"], message });
    }
  }
  return sinks.map(({ name, type }) => {
    if (name !== undefined) return name;
    let free: string = type;
    for (let n = 2; taken.has(free); n++) free = `${type}-${n}`;
    taken.add(free);
    return free;
  });
}

/** A text for each place that the sink writes to. */
function destinationsOf(sink: SinkConfig): string[] {
  if (sink.type === "stdout") return ["stdout"];
  if (sink.type === "loki") return sink.urls.map((url) => `${url} ${sink.tenant ?? ""}`);
  if (sink.type === "splunk") return sink.urls.map((url) => `${url} ${sink.index ?? ""}`);
  return sink.urls.map((url) => `${url} ${sink.index ?? ""} ${sink.dataStream ?? ""}`);
}

/** Two sinks with one destination would send everything twice. */
function sharedDestinations(sinks: readonly SinkConfig[]): Problem[] {
  const seen = new Map<string, number>();
  return sinks.flatMap((sink, i) => {
    const keys = destinationsOf(sink);
    const first = keys.map((key) => seen.get(key)).find((index) => index !== undefined);
    for (const key of keys) if (!seen.has(key)) seen.set(key, i);
    if (first === undefined || first === i) return [];
    const message = `the same destination as sink "${sinks[first].name}": every line would arrive twice`;
    return [
      {
        code: "config_duplicate_destination",
        path: ["sinks", i],
        message,
        hint: "Give it another data stream, index or tenant, or remove it.",
      },
    ];
  });
}
