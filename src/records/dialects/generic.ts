import { levels } from "./dialect.ts";
import type { Dialect } from "./dialect.ts";

/** Names of levels in all loggers. A number means nothing here: 30 is a warning to one logger and information to another. */
export const LEVEL_NAMES = levels({
  trace: "trace silly finest",
  debug: "debug dbug d finer fine config verbose",
  info: "info information informational i http",
  notice: "notice success",
  warn: "warn warning w",
  error: "error err eror e severe",
  critical: "critical crit dpanic",
  alert: "alert panic",
  fatal: "fatal emerg emergency",
});

/** JSON of a logger that is not known by its looks: the usual names. */
export const generic: Dialect = {
  name: "generic",
  when: [],
  keys: {
    time: ["time", "timestamp", "ts", "@timestamp", "date", "datetime", "eventTime"],
    level: ["log.level", "level", "severity", "lvl", "loglevel", "log_level", "levelname"],
    message: ["message", "msg", "_msg", "event", "log", "text", "body", "short_message"],
    logger: ["log.logger", "logger", "name", "loggerName", "logger_name", "category", "target", "SourceContext"],
    thread: ["process.thread.name", "thread", "threadName", "thread_name"],
    pid: ["process.pid", "pid", "process"],
    host: ["host.name", "hostname", "host", "source_host"],
    originFile: ["log.origin.file.name", "filename"],
    originLine: ["log.origin.file.line", "line_number"],
    originFunction: ["log.origin.function", "func"],
    caller: ["caller", "source", "src"],
    errorType: ["error.type"],
    errorMessage: ["error.message"],
    errorStack: ["error.stack_trace"],
    error: ["err", "error", "exception", "thrown", "throwable", "@x", "exc_info"],
    stack: ["stack", "stacktrace", "stack_trace", "errorVerbose"],
    traceId: ["trace.id", "trace_id", "traceId", "traceID", "TraceId", "@tr", "dd.trace_id", "X-B3-TraceId"],
    spanId: ["span.id", "span_id", "spanId", "SpanId", "@sp", "dd.span_id"],
    transactionId: ["transaction.id"],
    serviceName: ["service.name", "service", "service_name", "app", "application"],
    serviceVersion: ["service.version", "service_version"],
    serviceEnvironment: ["service.environment", "service_environment"],
    ecsVersion: ["ecs.version"],
  },
  levels: LEVEL_NAMES,
  idContainers: ["contextMap", "mdc", "labels", "extra"],
};
