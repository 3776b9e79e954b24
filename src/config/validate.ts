import * as v from "valibot";
import { isLaterKey, isLaterValue } from "./later.ts";
import { suggest } from "./nearest.ts";
import { type Path, type Problem, quote, valueAt } from "./problems.ts";
import { configSchema, type ParsedConfig } from "./schema.ts";

/** What the walk over a schema needs to know of it; valibot's own types are one per kind. */
interface AnySchema {
  readonly type: string;
  readonly wrapped?: AnySchema;
  readonly item?: AnySchema;
  readonly entries?: Readonly<Record<string, AnySchema>>;
  readonly options?: readonly (AnySchema | string)[];
  readonly literal?: unknown;
}

/** Checks a whole configuration; defaults are filled in and units parsed. Every problem is reported, not only the first. */
export function validate(value: unknown): { config: ParsedConfig } | { problems: Problem[] } {
  const result = v.safeParse(configSchema, value);
  const problems = unknownKeys(configSchema, value, []);
  // valibot reports one unknown key per object: those are found by `unknownKeys`, all of them.
  const invalid = (result.issues ?? [])
    .flatMap((issue) => flatten(issue, [], value))
    .filter((problem) => problem !== undefined);
  problems.push(...invalid);
  return result.success && problems.length === 0 ? { config: result.output } : { problems };
}

type Issue = v.BaseIssue<unknown>;

/** A union says only that nothing matched; the alternative that was meant is the one that got furthest. */
function flatten(issue: Issue, above: Path, top: unknown): (Problem | undefined)[] {
  const path = [...above, ...(issue.path ?? []).map((item) => item.key as string | number)];
  const deeper = (issue.type === "union" ? (issue.issues ?? []) : []).filter((inner) => (inner.path?.length ?? 0) > 0);
  if (deeper.length > 0) return deeper.flatMap((inner) => flatten(inner, path, top));
  if (issue.type === "strict_object" && issue.expected === "never") return [undefined];
  return [problemOf(issue, path, valueAt(top, path))];
}

function problemOf(issue: Issue, path: Path, value: unknown): Problem {
  const key = path.at(-1);
  if (isLaterValue(path, value)) {
    const said = typeof value === "object" ? "this value" : JSON.stringify(value);
    return { code: "config_not_in_this_version", path, message: `${said} is not in this version of pannier yet` };
  }
  if (value === undefined && typeof key === "string") {
    const expected = issue.type === "variant" ? `; one of ${words(issue.expected)}` : "";
    return { code: "config_missing_key", path, message: `is missing${expected}` };
  }
  if (
    typeof value === "string" &&
    (issue.type === "picklist" || issue.type === "variant") &&
    issue.expected !== "Object"
  ) {
    return {
      code: "config_value",
      path,
      message: `${quote(value, path)} is not valid${suggest(value, words(issue.expected).split(", "))}`,
    };
  }
  const expected =
    issue.type === "strict_object" || issue.type === "variant" ? "expected keys and values" : issue.message;
  return { code: "config_value", path, message: `${quote(value, path)}: ${expected}` };
}

/** `("a" | "b")` → `a, b`. */
function words(expected: string | null): string {
  return (expected ?? "").replaceAll(/[()"]/g, "").split(" | ").join(", ");
}

function unknownKeys(schema: AnySchema, value: unknown, path: Path): Problem[] {
  const inner = schema.wrapped;
  if (inner !== undefined) return unknownKeys(inner, value, path);
  if (Array.isArray(value)) {
    const item = schema.item;
    if (schema.entries !== undefined || schema.type === "record") return [listInstead(value, path)];
    return item === undefined ? [] : value.flatMap((element, i) => unknownKeys(item, element, [...path, i]));
  }
  if (typeof value !== "object" || value === null) return [];
  if (schema.type === "union" || schema.type === "variant") {
    const option = chosen(schema, value as Record<string, unknown>);
    return option === undefined ? [] : unknownKeys(option, value, path);
  }
  const entries = schema.entries;
  if (entries === undefined) return [];
  return Object.entries(value).flatMap(([key, child]) =>
    Object.hasOwn(entries, key)
      ? unknownKeys(entries[key], child, [...path, key])
      : [unknownKey([...path, key], Object.keys(entries))],
  );
}

/** valibot takes a list for an object with the keys 0, 1, …. */
function listInstead(value: unknown, path: Path): Problem {
  return { code: "config_value", path, message: `${quote(value, path)}: expected keys and values` };
}

function unknownKey(path: Path, valid: readonly string[]): Problem {
  const key = String(path.at(-1));
  return isLaterKey(path)
    ? { code: "config_not_in_this_version", path, atKey: true, message: "is not in this version of pannier yet" }
    : { code: "config_unknown_key", path, atKey: true, message: `unknown key${suggest(key, valid)}` };
}

/** The alternative for objects; of a variant, the one that the value's discriminator names. */
function chosen(schema: AnySchema, value: Record<string, unknown>): AnySchema | undefined {
  const options = (schema.options ?? []).filter((option) => typeof option === "object");
  if (schema.type === "union") return options.find((option) => option.entries !== undefined);
  return options.find((option) => option.entries?.["type"]?.literal === value["type"]);
}
