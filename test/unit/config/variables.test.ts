import { renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FileSecret, readSecretFile } from "../../../src/config/secret.ts";
import { escape, replaceVariables } from "../../../src/config/variables.ts";
import { directory, file, load, refusal, withSink, withTop } from "./support.ts";

const replaced = (text: string, env: Record<string, string> = {}): unknown => replaceVariables(text, env).value;

/** The API key of the only sink, as it is now. */
const secretOf = (yaml: string): (() => string) => {
  const sink = load(yaml).config.sinks[0];
  if (sink?.type !== "elasticsearch" || sink.auth.apiKey === undefined) throw new Error("no key");
  return () => sink.auth.apiKey!.read();
};

describe("references in string values", () => {
  test.each([
    ["${A}", "1"],
    ["x${A}y${A}z", "x1y1z"],
    ["${EMPTY}", ""],
    ["${EMPTY:-d}", "d"],
    ["${NONE:-d}", "d"],
    ["${NONE:-}", ""],
    ["${NONE:-a:b ?-c}", "a:b ?-c"],
    ["${A:-d}", "1"],
    ["${A:?m}", "1"],
    ["$$", "$"],
    ["$${A}", "${A}"],
    ["$$$$", "$$"],
    ["$$$A", "$$A"],
    ["$A 5$", "$A 5$"],
    ["${file:-none}", "none"],
  ])("%s → %s", (text, expected) => {
    expect(replaced(text, { A: "1", EMPTY: "" })).toBe(expected);
  });

  test("whatever is escaped stands for itself", () => {
    fc.assert(fc.property(fc.stringMatching(/^[$a{}:?-]{0,12}$/), (text) => replaced(escape(text)) === text));
  });

  test("what a variable says is not replaced again, and keys are left alone", () => {
    expect(replaceVariables({ "${A}": ["${A}", 1, null, true] }, { A: "${B}" }).value).toEqual({
      "${A}": ["${B}", 1, null, true],
    });
  });

  test("a number or a boolean may come from a variable", () => {
    const env = { N: "7", B: "false" };
    expect(load(withTop("max_open_files: ${N}"), { env }).config.maxOpenFiles).toBe(7);
    expect(load(withSink("manage_template: ${B}"), { env }).config.sinks[0]).toMatchObject({ manageTemplate: false });
  });

  test.each([
    ["${STATE}", { STATE_A: "x" }, "pannier.yaml:3:12: state_dir: the environment variable STATE is not set"],
    ["${STATE_DRI}", { STATE_DIR: "x" }, 'STATE_DRI is not set, did you mean "STATE_DIR"?'],
    ["${X:?set it in the Pod}", {}, "state_dir: X is not set: set it in the Pod"],
    ["${X:?set it}", { X: "" }, "X is not set: set it"],
    ["${X", { X: "" }, "`${` without `}`"],
    ["${1X}", {}, "`${1X}` is no reference"],
    ["${X:+y}", { X: "" }, "`${X:+y}` is no reference"],
    ["${}", {}, "`${}` is no reference"],
  ])("%s is an error", (text, env, message) => {
    const error = refusal(withTop(`state_dir: '${text}'`), { env });
    expect(error.message).toContain(message);
    expect(error).toMatchObject({ code: "config_variable", exitCode: 78 });
  });
});

describe("secrets in files", () => {
  test("is read without the line end, and again when the file changes", () => {
    const key = file("key", "first\n");
    const read = secretOf(withSink(`auth: { api_key: "\${file:${key}}" }`));
    expect(read()).toBe("first");
    writeFileSync(key, "other");
    expect(read()).toBe("other");
    writeFileSync(key, "again");
    expect(read()).toBe("again");
  });

  test("a swapped link is noticed, as Kubernetes does it", () => {
    const link = path.join(directory, "data");
    symlinkSync(file("data-1", "one"), link);
    const read = secretOf(withSink(`auth: { api_key: "\${file:${link}}" }`));
    expect(read()).toBe("one");
    symlinkSync(file("data-2", "two"), `${link}.new`);
    renameSync(`${link}.new`, link);
    expect(read()).toBe("two");
  });

  test("the last good value holds while the file is missing, empty or a directory", () => {
    const key = file("key-gone", "good");
    const read = secretOf(withSink(`auth: { api_key: "id:\${file:${key}}" }`));
    rmSync(key);
    expect(read()).toBe("id:good");
    writeFileSync(key, "\n");
    expect(read()).toBe("id:good");
    writeFileSync(key, "better");
    expect(read()).toBe("id:better");
  });

  test("an unchanged file is not read again", () => {
    const key = file("key-same", "good");
    const secret = new FileSecret(key, "good");
    secret.read();
    writeFileSync(key, "evil");
    expect(secret.read()).toBe("evil");
    utimesSync(key, new Date(), new Date());
    expect(secret.read()).toBe("evil");
  });

  test.each([
    ["missing", undefined, "ENOENT"],
    ["empty", " \n", "it is empty"],
    ["two-lines", "a\nb\n", "it holds more than one line"],
  ])("%s at the start is an error", (name, content, why) => {
    const key = content === undefined ? path.join(directory, "nowhere") : file(name, content);
    const error = refusal(withSink(`auth: { password: "\${file:${key}}", username: u }`));
    expect(error.message).toMatch(/^pannier\.yaml:5:23: sinks\[0\]\.auth\.password: cannot read the secret file /);
    expect(error.message).toContain(why);
    expect(error).toMatchObject({ code: "config_secret_file", exitCode: 78 });
  });

  test("neither a pipe nor a large file is waited for", () => {
    expect(() => readSecretFile("/dev/null")).toThrow("it is no regular file");
    expect(() => readSecretFile(file("large", "x".repeat(100_000)))).toThrow("it is larger than");
  });

  test("elsewhere a file is read once", () => {
    const name = file("hostname", "web-1\n");
    const yaml = `inputs: [{ paths: [/l], fields: { host.name: "\${file:${name}}" } }]\nsinks: [{ type: stdout }]`;
    expect(load(yaml).config.inputs[0]?.fields).toEqual({ "host.name": "web-1" });
  });
});
