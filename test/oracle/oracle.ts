/**
 * An independent word on what a line must become. It is written from the tables of the loggers' fields and from the contract
 * alone, with `JSON.parse` and plain objects, and shares no code with the agent: what both say is very likely right.
 *
 * It covers pino, ecs-logging, generic JSON and plain text. It does not cover duplicate and metadata keys or size cuts, which
 * `JSON.parse` cannot see; the hostile file has tests of its own for them.
 */
import {
  ECS_OBJECTS,
  ERROR_KEYS,
  LEVEL_KEYS,
  LEVELS,
  MESSAGE_KEYS,
  OWN_KEYS,
  PID_KEYS,
  PINO_LEVELS,
  SPAN_KEYS,
  STACK_KEYS,
  TEXT_KEYS,
  TIME_KEYS,
  TRACE_KEYS,
} from "./names.ts";
import { nearEnough, nsToText, numberToNs, textToNs } from "./times.ts";

export interface OracleContext {
  readonly path: string;
  readonly offset: number;
  /** `@timestamp` of the record before it in the file. */
  readonly timeBefore: string | undefined;
  /** The file's modification time when it was first seen, milliseconds since 1970. */
  readonly firstSeenMs: number;
}

export type Fields = Record<string, unknown>;

interface Parsed {
  readonly fields: Fields;
  /** Numbers at the top as they are written, since a double cannot hold nanoseconds since 1970. */
  readonly sources: Fields;
}

/** The document that the line must become, flattened to dotted names; undefined when it must be filtered. */
export function expectedDocument(line: Buffer, context: OracleContext): Fields | undefined {
  const text = line.toString("utf8");
  if (text.trim() === "") return undefined;
  const parsed = parseObject(text);
  const document: Fields = {};
  if (parsed === undefined) {
    document["message"] = text;
    setTime(document, undefined, context);
  } else {
    normalise(parsed, document, context);
  }
  document["log.file.path"] = context.path;
  document["log.offset"] = context.offset;
  document["ecs.version"] ??= "8.11.0";
  return flatten(document);
}

function parseObject(text: string): Parsed | undefined {
  const sources = new Map<object, Fields>();
  let value: unknown;
  try {
    value = JSON.parse(text, function (this: object, key: string, member: unknown, ...rest: unknown[]) {
      if (typeof member !== "number") return member;
      if (!sources.has(this)) sources.set(this, {});
      sources.get(this)![key] = (rest[0] as { source: string }).source;
      return member;
    });
  } catch {
    return undefined;
  }
  return isObject(value) ? { fields: value, sources: sources.get(value) ?? {} } : undefined;
}

function normalise({ fields, sources }: Parsed, document: Fields, context: OracleContext): void {
  const ecs = "ecs.version" in fields || isObject(fields["ecs"]);
  const pino =
    typeof fields["level"] === "number" && typeof fields["time"] === "number" && typeof fields["pid"] === "number";
  openEcsObjects(fields);
  moveOwnNames(fields);

  const timeKey = firstOf(fields, ecs ? ["@timestamp"] : TIME_KEYS);
  const time = timeKey === undefined ? undefined : { value: fields[timeKey], source: sources[timeKey] };
  if (timeKey !== undefined) delete fields[timeKey];
  setTime(document, time, context);

  takeLevel(fields, document, ecs ? ["log.level"] : pino ? ["level"] : ["log.level", ...LEVEL_KEYS], pino);
  takeMessage(fields, document, ecs ? ["message"] : MESSAGE_KEYS);
  if (ecs) takeIds(fields, document, fields["labels"]);
  else takeGeneric(fields, document);
  for (const [key, value] of Object.entries(fields)) {
    document[ECS_OBJECTS.includes(key) && !isObject(value) ? `app.${key}` : key] = value;
  }
}

/** `{"log":{"level":…}}` is another spelling of `"log.level":…`. */
function openEcsObjects(fields: Fields): void {
  for (const name of ECS_OBJECTS) {
    const inner = fields[name];
    if (!isObject(inner) || name === "error") continue;
    delete fields[name];
    Object.assign(fields, flatten({ [name]: inner }));
  }
}

function moveOwnNames(fields: Fields): void {
  for (const name of OWN_KEYS) {
    if (!(name in fields)) continue;
    fields[`app.${name}`] = fields[name];
    delete fields[name];
  }
}

