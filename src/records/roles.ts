import { Kind } from "./members.ts";

/**
 * What a member of a line can be in the record. For each role at most one member of a line is chosen; it goes out under the role's name.
 * A number each, so that tables can be indexed by it.
 */
export const Role = {
  none: 0,
  time: 1,
  level: 2,
  message: 3,
  logger: 4,
  thread: 5,
  pid: 6,
  host: 7,
  originFile: 8,
  originLine: 9,
  originFunction: 10,
  errorType: 11,
  errorMessage: 12,
  errorStack: 13,
  traceId: 14,
  spanId: 15,
  transactionId: 16,
  serviceName: 17,
  serviceVersion: 18,
  serviceEnvironment: 19,
  ecsVersion: 20,
  /** Roles whose value is taken apart: a caller `dir/file.go:12` or {file, line, function}, an error object or text, the text of a stack. */
  caller: 21,
  error: 22,
  stack: 23,
} as const;
export type RoleName = Exclude<keyof typeof Role, "none">;
export const ROLES = 24;

/** The record's name for a role. */
export const ROLE_FIELD: Readonly<Partial<Record<RoleName, string>>> = {
  time: "@timestamp",
  level: "log.level",
  message: "message",
  logger: "log.logger",
  thread: "process.thread.name",
  pid: "process.pid",
  host: "host.name",
  originFile: "log.origin.file.name",
  originLine: "log.origin.file.line",
  originFunction: "log.origin.function",
  errorType: "error.type",
  errorMessage: "error.message",
  errorStack: "error.stack_trace",
  traceId: "trace.id",
  spanId: "span.id",
  transactionId: "transaction.id",
  serviceName: "service.name",
  serviceVersion: "service.version",
  serviceEnvironment: "service.environment",
  ecsVersion: "ecs.version",
};

const text = 1 << Kind.text;
const number = 1 << Kind.number;

/** Kinds of value (1 << kind) that a role looks at: index role. Times and levels of any kind, since those that are none go to `app.`. */
export const ROLE_KINDS: Uint8Array = new Uint8Array(ROLES).fill(text);
ROLE_KINDS[Role.time] = 0xff;
ROLE_KINDS[Role.level] = 0xff;
ROLE_KINDS[Role.message] = 0xff & ~(1 << Kind.null);
ROLE_KINDS[Role.pid] = number;
ROLE_KINDS[Role.originLine] = number;
