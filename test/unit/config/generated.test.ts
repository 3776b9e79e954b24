import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { configJsonSchema, generatedFiles, type JsonSchema, outdatedFiles } from "../../../scripts/generate-docs.ts";
import { directory, file, load } from "./support.ts";

const root = path.resolve(import.meta.dirname, "../../..");
const examples = readdirSync(path.join(root, "examples")).filter((name) => /\.(ya?ml|json)$/.test(name));

/** Where a value breaks a JSON Schema, by the keywords that ours uses. */
function violations(schema: JsonSchema, value: unknown, at: string): string[] {
  const options = schema.anyOf ?? schema.oneOf;
  if (options !== undefined) {
    const tries = options.map((option) => violations(option, value, at));
    return tries.some((found) => found.length === 0) ? [] : tries.toSorted((a, b) => a.length - b.length)[0];
  }
  const found: string[] = [];
  if (schema.const !== undefined && value !== schema.const) found.push(`${at} is not ${JSON.stringify(schema.const)}`);
  if (schema.enum !== undefined && !schema.enum.includes(value)) found.push(`${at} is none of ${schema.enum.join()}`);
  if (schema.type !== undefined && typeOf(value) !== schema.type) found.push(`${at} is no ${schema.type}`);
  if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(String(value)))
    found.push(`${at} breaks the pattern`);
  if (Array.isArray(value))
    found.push(...value.flatMap((item, i) => violations(schema.items ?? {}, item, `${at}[${i}]`)));
  else if (typeof value === "object" && value !== null) {
    for (const key of schema.required ?? []) if (!Object.hasOwn(value, key)) found.push(`${at}.${key} is missing`);
    for (const [key, child] of Object.entries(value)) {
      const inner = schema.properties?.[key];
      if (inner !== undefined) found.push(...violations(inner, child, `${at}.${key}`));
      else if (schema["additionalProperties"] === false) found.push(`${at}.${key} is unknown`);
    }
  }
  return found;
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return value === null ? "null" : typeof value;
}

describe("generated files", () => {
  test("the JSON Schema and docs/configuration.md are up to date (npm run docs)", () => {
    expect(outdatedFiles(root)).toEqual([]);
  });

  test("a file that differs is found", () => {
    expect(outdatedFiles(directory)).toEqual(["pannier.schema.json", "docs/configuration.md"]);
  });

  test("every key is documented, with its default or that it is required", () => {
    const rows = (generatedFiles().get("docs/configuration.md") ?? "")
      .split("\n")
      .filter((line) => line.startsWith("| `"));
    expect(rows.length).toBeGreaterThan(30);
    expect(rows.filter((row) => /undefined|\| any \||\|\s*\|$/.test(row))).toEqual([]);
  });
});

describe("the JSON Schema", () => {
  const schema = configJsonSchema();

  test("is draft-07", () => {
    expect(schema["$schema"]).toBe("http://json-schema.org/draft-07/schema#");
  });

  test.each([
    ["unknown key", { inputz: [] }],
    ["unknown key of a sink", { sinks: [{ type: "stdout", urls: [] }] }],
    ["a bad size", { memory: { limit: "12 apples" } }],
    ["a number for a size", { memory: { limit: 12 } }],
    ["a bad word", { log: { level: "loud" } }],
    ["a missing key", { inputs: [{}] }],
    ["an unknown type", { sinks: [{ type: "kafka" }] }],
  ])("refuses %s", (_, value) => {
    expect(violations(schema, value, "$")).not.toEqual([]);
  });

  test.each([
    ["references", { memory: { limit: "${LIMIT}" }, log: { level: "${LEVEL:-info}" }, max_open_files: "${N}" }],
    ["off", { admin: "off", health: false }],
    ["an address", { admin: { listen: "127.0.0.1:9600" } }],
  ])("takes %s", (_, value) => {
    expect(violations(schema, value, "$")).toEqual([]);
  });
});

describe("examples", () => {
  const secrets = path.join(directory, "secrets");
  mkdirSync(secrets);
  const secret = file("secrets/any", "secret\n");

  test("are there", () => {
    expect(examples).toEqual(expect.arrayContaining(["elasticsearch.yaml", "minimal.yaml", "two-sinks.yaml"]));
  });

  test.each(examples)("%s is valid", (name) => {
    const text = readFileSync(path.join(root, "examples", name), "utf8");
    expect(violations(configJsonSchema(), parseYaml(text), "$")).toEqual([]);
    const here = text.replaceAll(/\/run\/secrets\/[\w./-]+/g, secret);
    const env = { ELASTICSEARCH_PASSWORD: "x" };
    expect(load(here, { env }).warnings).toEqual([]);
  });

  test("elasticsearch.yaml shows every key of its sink and of the top", () => {
    const shown = parseYaml(
      readFileSync(path.join(root, "examples/elasticsearch.yaml"), "utf8")
        .replaceAll("# c", "c")
        .replaceAll("# k", "k")
        .replaceAll("# s", "s"),
    ) as {
      sinks: object[];
    };
    const schema = configJsonSchema();
    const options = schema.properties?.["sinks"]?.items?.anyOf ?? schema.properties?.["sinks"]?.items?.oneOf ?? [];
    const sink = options.find((option) => option.properties?.["type"]?.const === "elasticsearch");
    const optional = ["was", "index"];
    expect(Object.keys(shown)).toEqual(expect.arrayContaining(Object.keys(schema.properties ?? {})));
    expect(Object.keys(shown.sinks[0] ?? {})).toEqual(
      expect.arrayContaining(Object.keys(sink?.properties ?? {}).filter((key) => !optional.includes(key))),
    );
  });
});
