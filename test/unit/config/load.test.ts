import { describe, expect, test } from "vitest";
import { directory, file, load, refusal, withSink, withTop } from "./support.ts";

describe("defaults", () => {
  test("the least that is valid gets every default of the contract", () => {
    const { config } = load(withSink());
    expect(config).toEqual({
      stateDir: "/var/lib/pannier",
      memoryLimitBytes: 32 * 1024 ** 2,
      drainDeadlineMs: 8000,
      admin: { host: "127.0.0.1", port: 9600, explicit: false },
      health: undefined,
      watchConfig: false,
      maxOpenFiles: 1024,
      allowLinksInto: [],
      logLevel: "info",
      inputs: [
        {
          paths: ["/logs"],
          exclude: ["**/*.gz"],
          startAt: "beginning",
          format: "auto",
          maxLineBytes: 256 * 1024,
          timezone: "UTC",
          fields: {},
          reclaim: "never",
        },
      ],
      sinks: [
        {
          type: "elasticsearch",
          name: "elasticsearch",
          urls: ["http://es:9200"],
          auth: {},
          tls: {},
          dataStream: "logs-pannier-default",
          manageTemplate: true,
          timestampType: "date_nanos",
          batch: { maxBytes: 2 * 1024 ** 2, maxAgeMs: 1000, inFlight: 2, compression: "gzip" },
          deadLetters: { maxBytes: 64 * 1024 ** 2, whenFull: "stop" },
        },
      ],
    });
  });

  test("JSON is read too, tabs included", () => {
    const { config } = load('{\n\t"inputs": [{"paths": ["/l"]}],\n\t"sinks": [{"type": "stdout"}]\n}\n');
    expect(config.sinks).toEqual([
      {
        type: "stdout",
        name: "stdout",
        batch: { maxBytes: 2 * 1024 ** 2, maxAgeMs: 1000, inFlight: 1, compression: "none" },
      },
    ]);
  });

  test("a key with nothing behind it has its default", () => {
    expect(load(withTop("memory:\nadmin:\n")).config.memoryLimitBytes).toBe(32 * 1024 ** 2);
  });

  test("STATE_DIRECTORY of systemd is the default of state_dir, and the file wins over it", () => {
    const env = { STATE_DIRECTORY: "/run/state/a:/run/state/b" };
    expect(load(withTop(""), { env }).config.stateDir).toBe("/run/state/a");
    expect(load(withTop("state_dir: /mine"), { env }).config.stateDir).toBe("/mine");
  });

  test.each(["admin: off", "admin: false", "admin: { listen: off }", "admin: { listen: false }"])("%s", (line) => {
    expect(load(withTop(line)).config.admin).toBeUndefined();
  });

  test("an address that was written is explicit, also an IPv6 one", () => {
    const { config } = load(withTop('admin: { listen: "[::1]:0" }\nhealth: { listen: 0.0.0.0:9601 }'));
    expect(config.admin).toEqual({ host: "::1", port: 0, explicit: true });
    expect(config.health).toEqual({ host: "0.0.0.0", port: 9601, explicit: true });
  });

  test("nested fields are joined with dots", () => {
    const yaml =
      "inputs: [{ paths: [/l], fields: { service: { name: a }, 'host.name': b, tags: [x, y], n: null } }]\nsinks: [{ type: stdout }]";
    expect(load(yaml).config.inputs[0]?.fields).toEqual({
      "service.name": "a",
      "host.name": "b",
      tags: ["x", "y"],
      n: null,
    });
  });

  test("names default to the type, then TYPE-2, and pass over names that are taken", () => {
    const sinks = [
      "{ type: elasticsearch, urls: [http://a] }",
      "{ type: elasticsearch, urls: [http://b], name: elasticsearch-2 }",
      "{ type: elasticsearch, urls: [http://c] }",
      "{ type: stdout }",
    ];
    const { config } = load(`inputs: [{ paths: [/l] }]\nsinks: [${sinks.join(", ")}]`);
    expect(config.sinks.map((sink) => sink.name)).toEqual([
      "elasticsearch",
      "elasticsearch-2",
      "elasticsearch-3",
      "stdout",
    ]);
  });
});

