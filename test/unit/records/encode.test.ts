import { describe, expect, test } from "vitest";
import { LineFlag } from "../../../src/core/record.ts";
import { Encoding, fieldsOf } from "./encode.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";
const TIME = "2026-01-02T03:04:05Z";

/** Fields of a line with a time, without it. */
function of(fields: Record<string, unknown> | string): Record<string, unknown> {
  const text = typeof fields === "string" ? `{"time":"${TIME}",${fields}}` : JSON.stringify({ time: TIME, ...fields });
  const { "@timestamp": time, ...rest } = fieldsOf(text);
  expect(time).toBe(TIME);
  return rest;
}

describe("format", () => {
  const text = `{"time":"${TIME}","msg":"x"}`;

  test("auto and json take an object, and everything else as text", () => {
    for (const format of ["auto", "json"] as const) {
      expect(fieldsOf(text, { format })).toEqual({ "@timestamp": TIME, message: "x" });
      expect(fieldsOf(`  ${text} `, { format })).toEqual({ "@timestamp": TIME, message: "x" });
      expect(fieldsOf("[1]", { format })).toMatchObject({ message: "[1]" });
    }
  });

  test("plain takes everything as text", () => {
    expect(fieldsOf(text, { format: "plain" })).toMatchObject({ message: text, "event.timestamp_source": "assigned" });
  });

  test("an object over several lines goes out on one", () => {
    const encoding = new Encoding();
    const document = encoding.text(`{\n  "time": "${TIME}",\r\n  "a": [1,\n2]\n}`);
    expect(document).not.toMatch(/[\r\n]/);
    expect(JSON.parse(document)).toMatchObject({ "@timestamp": TIME, a: [1, 2] });
  });

  test("a line needs no line end behind it", () => {
    const encoding = new Encoding();
    const bytes = Buffer.from(`{"time":"${TIME}","a":1}`);
    expect(encoding.document(bytes, { bytes, start: 0, end: bytes.length, knownUtf8: true })).toMatchObject({ a: 1 });
    const cut = Buffer.from(`{"time":"${TIME}","a":1}}}}`);
    expect(encoding.document(cut, { bytes: cut, start: 0, end: cut.length - 3, knownUtf8: true })).toMatchObject({
      a: 1,
    });
  });
});

describe("what pannier adds", () => {
  const options = {
    fields: { env: "prod", labels: { team: "logs" }, "event.dataset": "orders", n: 5 },
    serviceName: "shop",
  };
  const added = {
    env: "prod",
    "labels.team": "logs",
    "event.dataset": "orders",
    n: 5,
    "service.name": "shop",
    "ecs.version": "8.11.0",
  };

  test("is added to every record, of text too", () => {
    expect(new Encoding(options).document("text")).toMatchObject(added);
    expect(new Encoding(options).document("{}")).toMatchObject(added);
  });

  test("gives way to what the line says", () => {
    const line = {
      env: "dev",
      labels: { team: "web" },
      event: { dataset: "x" },
      n: 0,
      "service.name": "mine",
      "ecs.version": "1.2.0",
    };
    const document = new Encoding(options).document(JSON.stringify(line));
    expect(document).toMatchObject({
      env: "dev",
      labels: { team: "web" },
      "event.dataset": "x",
      n: 0,
      "service.name": "mine",
      "ecs.version": "1.2.0",
    });
    expect(document).not.toHaveProperty(["labels.team"]);
  });

  test("replaces what the line says with nothing, or with another type than the name's", () => {
    const line = { env: null, "service.name": 5, "ecs.version": null, "event.dataset": [1] };
    expect(new Encoding(options).document(JSON.stringify(line))).toMatchObject({
      ...added,
      "app.env": null,
      "app.service.name": 5,
      "app.ecs.version": null,
      "app.event.dataset": [1],
    });
  });

  test("the input's service name wins over that of the environment", () => {
    expect(fieldsOf("{}", { fields: { "service.name": "mine" }, serviceName: "shop" })["service.name"]).toBe("mine");
  });

  test("names of pannier's own cannot be given", () => {
    const fields = { "@timestamp": "x", "log.file.path": "x", "log.offset": 1, log: { offset: 2 }, _id: "x" };
    expect(fieldsOf("{}", { fields })).toEqual(fieldsOf("{}"));
  });

  test("says what happened to the line", () => {
    const encoding = new Encoding();
    const flagsOf = (flags: number): unknown =>
      encoding.document("x", { flags, originalBytes: 7_000_000_000 })["log.flags"];
    expect(flagsOf(0)).toBeUndefined();
    expect(flagsOf(LineFlag.truncated)).toEqual(["truncated"]);
    expect(flagsOf(LineFlag.unterminated | LineFlag.continued)).toEqual(["unterminated", "continued"]);
    expect(
      encoding.document("x", { flags: LineFlag.truncated, originalBytes: 7_000_000_001 })["log.original_bytes"],
    ).toBe(7_000_000_001);
    expect(encoding.document("x", { offset: 9_007_199_254_740_991 })["log.offset"]).toBe(9_007_199_254_740_991);
    expect(
      encoding.document('{"log.flags":"mine","log":{"original_bytes":1}}', { flags: LineFlag.unterminated }),
    ).toMatchObject({
      "app.log.flags": "mine",
      "app.log.original_bytes": 1,
      "log.flags": ["unterminated"],
    });
  });
});

