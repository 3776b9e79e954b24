import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { nodeProblem } from "../../../src/cli/version.ts";
import { file, pannier } from "./support.ts";

const { version } = JSON.parse(readFileSync(path.resolve(import.meta.dirname, "../../../package.json"), "utf8")) as {
  version: string;
};

describe("pannier", () => {
  test("--version", async () => {
    expect(await pannier(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });

  test.each([["--help"], ["-h"], ["help"]])("%s lists the commands of this version", async (flag) => {
    const { code, stdout, stderr } = await pannier([flag]);
    expect([code, stderr]).toEqual([0, ""]);
    for (const command of ["run", "check", "probe", "replay", "demo"]) expect(stdout).toContain(`pannier ${command}`);
    for (const name of [
      "--config",
      "--to",
      "--once",
      "--state-dir",
      "--admin",
      "--health",
      "--memory-limit",
      "--drain-deadline",
      "--log-level",
    ])
      expect(stdout).toContain(name);
    expect(stdout).not.toMatch(/pannier (try|status|doctor)/);
  });

  test.each([
    [["probe", "--help"], "pannier probe [--config FILE] [--to URL]…"],
    [["help", "replay"], "--dry-run"],
    [["demo", "--help"], "--seconds"],
  ])("%s is about that command", async (args, text) => {
    const { code, stdout } = await pannier(args);
    expect(code).toBe(0);
    expect(stdout).toContain(text);
    expect(stdout).not.toContain("Exit codes");
  });

  test("an old Node is told, not shown a stack", () => {
    expect(nodeProblem("20.20.2")).toBe("this is Node 20.20.2, and pannier needs 22.22 or newer");
    expect(nodeProblem("22.21.9")).toContain("needs 22.22");
    expect([nodeProblem("22.22.0"), nodeProblem("24.0.0"), nodeProblem("26.10.0")]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe("wrong usage ends with 64 and says what is right", () => {
  test.each<[args: string[], message: string]>([
    [
      ["chekc"],
      'pannier: unknown command "chekc", did you mean "check"?\n  The commands are: run, check, probe, replay, demo.',
    ],
    [[], "pannier: nothing to follow: no PATH, and no `inputs`"],
    [["probe"], "pannier: nowhere to send to"],
    [["/logs", "--to", "splunk+tcp://l:8088"], 'unknown scheme, did you mean "splunk+http"?'],
    [["run", "/logs", "--to", "stdout:", "--memory-limit", "5"], '--memory-limit: "5": a size is a number with a unit'],
  ])("%j", async (args, message) => {
    const { code, stdout, stderr } = await pannier(args);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("    at ");
    expect([code, stdout]).toEqual([64, ""]);
  });
});

describe("check", () => {
  test("prints the effective configuration, secrets masked, then the memory plan", async () => {
    const config = file(
      "good.yaml",
      "inputs: [{ paths: [/logs] }]\nsinks: [{ type: elasticsearch, urls: ['https://u:hunter2@es'], auth: {} }]\n",
    );
    const { code, stdout, stderr } = await pannier(["check", "--config", config]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).not.toContain("hunter2");
    expect(stdout).toMatch(/\n# memory plan: \S+MiB of 32MiB\n#   read buffer /);
    expect(parse(stdout)).toMatchObject({
      state_dir: "/var/lib/pannier",
      memory: { limit: "32MiB" },
      inputs: [{ paths: ["/logs"] }],
      sinks: [
        { name: "elasticsearch", urls: ["https://es"], auth: { username: "u" }, data_stream: "logs-pannier-default" },
      ],
    });
  });

  test.each<[string, string, string, Record<string, string>?]>([
    ["wrong YAML", "inputs:\n  - paths: [/logs\nsinks: []\n", "bad.yaml:3:1: "],
    [
      "an unknown key",
      "inputs: [{ paths: [/l] }]\nsniks: []\n",
      'bad.yaml:2:1: sniks: unknown key, did you mean "sinks"?',
    ],
    [
      "a missing variable",
      "state_dir: ${NOWHERE}\n",
      "bad.yaml:1:12: state_dir: the environment variable NOWHERE is not set",
    ],
    [
      "a plan over the limit",
      "inputs: [{ paths: [/l] }]\nsinks: [{ type: stdout }]\nmemory: { limit: 1MiB }\n",
      "bad.yaml:3:18: memory.limit: the memory plan needs at least",
    ],
    [
      "one destination twice",
      "inputs: [{ paths: [/l] }]\nsinks: [{ type: stdout }, { type: stdout }]\n",
      "the same destination as sink",
    ],
    [
      "a bad twin",
      "inputs: [{ paths: [/l] }]\nsinks: [{ type: stdout }]\n",
      'PANNIER_ADMIN: "here": expected HOST:PORT',
      { PANNIER_ADMIN: "here" },
    ],
    [
      "a bad switch",
      "inputs: [{ paths: [/l] }]\nsinks: [{ type: stdout }]\n",
      'PANNIER_ONCE: "perhaps": expected true or false',
      { PANNIER_ONCE: "perhaps" },
    ],
  ])("%s ends with 78", async (_, yaml, message, env) => {
    const { code, stdout, stderr } = await pannier(["check", "--config", file("bad.yaml", yaml)], env);
    expect(stderr).toContain(message);
    expect([code, stdout]).toEqual([78, ""]);
  });

  test("run refuses the same way", async () => {
    const { code, stderr } = await pannier(["run", "--config", file("bad-run.yaml", "inputz: []\n")]);
    expect(code).toBe(78);
    expect(stderr).toContain('bad-run.yaml:1:1: inputz: unknown key, did you mean "inputs"?');
  });

  test("takes the command line of run, and warns on stderr", async () => {
    const { code, stdout, stderr } = await pannier([
      "check",
      "/a",
      "b.log",
      "--to",
      "elasticsearch+http://u:hunter2@es/ds",
      "--once",
    ]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^pannier: warning: a password on the command line/);
    expect(stdout + stderr).not.toContain("hunter2");
    expect((parse(stdout) as { inputs: { paths: string[] }[] }).inputs[0]?.paths[1]).toMatch(/^\/.*\/b\.log$/);
  });

  test.each([
    ["/none/logs", "/none/logs/*.log", "/none/logs/x.log"],
    ["/none/logs/app", "/none/logs", "/none/logs/app/x.log"],
    ["/none/logs/**/*.log", "/none/logs/web/*.log", "/none/logs/web/x.log"],
    ["/none/logs/*.log", "/none/logs/app*.log", "/none/logs/appx.log"],
    ["/none/logs/*.log", "/none/logs/*.txt", undefined],
    ["/none/logs/a.log", "/none/logs/b.log", undefined],
    ["/none/logs/a.log", "/none/logs/**/*.txt", undefined],
  ])("says before there are files whether %s and %s can share one", async (one, other, shared) => {
    const yaml = `inputs: [{ paths: ["${one}"] }, { paths: ["${other}"] }]\nsinks: [{ type: stdout }]\n`;
    const { code, stderr } = await pannier(["check", "--config", file("globs.yaml", yaml)]);
    const warning = `pannier: warning: inputs[1]: ${shared} is matched by inputs[0] as well, and belongs to that one\n`;
    expect([code, stderr]).toEqual([0, shared === undefined ? "" : warning]);
  });

  test("warns of a path that two inputs match", async () => {
    const log = file("shared.log", "x\n");
    const yaml = `inputs: [{ paths: ["${path.dirname(log)}/*.log"] }, { paths: ["${path.dirname(log)}/s*"] }, { paths: [/else/x.log] }]\nsinks: [{ type: stdout }]\n`;
    const { code, stderr } = await pannier(["check", "--config", file("overlap.yaml", yaml)]);
    expect([code, stderr]).toEqual([
      0,
      `pannier: warning: inputs[1]: ${log} is matched by inputs[0] as well, and belongs to that one\n`,
    ]);
  });
});
