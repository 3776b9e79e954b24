/**
 * Lines of many loggers, mixed, each with a sequence number that can be read back from the document that it becomes: as the
 * field `seq` of a JSON line, as `#seq=N#` in the text of any other.
 */
import { seededRandom, type Random } from "./random.ts";

export interface MixedLine {
  /** Undefined for a line of white space only, which must be filtered. */
  readonly seq: number | undefined;
  readonly text: string;
  readonly end: "\n" | "\r\n";
  /** The line itself says when it was written. */
  readonly timed: boolean;
}

/** So many lines at the beginning have a time for sure. */
export const TIMED_FIRST = 64;
const WORDS = [
  "order",
  "parcel",
  "größe",
  "支払い",
  "✓ done",
  "naïve",
  "timeout",
  "tab\there",
  'a "quote"',
  "back\\slash",
  "🚚",
];
const TRACED = 0.3;

/** Yields lines until `count` of them had a sequence number. */
export function* mixedLines(count: number, seed: number, startMs: number): Generator<MixedLine> {
  const random = seededRandom(seed);
  const kinds = [pino, pino, pino, ecsDotted, ecsNested, generic, generic, plain, stackTrace, notAnObject];
  let timeMs = startMs;
  for (let seq = 0; seq < count; seq++) {
    if (random.chance(0.01)) yield { seq: undefined, text: random.pick(["", "   ", "\t"]), end: "\n", timed: false };
    timeMs += random.below(20);
    // The first lines have a time, so that the times of all that follow can be derived.
    const kind = seq < TIMED_FIRST ? pino : random.pick(kinds);
    yield { seq, end: random.chance(0.05) ? "\r\n" : "\n", ...kind(random, seq, timeMs) };
  }
}

type Body = Pick<MixedLine, "text" | "timed">;

function words(random: Random): string {
  return Array.from({ length: 1 + random.below(8) }, () => random.pick(WORDS)).join(" ");
}

function json(fields: Record<string, unknown>, timed = true): Body {
  return { text: JSON.stringify(fields), timed };
}

function payload(random: Random): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  if (random.chance(0.4)) fields["userId"] = random.below(10_000);
  if (random.chance(0.3))
    fields["req"] = { method: "GET", path: `/orders/${random.below(99)}`, time: random.below(99) };
  if (random.chance(0.2)) fields["durationMs"] = random.below(1_000_000) / 1000;
  if (random.chance(0.2)) fields["cached"] = random.chance(0.5);
  if (random.chance(0.1)) fields["items"] = [1, random.below(9), null];
  if (random.chance(0.1)) fields["coupon"] = null;
  if (random.chance(0.05)) fields["empty"] = {};
  if (random.chance(0.02)) fields["log.offset"] = 7;
  return fields;
}

function failure(random: Random): { type: string; message: string; stack: string } {
  const message = words(random);
  return { type: "TypeError", message, stack: `TypeError: ${message}\n    at main (/app/x.js:${random.below(99)}:7)` };
}

function pino(random: Random, seq: number, timeMs: number): Body {
  const strange = seq >= TIMED_FIRST && random.chance(0.01);
  return json(
    {
      level: random.chance(0.02) ? 35 : random.pick([10, 20, 30, 40, 50, 60]),
      time: strange ? 12 : timeMs,
      pid: 17,
      hostname: "order-7d9c",
      ...(random.chance(0.3) ? { name: "orders" } : {}),
      ...(random.chance(TRACED) ? { trace_id: random.hex(32), span_id: random.hex(16), trace_flags: "01" } : {}),
      ...(random.chance(0.1) ? { err: failure(random) } : {}),
      ...payload(random),
      seq,
      ...(random.chance(0.95) ? { msg: random.chance(0.02) ? { deep: [seq] } : words(random) } : {}),
    },
    !strange,
  );
}

function ecsDotted(random: Random, seq: number, timeMs: number): Body {
  return json({
    "@timestamp": iso(random, timeMs),
    "log.level": random.pick(["INFO", "WARN", "error", "Debug"]),
    message: words(random),
    "ecs.version": random.pick(["1.2.0", "1.6.0", "8.10.0"]),
    "service.name": "orders",
    "log.logger": "com.example.Orders",
    "process.thread.name": "http-1",
    ...(random.chance(TRACED) ? { "trace.id": random.hex(32), "transaction.id": random.hex(16) } : {}),
    ...(random.chance(0.1) ? { labels: { env: "prod", trace_id: random.hex(32) } } : {}),
    ...(random.chance(0.1)
      ? { "error.type": "java.io.IOException", "error.stack_trace": "java.io.IOException: x\n\tat A.b(A.java:1)" }
      : {}),
    ...payload(random),
    seq,
  });
}

function ecsNested(random: Random, seq: number, timeMs: number): Body {
  return json({
    "@timestamp": iso(random, timeMs),
    log: {
      level: random.pick(["info", "WARNING", "ERROR"]),
      logger: "orders",
      origin: { file: { name: "a.py", line: 3 }, function: "f" },
    },
    ecs: { version: "1.6.0" },
    message: words(random),
    process: { pid: 9, thread: { name: "MainThread" } },
    service: { name: "orders", version: "1.2.3" },
    event: { dataset: "orders.log" },
    ...(random.chance(TRACED) ? { trace: { id: random.hex(32) } } : {}),
    ...(random.chance(0.1) ? { error: { type: "ValueError", message: "bad", stack_trace: "Traceback\n  x" } } : {}),
    ...payload(random),
    seq,
  });
}