describe("the text form after a refusal", () => {
  test("has the line, the reason and the same time, and nothing else of the application's", () => {
    const encoding = new Encoding({ serviceName: "shop" });
    const line = `{"time":"2026-02-02T00:00:00.5+01:00","level":"info","msg":"x","tags":["a"],"service.name":"mine"}`;
    const reason = `failed to parse field [a] "quoted" ${"long ".repeat(200)}`;
    const document = encoding.document(line, { refusedReason: reason });
    expect(document).toEqual({
      "@timestamp": "2026-02-01T23:00:00.5Z",
      message: line,
      "error.message": reason.slice(0, 500),
      tags: ["refused"],
      "log.file.path": "/var/log/app/orders.log",
      "log.offset": 0,
      "ecs.version": "8.11.0",
      "service.name": "shop",
    });
    expect(encoding.lane.lastTime()).toBe("2026-02-01T23:00:00.5Z");
  });

  test("an assigned time stays one", () => {
    expect(new Encoding().document("text", { refusedReason: "no" })).toMatchObject({
      "event.timestamp_source": "assigned",
      tags: ["refused"],
    });
  });
});

describe("levels", () => {
  test.each([
    ["INFO", "info"],
    ["Information", "info"],
    ["information", "info"],
    ["WARN ", "warn"],
    ["Warning", "warn"],
    ["err", "error"],
    ["SEVERE", "error"],
    ["CRITICAL", "critical"],
    ["dpanic", "critical"],
    ["panic", "alert"],
    ["EMERGENCY", "fatal"],
    ["silly", "trace"],
    ["notice", "notice"],
    ["i", "info"],
  ])("%j is %s", (level, expected) => {
    expect(of({ level })).toEqual({ "log.level": expected });
  });

  test.each<[unknown]>([["loud"], [""], ["informationalities"], [30], [null], [["info"]], [{ a: 1 }], [true]])(
    "%j is none",
    (level) => {
      expect(of({ level })).toEqual({ "app.level": level });
    },
  );

  test("numbers are pino's only in pino's lines", () => {
    const pino = { level: 40, time: 1_767_323_045_000, msg: "x" };
    expect(fieldsOf(pino)).toMatchObject({ "log.level": "warn" });
    expect(fieldsOf({ ...pino, v: 0 })).toMatchObject({ "app.level": 40 });
    expect(fieldsOf({ ...pino, level: 3 })).toMatchObject({ "app.level": 3 });
  });

  test("the first key that says a level counts", () => {
    expect(of({ severity: "error", level: "loud", lvl: "warn" })).toEqual({
      "log.level": "error",
      level: "loud",
      lvl: "warn",
    });
  });
});