describe("what is wrong is said with file, line, column and path", () => {
  const cases: [name: string, yaml: string, code: string, message: string][] = [
    ["bad YAML", "inputs:\n  - paths: [/logs\nsinks: []\n", "config_syntax", "pannier.yaml:3:1: "],
    [
      "a tag that means nothing",
      withTop("state_dir: !env HOME"),
      "config_syntax",
      "pannier.yaml:3:12: Unresolved tag: !env",
    ],
    ["a key twice", withTop("sinks: []"), "config_syntax", "pannier.yaml:3:1: Map keys must be unique"],
    ["a list at the top", "- a\n", "config_value", 'pannier.yaml:1:1: ["a"]: expected keys and values'],
    [
      "a list where keys belong",
      withSink("auth: [a]"),
      "config_value",
      "pannier.yaml:5:11: sinks[0].auth: this value: expected keys and values",
    ],
    [
      "a list of fields",
      "inputs: [{ paths: [/x], fields: [a] }]\nsinks: [{ type: stdout }]",
      "config_value",
      'inputs[0].fields: ["a"]: expected keys and values',
    ],
    [
      "unknown key at the top",
      withTop("memroy: {}"),
      "config_unknown_key",
      'pannier.yaml:3:1: memroy: unknown key, did you mean "memory"?',
    ],
    [
      "camelCase",
      withTop("stateDir: /x"),
      "config_unknown_key",
      'pannier.yaml:3:1: stateDir: unknown key, did you mean "state_dir"?',
    ],
    [
      "unknown key, nothing near",
      withTop("drain: { xyzzy: 1 }"),
      "config_unknown_key",
      "pannier.yaml:3:10: drain.xyzzy: unknown key; valid: deadline",
    ],
    [
      "unknown key of an input",
      "inputs:\n  - path: [/x]\nsinks: [{ type: stdout }]",
      "config_unknown_key",
      'pannier.yaml:2:5: inputs[0].path: unknown key, did you mean "paths"?',
    ],
    [
      "unknown key of a sink",
      withSink("auth: { apikey: x }"),
      "config_unknown_key",
      'pannier.yaml:5:13: sinks[0].auth.apikey: unknown key, did you mean "api_key"?',
    ],
    [
      "a key of the other sink type",
      "inputs: [{ paths: [/x] }]\nsinks:\n  - type: stdout\n    urls: [x]",
      "config_unknown_key",
      "pannier.yaml:4:5: sinks[0].urls: unknown key",
    ],
    [
      "an object where a list belongs",
      "inputs: { paths: [/x] }\nsinks: [{ type: stdout }]",
      "config_value",
      "pannier.yaml:1:9: inputs: ",
    ],
    [
      "a string where a list belongs",
      "inputs: [{ paths: /x }]\nsinks: [{ type: stdout }]",
      "config_value",
      'pannier.yaml:1:19: inputs[0].paths: "/x": expected a list, such as [/logs/*.log]',
    ],
    [
      "a missing key",
      "inputs: [{ format: json }]\nsinks: [{ type: stdout }]",
      "config_missing_key",
      "pannier.yaml:1:10: inputs[0].paths: is missing",
    ],
    [
      "a missing type",
      "inputs: [{ paths: [/x] }]\nsinks:\n  - urls: [http://es]",
      "config_missing_key",
      "pannier.yaml:3:5: sinks[0].type: is missing; one of elasticsearch, loki, splunk, stdout",
    ],
    [
      "an unknown type",
      "inputs: [{ paths: [/x] }]\nsinks: [{ type: elasticserch }]",
      "config_value",
      'pannier.yaml:2:17: sinks[0].type: "elasticserch" is not valid, did you mean "elasticsearch"?',
    ],
    [
      "a word that is none of the words",
      "inputs: [{ paths: [/x], start_at: begin }]\nsinks: [{ type: stdout }]",
      "config_value",
      'inputs[0].start_at: "begin" is not valid',
    ],
    [
      "a size without a unit",
      withTop("memory: { limit: 33554432 }"),
      "config_value",
      "pannier.yaml:3:18: memory.limit: 33554432: a size is a number with a unit",
    ],
    [
      "a size that is none",
      withTop("memory: { limit: 12 apples }"),
      "config_value",
      'memory.limit: "12 apples": a size is a number with a unit',
    ],
    [
      "a size too small",
      "inputs: [{ paths: [/x], max_line_bytes: 1B }]\nsinks: [{ type: stdout }]",
      "config_value",
      'inputs[0].max_line_bytes: "1B": too small: at least 64B',
    ],
    [
      "a duration without a unit",
      withTop("drain: { deadline: 8 }"),
      "config_value",
      "drain.deadline: 8: a duration is a number with a unit",
    ],
    [
      "an address",
      withTop("admin: { listen: localhost }"),
      "config_value",
      'admin.listen: "localhost": expected HOST:PORT',
    ],
    ["a port", withTop("admin: { listen: 'localhost:99999' }"), "config_value", "expected HOST:PORT"],
    [
      "a boolean",
      withSink("manage_template: maybe"),
      "config_value",
      'sinks[0].manage_template: "maybe": expected true or false',
    ],
    ["a whole number", withTop("max_open_files: 1.5"), "config_value", "max_open_files: 1.5: expected a whole number"],
    ["another version", withTop("version: 2"), "config_value", "version: 2: this pannier reads version 1"],
    [
      "a time zone",
      "inputs: [{ paths: [/x], timezone: Mars }]\nsinks: [{ type: stdout }]",
      "config_value",
      'pannier.yaml:1:35: inputs[0].timezone: "Mars" is no time zone',
    ],
    [
      "a field that is pannier's",
      "inputs: [{ paths: [/x], fields: { log: { offset: 1 } } }]\nsinks: [{ type: stdout }]",
      "config_value",
      "inputs[0].fields.log.offset: log.offset cannot be set",
    ],
    [
      "a field that JSON cannot hold",
      "inputs: [{ paths: [/x], fields: { a: .nan } }]\nsinks: [{ type: stdout }]",
      "config_value",
      "inputs[0].fields.a: not a value that JSON can hold",
    ],
    [
      "a later key of an input",
      "inputs: [{ paths: [/x], multiline: auto }]\nsinks: [{ type: stdout }]",
      "config_not_in_this_version",
      "inputs[0].multiline: is not in this version",
    ],
    [
      "a later format",
      "inputs: [{ paths: [/x], format: cri }]\nsinks: [{ type: stdout }]",
      "config_not_in_this_version",
      'inputs[0].format: "cri" is not in this version',
    ],
    [
      "a later format with a pattern",
      "inputs: [{ paths: [/x], format: { pattern: x } }]\nsinks: [{ type: stdout }]",
      "config_not_in_this_version",
      "inputs[0].format: this value is not in this version",
    ],
    [
      "a Splunk sink with two ways to show its token",
      "inputs: [{ paths: [/x] }]\nsinks: [{ type: splunk, urls: [http://s], auth: { token: a, bearer: b } }]",
      "config_value",
      "sinks[0].auth: more than one way to authenticate",
    ],
    [
      "an alias is followed",
      "inputs: [{ paths: [/x] }]\nsinks:\n  - &a { type: stdout, batch: { max_age: never } }\n  - *a",
      "config_value",
      'pannier.yaml:3:42: sinks[1].batch.max_age: "never": a duration',
    ],
  ];
  test.each(cases)("%s", (_, yaml, code, message) => {
    const error = refusal(yaml);
    expect(error.message).toContain(message);
    expect(error.code).toBe(code);
    expect(error.exitCode).toBe(78);
  });

  test("all problems are said at once, in the order of the file", () => {
    const error = refusal("inputz: []\nmemory: { limit: 1 }\ninputs: [{ path: [/x] }]\nsinks: [{ type: stdot }]\n");
    expect(error.message.split("\n").map((line) => line.split(": ", 2).join(": "))).toEqual([
      "pannier.yaml:1:1: inputz",
      "pannier.yaml:2:18: memory.limit",
      "pannier.yaml:3:10: inputs[0].paths",
      "pannier.yaml:3:12: inputs[0].path",
      "pannier.yaml:4:17: sinks[0].type",
    ]);
  });

  test("a file that was named and is not there, or is a directory", () => {
    expect(refusal(undefined, { flags: { config: "/nowhere/p.yaml" } })).toMatchObject({
      code: "config_unreadable",
      exitCode: 78,
    });
    expect(refusal(undefined, { env: { PANNIER_CONFIG: "/nowhere/p.yaml" } }).hint).toContain("PANNIER_CONFIG");
    expect(refusal(undefined, { flags: { config: directory } }).message).toContain("is a directory");
  });

  test("no path and no input, or no sink, is a mistake of usage", () => {
    expect(refusal("sinks: [{ type: stdout }]")).toMatchObject({ code: "usage_no_input", exitCode: 64 });
    expect(refusal(undefined)).toMatchObject({ code: "usage_no_input", exitCode: 64 });
    expect(refusal(undefined, { flags: { paths: ["/x"] } })).toMatchObject({ code: "usage_no_sink", exitCode: 64 });
    expect(load("sinks: [{ type: stdout }]", { needsInputs: false }).config.inputs).toEqual([]);
  });
});

