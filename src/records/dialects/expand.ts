import type { RoleName } from "../roles.ts";
import type { Dialect } from "./dialect.ts";

type Keys = Partial<Record<RoleName, readonly string[]>>;

/** Where an error object of any logger says what it is, best first. */
const IN_ERROR: Keys = {
  errorType: ["type", "name", "class", "className", "exception_class"],
  errorMessage: ["message", "msg", "exception_message"],
  errorStack: ["stack_trace", "stack", "stacktrace", "extendedStackTrace"],
};

/** Where a caller object says it. */
const IN_CALLER: Keys = {
  originFile: ["file", "filename"],
  originLine: ["line"],
  originFunction: ["function", "func"],
};

/** Where a container of context says which trace a line belongs to. */
const IN_CONTEXT: Keys = {
  traceId: ["trace.id", "trace_id", "traceId", "traceID", "TraceId"],
  spanId: ["span.id", "span_id", "spanId", "SpanId"],
};

/** All keys of a dialect by role, best first, those inside of objects as dotted names. */
export function expandKeys(dialect: Dialect): Map<RoleName, string[]> {
  const result = new Map<RoleName, string[]>();
  const add = (keys: Keys, prefix: string): void => {
    for (const [role, list] of Object.entries(keys) as [RoleName, readonly string[]][]) {
      const known = result.get(role) ?? [];
      for (const key of list) if (!known.includes(prefix + key)) known.push(prefix + key);
      result.set(role, known);
    }
  };
  add(dialect.keys, "");
  for (const name of dialect.keys.error ?? []) add(IN_ERROR, `${name}.`);
  for (const name of dialect.keys.caller ?? []) add(IN_CALLER, `${name}.`);
  for (const name of dialect.idContainers) add(IN_CONTEXT, `${name}.`);
  return result;
}

/** Names of objects that members are taken out of, the rest staying. */
export function pickedNames(dialect: Dialect): string[] {
  return [...(dialect.keys.error ?? []), ...(dialect.keys.caller ?? []), ...dialect.idContainers];
}