describe("names that pannier makes", () => {
  test.each<[string, Record<string, unknown>]>([
    ['"process":{"\\u0070id":"x"},"process.pid":true', { "app.process.pid": "x", "app.duplicates": ["true"] }],
    ['"process.pid":true,"process":{"\\u0070id":"x"}', { "app.process.pid": true, "app.duplicates": ["x"] }],
    ['"log":{"x":1},"log.\\u0078":2', { "log.x": 2, "app.duplicates": ["1"] }],
    ['"app._id":1,"_id":2', { "app._id": 1, "app.duplicates": ["2"] }],
    ['"app":{"_id":1},"_id":2', { app: { _id: 1 }, "app._id": 2 }],
    ['"log.file.path":1,"log":{"file":{"path":2}}', { "app.log.file.path": 1, "app.duplicates": ["2"] }],
  ])("are made once: %s", (members, expected) => {
    expect(of(members)).toEqual(expected);
  });
});

describe("errors", () => {
  test.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    [
      "an object",
      { err: { type: "E", message: "m", stack: "s" } },
      { "error.type": "E", "error.message": "m", "error.stack_trace": "s" },
    ],
    [
      "other names in it",
      { thrown: { name: "E", extendedStackTrace: "s" } },
      { "error.type": "E", "error.stack_trace": "s" },
    ],
    ["an object with more", { err: { message: "m", code: 7 } }, { "error.message": "m", err: { code: 7 } }],
    ["an object with nothing of it", { err: { code: 7 } }, { err: { code: 7 } }],
    [
      "ECS, nested",
      { error: { type: "E", code: "c", more: { a: 1 } } },
      { "error.type": "E", "error.code": "c", "error.more": { a: 1 } },
    ],
    ["a text", { error: "broken pipe" }, { "error.message": "broken pipe" }],
    ["a text with a class", { err: "TypeError: x" }, { "error.type": "TypeError", "error.message": "TypeError: x" }],
    [
      "a text of many lines",
      { exception: "a.b.FooException: x\n at y" },
      {
        "error.type": "a.b.FooException",
        "error.message": "a.b.FooException: x",
        "error.stack_trace": "a.b.FooException: x\n at y",
      },
    ],
    ["a text with a colon", { err: "dial tcp: refused" }, { "error.message": "dial tcp: refused" }],
    [
      "a stack alone",
      { stack: "RangeError: r\n at y" },
      { "error.type": "RangeError", "error.message": "RangeError: r", "error.stack_trace": "RangeError: r\n at y" },
    ],
    ["a stack without a class", { stacktrace: "goroutine 1\nmain()" }, { "error.stack_trace": "goroutine 1\nmain()" }],
    ["a text and a stack", { error: "e\nf", stack: "s" }, { "error.message": "e\nf", "error.stack_trace": "s" }],
    ["two texts", { err: "e", error: "f" }, { "error.message": "e", "app.error": "f" }],
    ["two stacks", { stack: "s", stacktrace: "t" }, { "error.stack_trace": "s", stacktrace: "t" }],
    ["the ECS name and another", { "error.message": "e", err: "f" }, { "error.message": "e", err: "f" }],
    ["nothing", { err: null, error: null }, { err: null, "app.error": null }],
    ["what is no error", { error: 500, err: [1] }, { "app.error": 500, err: [1] }],
  ])("%s", (_, line, expected) => {
    expect(of(line)).toEqual(expected);
  });
});

