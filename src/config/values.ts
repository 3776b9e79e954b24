import * as v from "valibot";
import { formatSize, parseDurationMs, parseSizeBytes } from "../core/units.ts";

/**
 * The kinds of values that a configuration is made of. A `title` is the name of the kind in the documentation. What is
 * said about a value stands before its `transform`: the JSON Schema describes what is written, and ends there.
 */

const SIZE = String.raw`^\d+(\.\d+)?\s*([kKmMgG][iI]?)?[bB]$`;
const DURATION = String.raw`^\d+(\.\d+)?\s*(ms|s|m|h|d)$`;
const ADDRESS = String.raw`^(off|.+:\d+)$`;
const INTEGER = String.raw`^\d+$`;

/** `"32MiB"` → bytes. */
export function size(minBytes: number, maxBytes: number, about: object) {
  return v.pipe(
    v.string("a size is a number with a unit, such as 512KiB or 32MiB"),
    v.metadata({ title: "size", pattern: SIZE, ...about }),
    v.check((value) => parseSizeBytes(value) !== undefined, "a size is a number with a unit, such as 512KiB or 32MiB"),
    v.transform((value) => parseSizeBytes(value) ?? 0),
    v.minValue(minBytes, `too small: at least ${formatSize(minBytes)}`),
    v.maxValue(maxBytes, `too large: at most ${formatSize(maxBytes)}`),
  );
}

/** `"8s"` → milliseconds. */
export function duration(about: object) {
  return v.pipe(
    v.string("a duration is a number with a unit, such as 500ms or 8s"),
    v.metadata({ title: "duration", pattern: DURATION, ...about }),
    v.check((value) => parseDurationMs(value) !== undefined, "a duration is a number with a unit, such as 500ms or 8s"),
    v.transform((value) => parseDurationMs(value) ?? 0),
  );
}

/** A whole number; digits in a string too, since a variable always gives a string. */
export function integer(min: number, max: number) {
  return v.pipe(
    v.union(
      [
        v.number(),
        v.pipe(v.string(), v.metadata({ pattern: INTEGER }), v.regex(new RegExp(INTEGER)), v.transform(Number)),
      ],
      "expected a whole number",
    ),
    v.integer("expected a whole number"),
    v.minValue(min, `too small: at least ${min}`),
    v.maxValue(max, `too large: at most ${max}`),
    v.metadata({ title: "integer" }),
  );
}

/** `true` or `false`, also as a string. */
export function flag() {
  return v.pipe(
    v.union(
      [
        v.boolean(),
        v.pipe(
          v.picklist(["true", "false"]),
          v.transform((word) => word === "true"),
        ),
      ],
      "expected true or false",
    ),
    v.metadata({ title: "boolean" }),
  );
}

/** A string that says something. */
export function text() {
  return v.pipe(v.string("expected a string"), v.regex(/\S/, "must not be empty"));
}

/** One or more strings. */
export function texts(example: string) {
  return v.pipe(v.array(text(), `expected a list, such as [${example}]`), v.minLength(1, "must not be empty"));
}

/** One of a few words. */
export function oneOf<const Words extends readonly string[]>(words: Words) {
  return v.picklist(words, `expected one of ${words.join(", ")}`);
}

/** `HOST:PORT`, `off` or `false` → host and port, or undefined. */
export function address(description: string) {
  const message = "expected HOST:PORT, such as 127.0.0.1:9600, or off";
  return v.pipe(
    v.union([v.literal(false), v.pipe(v.string(), v.metadata({ pattern: ADDRESS }))], message),
    v.metadata({ title: "address", description }),
    v.check((value) => value === false || value === "off" || parseAddress(value) !== undefined, message),
    v.transform((value) => (value === false || value === "off" ? undefined : parseAddress(value))),
  );
}

/** Host and port of `127.0.0.1:9600` or `[::1]:9600`; undefined when the text is none. */
function parseAddress(value: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(value.trim());
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) return undefined;
  return { host: match[1] ?? match[2] ?? "", port };
}

/** A listener: `off`, `false`, or `{ listen: HOST:PORT }`. */
export function listener(listen: string, description: string) {
  return v.union(
    [
      v.pipe(
        v.union([v.literal(false), v.literal("off")]),
        v.transform(() => ({ listen: undefined })),
      ),
      v.strictObject({
        listen: v.optional(address(description), listen),
      }),
    ],
    'expected off, or { listen: "HOST:PORT" }',
  );
}

/** A key with its explanation. */
export function key<const Schema extends v.GenericSchema>(schema: Schema, description: string) {
  return v.pipe(schema, v.description(description));
}

/** A key without a fixed default: what the documentation says about its absence. */
export function derived<const Schema extends v.GenericSchema>(schema: Schema, description: string, absent: string) {
  return v.optional(v.pipe(schema, v.description(description), v.metadata({ "x-default": absent })));
}
