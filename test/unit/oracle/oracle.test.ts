/** The oracle judges the agent, so its own words are checked by hand here. */
import { expect, test } from "vitest";
import { expectedDocument } from "../../oracle/oracle.ts";
import { numberToNs, textToNs } from "../../oracle/times.ts";

const context = {
  path: "/logs/app.log",
  offset: 42,
  timeBefore: "2026-11-23T02:00:00.000000000Z",
  firstSeenMs: Date.UTC(2026, 10, 23),
};
const OWN = { "log.file.path": "/logs/app.log", "log.offset": 42, "ecs.version": "8.11.0" };

function expectLine(line: string): unknown {
  return expectedDocument(Buffer.from(line), context);
}

test("pino", () => {
  const line =
    `{"level":50,"time":1795399200123,"pid":17,"hostname":"h","name":"orders","trace_id":"0af7651916cd43dd8448eb211c80319c",` +
    `"err":{"type":"TypeError","message":"no","stack":"TypeError: no\\n at x"},"req":{"time":5},"msg":"failed"}`;
  expect(expectLine(line)).toEqual({
    ...OWN,
    "@timestamp": "2026-11-23T02:00:00.123000000Z",
    "log.level": "error",
    message: "failed",
    "log.logger": "orders",
    "host.name": "h",
    "process.pid": 17,
    "trace.id": "0af7651916cd43dd8448eb211c80319c",
    "error.type": "TypeError",
    "error.message": "no",
    "error.stack_trace": "TypeError: no\n at x",
    "req.time": 5,
  });
});

test("ecs-logging, nested and dotted, becomes the same", () => {
  const rest = { "@timestamp": "2026-11-23T02:00:00.5Z", message: "m" };
  const dotted = { ...rest, "log.level": "WARNING", "ecs.version": "1.6.0", "log.logger": "l", "service.name": "s" };
  const nested = { ...rest, log: { level: "WARNING", logger: "l" }, ecs: { version: "1.6.0" }, service: { name: "s" } };
  const expected = {
    ...OWN,
    "@timestamp": "2026-11-23T02:00:00.500000000Z",
    "ecs.version": "1.6.0",
    "log.level": "warn",
    "log.logger": "l",
    message: "m",
    "service.name": "s",
  };
  expect(expectLine(JSON.stringify(dotted))).toEqual(expected);
  expect(expectLine(JSON.stringify(nested))).toEqual(expected);
});

test("generic keys, with a time in nanoseconds beyond a double", () => {
  const line = `{"ts":1795399200123456789,"severity":"Error","text":"t","caller":"a/b.go:7","thread":"w","app":"shop","error":500}`;
  expect(expectLine(line)).toEqual({
    ...OWN,
    "@timestamp": "2026-11-23T02:00:00.123456789Z",
    "log.level": "error",
    message: "t",
    "log.origin.file.name": "a/b.go",
    "log.origin.file.line": 7,
    "process.thread.name": "w",
    "service.name": "shop",
    "app.error": 500,
  });
});

test("a time that is none is assigned and kept, a level that is none is kept", () => {
  expect(expectLine(`{"time":"1980-01-01T00:00:00Z","level":"AUDIT","msg":{"a":1},"log.offset":7}`)).toEqual({
    ...OWN,
    "@timestamp": "2026-11-23T02:00:00.000000000Z",
    "event.timestamp_source": "assigned",
    "app.time": "1980-01-01T00:00:00Z",
    "app.level": "AUDIT",
    "app.message.a": 1,
    message: `{"a":1}`,
    "app.log.offset": 7,
  });
});

test.each(["no json", `{"cut":`, `[1]`, `"text"`, `12`])("%s is plain text", (line) => {
  expect(expectLine(line)).toEqual({
    ...OWN,
    "@timestamp": "2026-11-23T02:00:00.000000000Z",
    "event.timestamp_source": "assigned",
    message: line,
  });
});

test("white space is filtered", () => {
  expect(["", "  ", "\t"].map(expectLine)).toEqual([undefined, undefined, undefined]);
});

test("times", () => {
  const ns = 1_795_399_200_123_000_000n;
  expect(textToNs("2026-11-23T02:00:00.123Z")).toBe(ns);
  expect(textToNs("2026-11-23T07:30:00.123+05:30")).toBe(ns);
  expect(textToNs("2026-02-30T00:00:00Z")).toBe(undefined);
  for (const source of ["1795399200.123", "1795399200123", "1795399200123000", "1795399200123000000"]) {
    expect(numberToNs(source)).toBe(ns);
  }
});