describe("ids", () => {
  test("are taken from any spelling when they have their form", () => {
    expect(of({ traceId: TRACE, spanId: SPAN })).toEqual({ "trace.id": TRACE, "span.id": SPAN });
    expect(of({ trace: { id: TRACE }, "transaction.id": SPAN })).toEqual({ "trace.id": TRACE, "transaction.id": SPAN });
    expect(of({ mdc: { trace_id: TRACE, user: "u" } })).toEqual({ "trace.id": TRACE, mdc: { user: "u" } });
    expect(of({ labels: { traceId: TRACE } })).toEqual({ "trace.id": TRACE });
  });

  test("stay where they are when they have another", () => {
    const other = { trace_id: TRACE.toUpperCase(), span_id: TRACE, traceId: "none", "trace.id": "mine" };
    expect(of(other)).toEqual(other);
  });

  test("the better key wins, and an ECS name that lost moves away", () => {
    expect(of({ trace_id: TRACE, traceId: TRACE.replace("4", "5") })).toEqual({
      "trace.id": TRACE,
      traceId: TRACE.replace("4", "5"),
    });
    expect(of({ "trace.id": "mine", trace_id: TRACE })).toEqual({ "trace.id": TRACE, "app.trace.id": "mine" });
  });
});

describe("messages", () => {
  test.each<[unknown, Record<string, unknown>]>([
    [{ a: 1 }, { message: '{"a":1}', "app.message": { a: 1 } }],
    [["a", 1], { message: '["a",1]', "app.message": ["a", 1] }],
    [5, { message: "5" }],
    [true, { message: "true" }],
    ["", { message: "" }],
    [null, { msg: null }],
  ])("%j", (msg, expected) => {
    expect(of({ msg })).toEqual(expected);
  });

  test("a key that is only sometimes a message is one as text only", () => {
    expect(of({ body: { a: 1 }, text: "t" })).toEqual({ message: "t", body: { a: 1 } });
    expect(of({ event: { action: "a" } })).toEqual({ "event.action": "a" });
  });
});

describe("where a record comes from", () => {
  test.each<[Record<string, unknown>, Record<string, unknown>]>([
    [{ caller: "dir/file.go:12" }, { "log.origin.file.name": "dir/file.go", "log.origin.file.line": 12 }],
    [{ caller: "C:\\a.cs:7" }, { "log.origin.file.name": "C:\\a.cs", "log.origin.file.line": 7 }],
    [{ caller: "main" }, { caller: "main" }],
    [{ caller: "a:007" }, { caller: "a:007" }],
    [
      { source: { function: "f", file: "a.go", line: 3 } },
      { "log.origin.function": "f", "log.origin.file.name": "a.go", "log.origin.file.line": 3 },
    ],
    [{ src: { file: "a.js", other: 1 } }, { "log.origin.file.name": "a.js", src: { other: 1 } }],
    [
      { filename: "a.rs", line_number: 9 },
      { "log.origin.file.name": "a.rs", "log.origin.file.line": 9 },
    ],
    [{ filename: "report.pdf" }, { filename: "report.pdf" }],
    [{ line_number: 9 }, { line_number: 9 }],
    [{ func: "f" }, { "log.origin.function": "f" }],
  ])("%j", (line, expected) => {
    expect(of(line)).toEqual(expected);
  });
});

describe("the bound of a document's size", () => {
  const SIZE = 60_000;
  const fill = (piece: string): string => piece.repeat(Math.floor(SIZE / piece.length));
  const members = (piece: string): string => `{${fill(`${piece},`).slice(0, -1)}}`;

  test.each<[string, string | Buffer]>([
    ["control characters", fill("\u0001")],
    ["quotes", fill('"\\')],
    ["bytes that are no UTF-8", Buffer.alloc(SIZE, 0xff)],
    ["duplicates", members('"a":1')],
    ["texts that are duplicates", members('"a":""')],
    ["objects that are duplicates", members('"a":{"":""}')],
    ["empty keys", members('"":1')],
    ["empty keys in objects", members('"a":{"":1}')],
    ["empty keys in a list", `{"l":[${fill('{"":1},').slice(0, -1)}]}`],
    ["huge numbers", members('"a":1e999')],
    ["names in an opened object", `{"orchestrator":${members('"a":1')}}`],
    [
      "many names in an opened object",
      `{"log":{"origin":{"file":{${Array.from({ length: 9_000 }, (_, i) => `"${i.toString(36)}":1`).join(",")}}}}}`,
    ],
    ["a message that is an object", `{"message":${members('"\\\\":"\\""')}}`],
    ["an error of many lines", `{"err":"TypeError: ${fill("x\\n")}"}`],
    ["a name of metadata", members('"_id":1')],
  ])("holds for %s", (_, line) => {
    const encoding = new Encoding({ maxLineBytes: SIZE });
    for (const refusedReason of [undefined, "\u0001".repeat(500)]) {
      expect(() => encoding.document(line, { knownUtf8: typeof line === "string", refusedReason })).not.toThrow();
    }
  });
});

