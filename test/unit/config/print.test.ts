import { describe, expect, test } from "vitest";
import { printConfig, printPlan } from "../../../src/config/print.ts";
import { parse } from "../../../src/config/document.ts";
import { file, load, withSink, withTop } from "./support.ts";

/** The configuration with these credentials, as it is printed. */
const masked = (auth: string): string => printConfig(load(withSink(auth), { env: { P: "hunter2" } }).config);

describe("the effective configuration", () => {
  test("reads back as itself, secrets aside", () => {
    const yaml = `state_dir: /s$$x
memory: { limit: 1000001B }
drain: { deadline: 1500ms }
admin: off
health: { listen: "[::1]:9601" }
inputs: [{ paths: [/l, "/a b/*.log"], exclude: [], fields: { a: { b: "$$\{C}" }, n: 1.5, on: "off" }, max_line_bytes: 1KiB, timezone: Europe/Berlin }]
sinks: [{ type: elasticsearch, was: old, urls: ["http://a", "http://b"], index: i, manage_template: false }, { type: stdout, batch: { max_age: 90s } }]`
      .replace("$$\\{", "$${")
      .replace("limit: 1000001B", "limit: 16777217B");
    const first = load(yaml).config;
    const text = printConfig(first);
    const again = load(text).config;
    const explicit = first.admin === undefined ? {} : { admin: { ...first.admin, explicit: true } };
    expect(again).toEqual({ ...first, ...explicit });
    expect(text).toContain("limit: 16777217B");
    expect(text).toContain("deadline: 1500ms");
  });

  test("masks secrets, and names a file instead of what it says", () => {
    const key = file("print-key", "hunter3");
    expect(masked('auth: { username: u, password: "${P}" }')).toContain('username: u\n      password: "********"\n');
    expect(masked('auth: { username: u, password: "${P}" }')).not.toContain("hunter");
    expect(masked("urls: ['http://u:hunter2@es']")).not.toContain("hunter");
    expect(masked(`auth: { api_key: "\${file:${key}}" }`)).toContain(`api_key: \${file:${key}}`);
    expect(masked(`auth: { bearer: "x\${file:${key}}" }`)).toContain('bearer: "********"');
  });

  test("the plan below it leaves it YAML", () => {
    const { config, plan } = load(withTop(""));
    const text = printConfig(config) + printPlan(plan);
    expect(text).toContain("# memory plan: ");
    expect(parse(text, "check").value).toMatchObject({ version: 1, sinks: [{ type: "stdout" }] });
  });
});
