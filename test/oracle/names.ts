/** The tables of fields.md that the oracle needs: the loggers' names for a thing, in order of preference. */

export const TIME_KEYS = ["time", "timestamp", "ts", "@timestamp", "date", "datetime", "eventTime"];
export const LEVEL_KEYS = ["level", "severity", "lvl", "loglevel", "log_level", "levelname"];
export const MESSAGE_KEYS = ["message", "msg", "_msg", "event", "log", "text", "body", "short_message"];

/** Names of fields that hold text, by their ECS name. */
export const TEXT_KEYS: Readonly<Record<string, readonly string[]>> = {
  "log.logger": ["logger", "name", "loggerName", "logger_name", "category", "target", "SourceContext"],
  "process.thread.name": ["thread", "threadName", "thread_name"],
  "host.name": ["hostname", "host", "source_host"],
  "service.name": ["service", "service_name", "app", "application"],
};

export const PID_KEYS = ["pid", "process"];
export const ERROR_KEYS = ["err", "error", "exception", "thrown", "throwable"];
export const STACK_KEYS = ["stack", "stacktrace", "stack_trace"];
export const TRACE_KEYS = ["trace_id", "traceId", "traceID", "TraceId"];
export const SPAN_KEYS = ["span_id", "spanId", "SpanId"];

export const PINO_LEVELS: Readonly<Record<string, string>> = {
  10: "trace",
  20: "debug",
  30: "info",
  40: "warn",
  50: "error",
  60: "fatal",
};

export const LEVELS: Readonly<Record<string, readonly string[]>> = {
  trace: ["trace", "finest", "silly"],
  debug: ["debug", "finer", "fine", "config", "dbug", "dbg", "d"],
  info: ["info", "information", "informational", "i"],
  notice: ["notice", "success"],
  warn: ["warn", "warning", "w"],
  error: ["error", "err", "eror", "e", "severe"],
  critical: ["critical", "crit", "dpanic"],
  alert: ["alert", "panic"],
  fatal: ["fatal", "emerg", "emergency"],
};

/** Top-level names that are objects in ECS and that loggers also use for something else. */
export const ECS_OBJECTS = [
  "ecs",
  "error",
  "event",
  "host",
  "log",
  "process",
  "service",
  "span",
  "trace",
  "transaction",
];

/** Names that only pannier may give. */
export const OWN_KEYS = ["log.file.path", "log.offset"];