describe("a shape that is known", () => {
  const repeat = (lines: readonly string[]): Record<string, unknown>[] => {
    const encoding = new Encoding();
    return lines.map((line) => encoding.document(line));
  };

  test("does not hold for other values", () => {
    const line = (time: string, level: string, trace: string): string =>
      `{"time":${time},"level":${level},"trace_id":"${trace}","a":1}`;
    const usual = line("1767323045000", '"info"', TRACE);
    const documents = repeat([
      usual,
      usual,
      usual,
      line("12", '"info"', TRACE),
      line("1767323046000", '"loud"', TRACE),
      line("1767323047000", '"warn"', "none"),
      line("1767323048.1234567891", '"error"', TRACE),
      line("1767323049000", '"debug"', TRACE),
    ]);
    expect(documents.slice(3)).toMatchObject([
      { "@timestamp": "2026-01-02T03:04:05.000Z", "app.time": 12, "log.level": "info", "trace.id": TRACE },
      { "@timestamp": "2026-01-02T03:04:06.000Z", "app.level": "loud", "trace.id": TRACE },
      { "@timestamp": "2026-01-02T03:04:07.000Z", "log.level": "warn", trace_id: "none" },
      { "@timestamp": "2026-01-02T03:04:08.123456789Z", "app.time": 1767323048.1234567, "log.level": "error" },
      { "@timestamp": "2026-01-02T03:04:09.000Z", "log.level": "debug", "trace.id": TRACE },
    ]);
    expect(documents[7]).not.toHaveProperty(["app.time"]);
  });

  test("is not learned from unusual values", () => {
    const odd = '{"time":"2026-01-02T03:04:05.1234567891Z","trace_id":"none","a":1}';
    const usual = `{"time":"2026-01-02T03:04:06.5Z","trace_id":"${TRACE}","a":2}`;
    const documents = repeat([odd, odd, odd, usual]);
    expect(documents[3]).toMatchObject({ "@timestamp": "2026-01-02T03:04:06.5Z", "trace.id": TRACE, a: 2 });
    expect(documents[3]).not.toHaveProperty(["app.time"]);
  });

  test("holds whatever white space stands between", () => {
    const documents = repeat([
      '{"a":1,"host":"h"}',
      '{"a":1,"host":"h"}',
      '{"a":1,"host":"h"}',
      '{ "a" : 2 , "host" : "g" }',
    ]);
    expect(documents[3]).toMatchObject({ a: 2, "host.name": "g" });
  });

  test("tells apart what is nested in another way", () => {
    const first = '{"a":{"b":{},"c":1},"d":1}';
    const second = '{"a":{"b":{"c":1}},"d":1}';
    const third = '{"a":[{"b":{},"c":1}],"d":1}';
    const documents = repeat([first, first, second, second, third, third, first, second, third]);
    expect(documents.slice(6)).toMatchObject([JSON.parse(first), JSON.parse(second), JSON.parse(third)]);
  });

  test("more shapes than there is memory for do no harm", () => {
    const encoding = new Encoding();
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 2_500; i++) {
        const keys = Array.from({ length: 12 }, (_, k) => `"key${i}of${k}":${k}`).join(",");
        const line = `{${keys},"pid":${i}}`;
        for (let n = 0; n < 2; n++)
          expect(encoding.document(line)).toMatchObject({ "process.pid": i, [`key${i}of0`]: 0 });
      }
    }
  });
});
