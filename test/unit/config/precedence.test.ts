import { describe, expect, test } from "vitest";
import type { Config } from "../../../src/core/config.ts";
import { load, refusal, withTop } from "./support.ts";

/** Every setting with a flag: its environment twin, what the file says, and how the effective value is read. */
const SETTINGS: [
  flag: string,
  twin: string,
  inFile: string,
  values: [string, string, string],
  read: (config: Config) => unknown,
  effective: unknown[],
][] = [
  [
    "state-dir",
    "PANNIER_STATE_DIR",
    "state_dir: VALUE",
    ["/f", "/e", "/c"],
    (config) => config.stateDir,
    ["/f", "/e", "/c"],
  ],
  [
    "memory-limit",
    "PANNIER_MEMORY_LIMIT",
    "memory: { limit: VALUE }",
    ["20MiB", "30MiB", "40MiB"],
    (config) => config.memoryLimitBytes / 1024 ** 2,
    [20, 30, 40],
  ],
  [
    "drain-deadline",
    "PANNIER_DRAIN_DEADLINE",
    "drain: { deadline: VALUE }",
    ["1s", "2s", "3s"],
    (config) => config.drainDeadlineMs,
    [1000, 2000, 3000],
  ],
  [
    "admin",
    "PANNIER_ADMIN",
    "admin: { listen: 'VALUE' }",
    ["h:1", "off", "h:3"],
    (config) => config.admin?.port,
    [1, undefined, 3],
  ],
  [
    "health",
    "PANNIER_HEALTH",
    "health: { listen: 'VALUE' }",
    ["h:1", "h:2", "off"],
    (config) => config.health?.port,
    [1, 2, undefined],
  ],
  [
    "log-level",
    "PANNIER_LOG_LEVEL",
    "log: { level: VALUE }",
    ["debug", "warn", "error"],
    (config) => config.logLevel,
    ["debug", "warn", "error"],
  ],
];

describe("flags win over the environment, and that over the file", () => {
  test.each(SETTINGS)("--%s", (flag, twin, inFile, [fileValue, environmentValue, flagValue], read, effective) => {
    const yaml = withTop(inFile.replace("VALUE", fileValue));
    const env = { [twin]: environmentValue };
    expect(read(load(yaml).config)).toBe(effective[0]);
    expect(read(load(yaml, { env }).config)).toBe(effective[1]);
    expect(read(load(yaml, { env, flags: { [flag]: flagValue } }).config)).toBe(effective[2]);
    expect(read(load(yaml, { env: { [twin]: " " } }).config)).toBe(effective[0]);
  });

  test("PATH replaces all inputs, PANNIER_PATHS too", () => {
    const yaml = "inputs: [{ paths: [/a] }, { paths: [/b] }]\nsinks: [{ type: stdout }]";
    const paths = (loaded: { config: Config }): unknown => loaded.config.inputs.map((input) => input.paths);
    expect(paths(load(yaml, { env: { PANNIER_PATHS: " /c  /d\n/e " } }))).toEqual([["/c", "/d", "/e"]]);
    expect(paths(load(yaml, { env: { PANNIER_PATHS: "/c" }, flags: { paths: ["/f", "/g"] } }))).toEqual([["/f", "/g"]]);
  });

  test("--to replaces all sinks, PANNIER_TO too", () => {
    const yaml = withTop("");
    const urls = (loaded: { config: Config }): unknown =>
      loaded.config.sinks.map((sink) => (sink.type === "stdout" ? "stdout" : sink.urls[0]));
    const env = { PANNIER_TO: "elasticsearch+http://e1 elasticsearch+http://e2" };
    expect(urls(load(yaml, { env }))).toEqual(["http://e1", "http://e2"]);
    expect(urls(load(yaml, { env, flags: { to: ["elasticsearch+http://c"] } }))).toEqual(["http://c"]);
  });

  test("what is replaced is not looked at: its variables may be missing", () => {
    const yaml = 'inputs: [{ paths: [/a] }]\nsinks: [{ type: elasticsearch, urls: ["${MISSING}"] }]';
    expect(load(yaml, { flags: { to: ["stdout:"] } }).config.sinks[0]?.type).toBe("stdout");
  });

  test("a dollar sign in a flag or a variable stands for itself", () => {
    expect(load(withTop(""), { flags: { "state-dir": "/a${B}$$" } }).config.stateDir).toBe("/a${B}$$");
    expect(load(withTop(""), { env: { PANNIER_PATHS: "/a$$b" } }).config.inputs[0]?.paths).toEqual(["/a$$b"]);
  });
});

describe("a mistake names where it was made", () => {
  test("in a flag: usage, 64", () => {
    expect(refusal(withTop(""), { flags: { "memory-limit": "much" } })).toMatchObject({
      message: '--memory-limit: "much": a size is a number with a unit, such as 512KiB or 32MiB',
      exitCode: 64,
    });
    expect(refusal(withTop(""), { flags: { admin: "x" } }).message).toMatch(/^--admin: "x": expected HOST:PORT/);
  });

  test("in the environment: configuration, 78", () => {
    expect(refusal(withTop(""), { env: { PANNIER_DRAIN_DEADLINE: "8" } })).toMatchObject({
      message: 'PANNIER_DRAIN_DEADLINE: "8": a duration is a number with a unit, such as 500ms or 8s',
      exitCode: 78,
    });
    expect(refusal(withTop(""), { env: { PANNIER_TO: "nonsense" } })).toMatchObject({
      exitCode: 78,
      message: "PANNIER_TO: nonsense: is no URL",
    });
  });

  test("a plan over a limit from a flag is still 78", () => {
    expect(refusal(withTop(""), { flags: { "memory-limit": "1MiB" } })).toMatchObject({
      code: "config_plan_over_limit",
      exitCode: 78,
    });
  });
});

describe("warnings", () => {
  test("a password on the command line", () => {
    const { exposed: warning, warnings } = load(withTop(""), {
      flags: { to: ["elasticsearch+http://u:hunter2@es"] },
    });
    expect(warnings).toEqual([]);
    expect(warning).toContain("password on the command line");
    expect(warning).not.toContain("hunter2");
    expect(load(withTop(""), { env: { PANNIER_TO: "elasticsearch+http://u:hunter2@es" } }).exposed).toBeUndefined();
  });

  test("a twin with a typo", () => {
    expect(load(withTop(""), { env: { PANNIER_STATEDIR: "/x", PANNIER_SERVICE_HOST: "1.2.3.4" } }).warnings).toEqual([
      "the environment variable PANNIER_STATEDIR means nothing here, did you mean PANNIER_STATE_DIR?",
    ]);
  });
});
