/** The effective configuration: defaults filled in, variables replaced, units parsed. `config/` makes it, everyone reads it. */

export type Format = "auto" | "json" | "plain";

export interface InputConfig {
  readonly paths: readonly string[];
  readonly exclude: readonly string[];
  readonly startAt: "beginning" | "end";
  readonly format: Format;
  readonly maxLineBytes: number;
  readonly timezone: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** Whether rotated files are deleted once every sink has them. */
  readonly reclaim: "never" | "rotated";
}

/** A secret in the configuration: its value now. Values from `${file:…}` are read again when the file has changed. */
export interface Secret {
  read(): string;
}

export interface AuthConfig {
  readonly apiKey?: Secret;
  readonly username?: string;
  readonly password?: Secret;
  readonly bearer?: Secret;
  /** Splunk's. */
  readonly token?: Secret;
}

export interface TlsConfig {
  /** Paths of PEM files. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
}

export interface BatchConfig {
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  readonly inFlight: number;
  readonly compression: "gzip" | "none";
}

export interface DeadLettersConfig {
  readonly maxBytes: number;
  readonly whenFull: "stop" | "drop_oldest";
}

export interface ElasticsearchConfig {
  readonly type: "elasticsearch";
  readonly name: string;
  /** Name under which its cursors were kept before a rename. */
  readonly was?: string;
  readonly urls: readonly string[];
  readonly auth: AuthConfig;
  readonly tls: TlsConfig;
  /** Exactly one of the two is set. */
  readonly dataStream?: string;
  readonly index?: string;
  readonly manageTemplate: boolean;
  readonly timestampType: "date_nanos" | "date";
  readonly batch: BatchConfig;
  readonly deadLetters: DeadLettersConfig;
}

export interface StdoutConfig {
  readonly type: "stdout";
  readonly name: string;
  readonly was?: string;
  readonly batch: BatchConfig;
}

export interface LokiConfig {
  readonly type: "loki";
  readonly name: string;
  readonly was?: string;
  readonly urls: readonly string[];
  readonly auth: AuthConfig;
  readonly tls: TlsConfig;
  /** `X-Scope-OrgID`. */
  readonly tenant?: string;
  /** Templates by name; `service_name` may be missing. */
  readonly labels: Readonly<Record<string, string>>;
  readonly line: "original" | "record";
  readonly structuredMetadata: boolean;
  /** How pushes are written: protobuf with snappy, or JSON with gzip. */
  readonly encoding: "protobuf" | "json";
  readonly batch: BatchConfig;
  readonly deadLetters: DeadLettersConfig;
}

export interface SplunkConfig {
  readonly type: "splunk";
  readonly name: string;
  readonly was?: string;
  readonly urls: readonly string[];
  readonly auth: AuthConfig;
  readonly tls: TlsConfig;
  /** Of the token where not set. */
  readonly index?: string;
  readonly sourcetype: string;
  /** The file's path where not set. */
  readonly source?: string;
  /** The machine's name where not set. */
  readonly host?: string;
  /** Each event has its id in the indexed field `pannier_id`. */
  readonly eventId: boolean;
  readonly batch: BatchConfig;
  readonly deadLetters: DeadLettersConfig;
}

export type SinkConfig = ElasticsearchConfig | LokiConfig | SplunkConfig | StdoutConfig;

export interface ListenConfig {
  readonly host: string;
  readonly port: number;
  /** The user wrote it: a port in use ends the start (78) instead of a warning. */
  readonly explicit: boolean;
}

export interface Config {
  readonly stateDir: string;
  readonly memoryLimitBytes: number;
  readonly drainDeadlineMs: number;
  /** undefined: off. */
  readonly admin: ListenConfig | undefined;
  readonly health: ListenConfig | undefined;
  /** Reload when its file has changed. */
  readonly watchConfig: boolean;
  readonly maxOpenFiles: number;
  /** Directories that links inside the watched ones may point into. */
  readonly allowLinksInto: readonly string[];
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly inputs: readonly InputConfig[];
  readonly sinks: readonly SinkConfig[];
}

/** What the memory plan gives to one sink. */
export interface SinkPlan {
  readonly name: string;
  /** Batches: one that fills and `in_flight` that are sent. */
  readonly batches: number;
  /** Buffer of each: at least the largest record. A batch is sealed at `batch.maxBytes`, one large record may exceed that. */
  readonly batchBufferBytes: number;
}

/** One pool of the plan, as it is printed: `{ name: "read buffer", bytes: 335872 }`. */
export interface PlanLine {
  readonly name: string;
  readonly bytes: number;
}

/** Every byte that can be held, taken from fixed pools (design idea 2). `plannedBytes` is the sum of the lines and at most the limit. */
export interface MemoryPlan {
  readonly limitBytes: number;
  readonly plannedBytes: number;
  /** The one read buffer that all sinks share: the largest line, its tail and what is read beyond it. */
  readonly readBufferBytes: number;
  /** Largest document of any input, escaped, with its fields. */
  readonly maxRecordBytes: number;
  /** In the order of `Config.sinks`. */
  readonly sinks: readonly SinkPlan[];
  readonly lines: readonly PlanLine[];
}