function generic(random: Random, seq: number, timeMs: number): Body {
  const strange = random.chance(0.03);
  const [timeKey, time] = strange
    ? [
        random.pick(["time", "timestamp"]),
        random.pick(["yesterday", "1795399200000", "1980-01-01T00:00:00Z", "2045-01-01T00:00:00Z"]),
      ]
    : [random.pick(["time", "timestamp", "ts", "@timestamp", "date", "datetime", "eventTime"]), undefined];
  const rest = {
    [random.pick(["level", "severity", "lvl", "loglevel", "log_level", "levelname"])]: random.pick([
      "INFO",
      "warning",
      "Error",
      "CRITICAL",
      "debug",
      "notice",
      "panic",
    ]),
    [random.pick(["message", "msg", "_msg", "text", "body", "short_message"])]: words(random),
    ...(random.chance(0.3) ? { [random.pick(["logger", "loggerName", "logger_name"])]: "orders" } : {}),
    ...(random.chance(0.3) ? { [random.pick(["thread", "threadName", "thread_name"])]: "worker-1" } : {}),
    ...(random.chance(0.3) ? { [random.pick(["hostname", "host"])]: "node-a" } : {}),
    ...(random.chance(0.3) ? { [random.pick(["service", "service_name", "app", "application"])]: "orders" } : {}),
    ...(random.chance(TRACED)
      ? { [random.pick(["trace_id", "traceId", "TraceId"])]: random.chance(0.9) ? random.hex(32) : "none" }
      : {}),
    ...(random.chance(0.2) ? { caller: "orders/place.go:12" } : {}),
    ...(random.chance(0.1) ? { error: random.pick(["connection refused", 500]) } : {}),
    ...(random.chance(0.1) ? { stacktrace: "goroutine 1\nmain.main()" } : {}),
    ...(random.chance(0.1) ? { pid: random.pick([44, "forty-four"]) } : {}),
    ...payload(random),
    seq,
  };
  if (time !== undefined) return json({ [timeKey]: time, ...rest }, false);
  const { text } = json(rest);
  return { text: `{"${timeKey}":${genericTime(random, timeMs)},${text.slice(1)}`, timed: true };
}

/** The forms in which loggers write a time, as JSON source: nanoseconds do not fit into a double. */
function genericTime(random: Random, timeMs: number): string {
  const micros = String(random.below(1000)).padStart(3, "0");
  const seconds = Math.floor(timeMs / 1000);
  const milliseconds = String(timeMs % 1000).padStart(3, "0");
  return random.pick([
    `${timeMs}`,
    `${seconds}`,
    `${seconds}.${milliseconds}${micros}`,
    `${timeMs}${micros}`,
    `${timeMs}${micros}${micros}`,
    `"${iso(random, timeMs)}"`,
  ]);
}

function iso(random: Random, timeMs: number): string {
  const utc = new Date(timeMs).toISOString();
  const digits = random.pick([
    "",
    String(random.below(1000)).padStart(3, "0"),
    String(random.below(1e6)).padStart(6, "0"),
  ]);
  const ahead = new Date(timeMs + 5.5 * 3_600_000).toISOString();
  return random.pick([
    `${utc.slice(0, -1)}${digits}Z`,
    `${utc.slice(0, -5)}Z`,
    `${ahead.slice(0, -1)}${digits}+05:30`,
    `${utc.slice(0, -1)}+00:00`,
  ]);
}

function plain(random: Random, seq: number): Body {
  const text = random.pick([
    `2026-11-23 10:11:12,123 INFO #seq=${seq}# ${words(random)}`,
    `#seq=${seq}# ${words(random)}`,
    `  indented #seq=${seq}# {"not":"json"`,
    `{"time":1795399200000,"msg":"cut off #seq=${seq}# ${words(random).replaceAll(/["\\\t]/g, "")}`,
    `GET /orders/${seq} 200 #seq=${seq}# \u0000\u001b[31mred\u001b[0m`,
  ]);
  return { text, timed: false };
}

function stackTrace(random: Random, seq: number): Body {
  return {
    text: random.pick([
      `    at Orders.place (/app/orders.js:${random.below(500)}:13) #seq=${seq}#`,
      `\tat com.example.Orders.place(Orders.java:${random.below(500)}) #seq=${seq}#`,
      `Caused by: java.io.IOException: ${words(random)} #seq=${seq}#`,
    ]),
    timed: false,
  };
}

function notAnObject(_random: Random, seq: number): Body {
  return { text: JSON.stringify(seq % 2 === 0 ? `#seq=${seq}#` : [seq, `#seq=${seq}#`]), timed: false };
}

/** The sequence number in a document that was delivered; undefined when it has none. */
export function sequenceOf(source: { seq?: unknown; message?: unknown }): number | undefined {
  if (typeof source.seq === "number") return source.seq;
  const match = /#seq=(\d+)#/.exec(String(source.message));
  return match === null ? undefined : Number(match[1]);
}