function setTime(
  document: Fields,
  time: { value: unknown; source: unknown } | undefined,
  context: OracleContext,
): void {
  const ns =
    typeof time?.value === "number"
      ? numberToNs(String(time.source))
      : typeof time?.value === "string"
        ? textToNs(time.value)
        : undefined;
  if (ns !== undefined && nearEnough(ns, context.firstSeenMs)) {
    document["@timestamp"] = nsToText(ns);
    return;
  }
  document["@timestamp"] = context.timeBefore ?? new Date(context.firstSeenMs).toISOString();
  document["event.timestamp_source"] = "assigned";
  if (time !== undefined) document["app.time"] = time.value;
}

function takeLevel(fields: Fields, document: Fields, keys: readonly string[], pino: boolean): void {
  const key = firstOf(fields, keys);
  if (key === undefined) return;
  const value = fields[key];
  delete fields[key];
  const level = pino ? PINO_LEVELS[String(value)] : levelOf(value);
  if (level === undefined) document["app.level"] = value;
  else document["log.level"] = level;
}

function levelOf(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const name = value.toLowerCase();
  return Object.keys(LEVELS).find((level) => LEVELS[level].includes(name));
}

function takeMessage(fields: Fields, document: Fields, keys: readonly string[]): void {
  const key = firstOf(fields, keys);
  if (key === undefined) return;
  const value = fields[key];
  delete fields[key];
  if (typeof value === "object" && value !== null) {
    document["app.message"] = value;
    document["message"] = JSON.stringify(value);
  } else {
    document["message"] = value;
  }
}

function takeGeneric(fields: Fields, document: Fields): void {
  for (const [name, keys] of Object.entries(TEXT_KEYS))
    take(fields, document, name, keys, (value) => typeof value === "string");
  take(fields, document, "process.pid", PID_KEYS, (value) => typeof value === "number");
  takeIds(fields, document, fields);
  takeError(fields, document);
  take(fields, document, "error.stack_trace", STACK_KEYS, (value) => typeof value === "string");
  takeCaller(fields, document);
}

function takeIds(fields: Fields, document: Fields, from: unknown): void {
  if (!isObject(from)) return;
  if (!("trace.id" in fields)) take(from, document, "trace.id", TRACE_KEYS, hexOf(32));
  if (!("span.id" in fields)) take(from, document, "span.id", SPAN_KEYS, hexOf(16));
}

function takeError(fields: Fields, document: Fields): void {
  const key = firstOf(fields, ERROR_KEYS);
  if (key === undefined) return;
  const value = fields[key];
  if (typeof value === "string" && !value.includes("\n")) {
    delete fields[key];
    document["error.message"] = value;
  } else if (isObject(value)) {
    delete fields[key];
    take(value, document, "error.type", ["type", "name"], (text) => typeof text === "string");
    take(value, document, "error.message", ["message"], (text) => typeof text === "string");
    take(value, document, "error.stack_trace", STACK_KEYS, (text) => typeof text === "string");
    if (Object.keys(value).length > 0) fields[key] = value;
  }
}

/** `"dir/file.go:12"` → file and line. */
function takeCaller(fields: Fields, document: Fields): void {
  const match = /^(.+):(\d+)$/.exec(String(fields["caller"]));
  if (match === null) return;
  delete fields["caller"];
  document["log.origin.file.name"] = match[1];
  document["log.origin.file.line"] = Number(match[2]);
}

/** Moves the first of the keys whose value fits, unless the line has the ECS name itself. */
function take(
  from: Fields,
  document: Fields,
  name: string,
  keys: readonly string[],
  fits: (value: unknown) => boolean,
): void {
  if (name in from || name in document) return;
  const key = keys.find((candidate) => candidate in from && fits(from[candidate]));
  if (key === undefined) return;
  document[name] = from[key];
  delete from[key];
}

function hexOf(digits: number): (value: unknown) => boolean {
  const pattern = new RegExp(`^[0-9a-f]{${digits}}$`);
  return (value) => typeof value === "string" && pattern.test(value);
}

function firstOf(fields: Fields, keys: readonly string[]): string | undefined {
  return keys.find((key) => key in fields);
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Nested objects as dotted names, the way Elasticsearch indexes them; `@timestamp` in the oracle's one spelling. */
export function flatten(document: Fields): Fields {
  const flat: Fields = {};
  const visit = (prefix: string, value: Fields): void => {
    for (const [key, member] of Object.entries(value)) {
      if (isObject(member) && Object.keys(member).length > 0) visit(`${prefix}${key}.`, member);
      else flat[prefix + key] = member;
    }
  };
  visit("", document);
  const ns = textToNs(String(flat["@timestamp"]));
  if (ns !== undefined) flat["@timestamp"] = nsToText(ns);
  return flat;
}
