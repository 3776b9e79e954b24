import * as fc from "fast-check";

/** Keys that mean something to the normaliser, or that servers refuse, and a few that do not. */
const KEYS = [
  ..."time timestamp ts @timestamp level severity log.level message msg text body event log logger name log.logger pid process".split(
    " ",
  ),
  ..."process.pid hostname host host.name caller source filename line_number func err error exception error.message error.type".split(
    " ",
  ),
  ..."stack stacktrace error.stack_trace trace_id traceId trace.id trace span_id span.id service service.name app app.time app.level".split(
    " ",
  ),
  ..."app.message app.empty app.duplicates app.log.offset log.offset log.file.path log.flags tags labels ecs.version ecs v mdc extra".split(
    " ",
  ),
  ..."event.dataset event.timestamp_source _id _source data_stream data_stream.dataset file line type stack_trace id version a b c".split(
    " ",
  ),
  "",
  " ",
  "\t",
  "\u2003",
];

const VALUES = [
  "info",
  "WARN",
  "weird",
  "2026-01-02T03:04:05.678Z",
  "2026-01-02 03:04:05,123",
  "1899-01-01T00:00:00Z",
  "yesterday",
  "4bf92f3577b34da6a3ce929d0e0e4736",
  "00f067aa0ba902b7",
  "dir/file.go:12",
  "TypeError: x is not a function\n    at y (z.js:1:2)",
  "boom",
];

const key = (): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...KEYS) },
    { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 6 }) },
  );

/** A key as it may stand on a line: some characters written as escapes. */
function writtenKey(): fc.Arbitrary<string> {
  return fc.tuple(key(), fc.integer({ min: 0, max: 15 })).map(([text, at]) => {
    if (at >= text.length) return JSON.stringify(text);
    const escape = `\\u${text.charCodeAt(at).toString(16).padStart(4, "0")}`;
    return `${JSON.stringify(text.slice(0, at)).slice(0, -1)}${escape}${JSON.stringify(text.slice(at + 1)).slice(1)}`;
  });
}

const scalar = (): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constantFrom(...VALUES).map((text) => JSON.stringify(text)),
    fc.string({ unit: "binary", maxLength: 12 }).map((text) => JSON.stringify(text)),
    fc.constantFrom(
      "null",
      "true",
      "false",
      "0",
      "-0",
      "30",
      "50",
      "1e999",
      "-1.5e3",
      "1763866523123",
      "1763866523.123456789",
      "17638665231234567",
      "9".repeat(301),
    ),
    fc.constantFrom('"\\ud800"', '"a\\/b\\u0000"', '"\\udc00x"'),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => JSON.stringify(number)),
  );

const space = (): fc.Arbitrary<string> => fc.constantFrom("", "", "", "", "", " ", "\t ");

const { object } = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
  value: fc.oneof({ depthSize: "small" }, scalar(), scalar(), tie("object"), tie("array")),
  array: fc.array(tie("value"), { maxLength: 4 }).map((items) => `[${items.join(",")}]`),
  object: fc
    .array(fc.tuple(space(), writtenKey(), space(), tie("value"), space()), { maxLength: 9 })
    .map((list) => `{${list.map(([a, name, b, value, c]) => `${a}${name}${b}:${value}${c}`).join(",")}}`),
}));

const CHARACTERS = '{}[],:"\\0123456789.eE+-tfnul \t\u0001\u00a0x'.split("");

/** Text of a JSON object of the kind that loggers, and enemies of log shippers, write. */
export function jsonText(): fc.Arbitrary<string> {
  return object;
}

/** The same with a few characters removed, put in, doubled or replaced. */
export function mutatedJson(): fc.Arbitrary<string> {
  const mutation = fc.tuple(fc.nat(), fc.nat(3), fc.constantFrom(...CHARACTERS));
  return fc.tuple(jsonText(), fc.array(mutation, { minLength: 1, maxLength: 3 })).map(([text, mutations]) =>
    mutations.reduce((current, [position, kind, char]) => {
      const at = position % (current.length + 1);
      const [head, tail] = [current.slice(0, at), current.slice(at)];
      if (kind === 0) return head + tail.slice(1);
      if (kind === 1) return head + char + tail;
      if (kind === 2) return head + char + tail.slice(1);
      return head + tail.slice(0, 3) + tail;
    }, text),
  );
}

const texts = (): fc.Arbitrary<string> =>
  fc.oneof(fc.constantFrom(...VALUES), fc.string({ maxLength: 5 })).map((text) => JSON.stringify(text));

const numbers = (): fc.Arbitrary<string> =>
  fc.constantFrom("10", "30", "35", "7", "1763866523123", "1763866523.5", "1763866523.1234567891", "-1", "12");

type Template = readonly (readonly [string, "text" | "number" | "null" | Template])[];

const { template } = fc.letrec<{ template: Template; value: Template[number][1] }>((tie) => ({
  template: fc.array(fc.tuple(writtenKey(), tie("value")), { minLength: 1, maxLength: 8 }),
  value: fc.oneof({ maxDepth: 2 }, fc.constantFrom("text", "text", "text", "number", "null"), tie("template")),
}));

function fill(shape: Template): fc.Arbitrary<string> {
  const members = shape.map(([name, value]) => {
    const values =
      value === "text"
        ? texts()
        : value === "number"
          ? numbers()
          : value === "null"
            ? fc.constant("null")
            : fill(value);
    return values.map((text) => `${name}:${text}`);
  });
  return fc.tuple(...members).map((list) => `{${list.join(",")}}`);
}

/** Lines with the same keys and kinds of values, as one statement of an application writes them. */
export function linesOfOneShape(): fc.Arbitrary<string[]> {
  return template.chain((shape) => fc.array(fill(shape), { minLength: 6, maxLength: 12 }));
}