const two = (a: string, b: string): string => `inputs: [{ paths: [/x] }]\nsinks:\n  - ${a}\n  - ${b}\n`;
const es = (more: string): string => `{ type: elasticsearch, urls: ["http://es:9200"]${more} }`;

describe("Elasticsearch", () => {
  test.each([
    ["urls: [es:9200]", 'sinks[0].urls[0]: "es:9200" is no http or https URL'],
    ["urls: [elasticsearch+http://es:9200]", "only --to wants the type in front"],
    ["urls: ['http://es?x=1']", "is no http or https URL"],
    ["urls: [http://es:9200, http://es:9200/]", "a node is listed twice"],
    ["urls: ['http://a:b@es1', 'http://c:d@es2']", "the URLs carry different credentials"],
    ["auth: { username: a }", "sinks[0].auth: a username without a password"],
    ["auth: { password: a }", "a password without a username"],
    ["auth: { api_key: a, bearer: b }", "more than one way to authenticate"],
    ["data_stream: Logs", 'sinks[0].data_stream: "Logs" is no valid name: Elasticsearch does not take "L"'],
    ["index: -x", 'begins with "-"'],
    ["tls: { ca: /nowhere/ca.pem }", "sinks[0].tls.ca: cannot read this file: ENOENT"],
    ["tls: { cert: /etc/hostname }", "`cert` and `key` belong together"],
    ["name: a/b", "letters, digits"],
  ])("%s", (line, message) => {
    const error = refusal(withSink(line));
    expect(error.message).toContain(message);
    expect(error.exitCode).toBe(78);
  });

  test("data_stream and index exclude each other", () => {
    expect(refusal(withSink("data_stream: a", "index: b")).message).toContain("exclude each other");
    expect(load(withSink("index: b")).config.sinks[0]).toMatchObject({ index: "b" });
    expect(load(withSink("index: b")).config.sinks[0]).not.toHaveProperty("dataStream");
  });

  test("credentials in a URL move to where they are masked", () => {
    const sink = load(withSink("urls: ['http://me:p%40ss@es1:9200/path/', 'http://es2:9200']")).config.sinks[0];
    if (sink?.type !== "elasticsearch") throw new Error("another sink");
    expect(sink.urls).toEqual(["http://es1:9200/path", "http://es2:9200"]);
    expect([sink.auth.username, sink.auth.password?.read()]).toEqual(["me", "p@ss"]);
  });

  test("an error never shows a secret", () => {
    const secrets = withSink("urls: ['http://me:hunter2@']", "auth: { api_key: [hunter2] }");
    expect(refusal(secrets).message).not.toContain("hunter2");
    expect(refusal(withSink("urls: ['ftp://me:hunter2@es']")).message).not.toContain("hunter2");
  });

  test("two sinks with one destination", () => {
    expect(refusal(two(es(""), es("")))).toMatchObject({ code: "config_duplicate_destination", exitCode: 78 });
    expect(refusal(two(es(""), es(""))).message).toContain(
      'pannier.yaml:4:5: sinks[1]: the same destination as sink "elasticsearch"',
    );
    expect(refusal(two("{ type: stdout }", "{ type: stdout }")).code).toBe("config_duplicate_destination");
    expect(refusal(two(es(""), '{ type: elasticsearch, urls: ["http://other", "HTTP://ES:9200/"] }')).code).toBe(
      "config_duplicate_destination",
    );
    expect(load(two(es(""), es(", index: other"))).config.sinks).toHaveLength(2);
    expect(refusal(undefined, { flags: { paths: ["/x"], to: ["stdout:", "stdout:"] } }).exitCode).toBe(78);
  });

  test("two sinks with one name", () => {
    const error = refusal(
      "inputs: [{ paths: [/x] }]\nsinks: [{ type: stdout, name: a }, { type: elasticsearch, name: a, urls: [http://es] }]",
    );
    expect(error.message).toContain('sinks[1].name: another sink has the name "a"');
  });
});

describe("file", () => {
  test("the default one is read if it exists", () => {
    const defaultFile = file("default.yaml", withTop("max_open_files: 7"));
    expect(load(undefined, { defaultFile })).toMatchObject({ config: { maxOpenFiles: 7 }, file: defaultFile });
  });
});
