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

export type SinkConfig = ElasticsearchConfig | StdoutConfig;

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
  readonly maxOpenFiles: number;
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly inputs: readonly InputConfig[];
  readonly sinks: readonly SinkConfig[];
}
