import { describe, expect, test } from "vitest";
import { type Arguments, parseArguments } from "../../../src/cli/arguments.ts";
import { PannierError } from "../../../src/core/errors.ts";

/** The error of a command line that must be refused. */
function refusal(args: readonly string[], env: Record<string, string> = {}): PannierError {
  try {
    parseArguments(args, env);
  } catch (error) {
    if (error instanceof PannierError) return error;
    throw error;
  }
  throw new Error("the command line was accepted");
}

describe("the command line", () => {
  test.each<[args: string[], expected: Partial<Arguments>]>([
    [[], { command: "run", named: false, flags: {} }],
    [["run"], { command: "run", named: true, flags: {} }],
    [["/logs"], { command: "run", flags: { paths: ["/logs"] } }],
    [["a.log", "b/*.log"], { command: "run", flags: { paths: ["a.log", "b/*.log"] } }],
    [["run", "check"], { command: "run", flags: { paths: ["check"] } }],
    [["--once", "run", "/l"], { command: "run", once: true, flags: { paths: ["/l"] } }],
    [["--config", "f", "check"], { command: "check", flags: { config: "f" } }],
    [["run", "--to", "a", "/l", "--to=b"], { flags: { to: ["a", "b"], paths: ["/l"] } }],
    [["run", "--", "--odd"], { flags: { paths: ["--odd"] } }],
    [["check", "--once"], { command: "check", once: true }],
    [["replay", "--dry-run"], { command: "replay", dryRun: true }],
    [["demo", "--seconds", "2.5"], { command: "demo", seconds: 2.5 }],
    [["--version"], { version: true }],
    [["help", "probe"], { command: "probe", named: true, help: true }],
  ])("%j", (args, expected) => {
    expect(parseArguments(args, {})).toMatchObject(expected);
  });

  test.each<[string[], string]>([
    [["statsu"], 'unknown command "statsu"'],
    [["chekc"], 'unknown command "chekc", did you mean "check"?'],
    [["try"], "the command try is not in this version of pannier yet"],
    [["status"], "the command status is not in this version of pannier yet"],
    [["doctor", "pod.yaml"], "the command doctor is not in this version of pannier yet"],
    [["help", "tyr"], 'unknown command "tyr"'],
    [["--onec"], "unknown flag --onec, did you mean --once?"],
    [["-x"], "unknown flag -x"],
    [["run", "--stdin"], "--stdin is not in this version of pannier yet"],
    [["run", "--dry-run"], "--dry-run is no flag of run"],
    [["probe", "--once"], "--once is no flag of probe"],
    [["probe", "/logs"], 'probe takes no "/logs"'],
    [["demo", "--seconds", "soon"], '--seconds: "soon" is no number of seconds'],
    [["demo", "--seconds", "0"], "is no number of seconds"],
    [["run", "--config"], "--config"],
    [["run", "--config", "--once"], "--config"],
    [["run", "--once=yes"], "--once"],
  ])("%j is refused", (args, message) => {
    const error = refusal(args);
    expect(error.message).toContain(message);
    expect(error).toMatchObject({ code: "usage", exitCode: 64 });
  });

  test("PANNIER_ONCE is the twin of --once, for the commands that have it", () => {
    for (const on of ["1", "true", "YES", " on "])
      expect(parseArguments(["run"], { PANNIER_ONCE: on }).once).toBe(true);
    for (const off of ["", "0", "false", "no"]) expect(parseArguments(["run"], { PANNIER_ONCE: off }).once).toBe(false);
    expect(parseArguments(["probe"], { PANNIER_ONCE: "perhaps" }).once).toBe(false);
    expect(refusal(["run"], { PANNIER_ONCE: "perhaps" })).toMatchObject({
      exitCode: 78,
      message: 'PANNIER_ONCE: "perhaps": expected true or false',
    });
    expect(refusal(["run"], { PANNIER_STDIN: "true" }).message).toContain("--stdin is not in this version");
  });
});
