import { stringify } from "yaml";
import type { BatchConfig, Config, InputConfig, ListenConfig, MemoryPlan, Secret, SinkConfig } from "../core/config.ts";
import { formatDuration, formatSize } from "../core/units.ts";
import { PartsSecret } from "./secret.ts";
import { escape } from "./variables.ts";

const MASK = "********";

/** The effective configuration as a file would say it, every default in it and secrets masked. */
export function printConfig(config: Config): string {
  return stringify(
    {
      version: 1,
      state_dir: escape(config.stateDir),
      memory: { limit: exactSize(config.memoryLimitBytes) },
      drain: { deadline: formatDuration(config.drainDeadlineMs) },
      admin: { listen: address(config.admin) },
      health: { listen: address(config.health) },
      watch_config: config.watchConfig,
      max_open_files: config.maxOpenFiles,
      allow_links_into: config.allowLinksInto.map(escape),
      log: { level: config.logLevel },
      inputs: config.inputs.map(input),
      sinks: config.sinks.map(sink),
    },
    { lineWidth: 0 },
  );
}

/** The plan as comments below the configuration, so that the whole stays YAML. */
export function printPlan(plan: MemoryPlan): string {
  const width = Math.max(...plan.lines.map((line) => line.name.length));
  return [
    `# memory plan: ${formatSize(plan.plannedBytes)} of ${formatSize(plan.limitBytes)}`,
    ...plan.lines.map((line) => `#   ${line.name.padEnd(width)}  ${formatSize(line.bytes).padStart(9)}`),
    "# Node itself takes about 60 MiB resident on top.",
    "",
  ].join("\n");
}

function address(listen: ListenConfig | undefined): string {
  if (listen === undefined) return "off";
  return `${listen.host.includes(":") ? `[${listen.host}]` : listen.host}:${listen.port}`;
}

function input(config: InputConfig): object {
  return {
    paths: config.paths.map(escape),
    exclude: config.exclude.map(escape),
    start_at: config.startAt,
    format: config.format,
    max_line_bytes: exactSize(config.maxLineBytes),
    timezone: config.timezone,
    fields: escapeAll(config.fields),
    reclaim: config.reclaim,
  };
}

function sink(config: SinkConfig): object {
  const common = { name: config.name, ...(config.was === undefined ? {} : { was: config.was }), type: config.type };
  const batch = { max_bytes: exactSize(config.batch.maxBytes), max_age: formatDuration(config.batch.maxAgeMs) };
  if (config.type === "stdout") return { ...common, batch };
  const server = {
    ...common,
    urls: config.urls.map(escape),
    auth: defined({
      api_key: masked(config.auth.apiKey),
      username: config.auth.username === undefined ? undefined : escape(config.auth.username),
      password: masked(config.auth.password),
      bearer: masked(config.auth.bearer),
      token: masked(config.auth.token),
    }),
    tls: escapeAll(
      defined({ ca: config.tls.ca, cert: config.tls.cert, key: config.tls.key, server_name: config.tls.serverName }),
    ),
  };
  const deadLetters = { max_bytes: exactSize(config.deadLetters.maxBytes), when_full: config.deadLetters.whenFull };
  if (config.type === "loki")
    return {
      ...server,
      ...(config.tenant === undefined ? {} : { tenant: escape(config.tenant) }),
      labels: escapeAll(config.labels),
      line: config.line,
      structured_metadata: config.structuredMetadata,
      encoding: config.encoding,
      batch: { ...batch, in_flight: config.batch.inFlight },
      dead_letters: deadLetters,
    };
  if (config.type === "splunk")
    return {
      ...server,
      ...(escapeAll(
        defined({ index: config.index, sourcetype: config.sourcetype, source: config.source, host: config.host }),
      ) as object),
      event_id: config.eventId,
      batch: { ...batch, ...flight(config.batch) },
      dead_letters: deadLetters,
    };
  return {
    ...server,
    ...(config.index === undefined ? { data_stream: config.dataStream } : { index: config.index }),
    manage_template: config.manageTemplate,
    timestamp_type: config.timestampType,
    batch: { ...batch, ...flight(config.batch) },
    dead_letters: deadLetters,
  };
}

function flight(batch: BatchConfig): object {
  return { in_flight: batch.inFlight, compression: batch.compression };
}

/** A secret that is one file is named by it: the path is none. */
function masked(secret: Secret | undefined): string | undefined {
  if (secret === undefined) return undefined;
  const file = secret instanceof PartsSecret ? secret.path : undefined;
  return file === undefined ? MASK : `\${file:${file}}`;
}

function defined(values: Readonly<Record<string, string | undefined>>): object {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function escapeAll(value: unknown): unknown {
  if (typeof value === "string") return escape(value);
  if (Array.isArray(value)) return value.map(escapeAll);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, escapeAll(child)]));
}

/** A size that means the same number when it is read again: the largest unit without a fraction. */
function exactSize(bytes: number): string {
  for (const [unit, factor] of [
    ["GiB", 1024 ** 3],
    ["MiB", 1024 ** 2],
    ["KiB", 1024],
  ] as const) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return `${bytes}B`;
}
