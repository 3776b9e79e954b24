import { resolve } from "node:path";
import { expect, test } from "vitest";
import type { InputConfig } from "../../../src/core/config.ts";
import { Patterns } from "../../../src/files/patterns.ts";

function patterns(paths: string[], exclude: string[] = []): Patterns {
  const input: InputConfig = {
    paths,
    exclude,
    startAt: "beginning",
    format: "auto",
    maxLineBytes: 1024,
    timezone: "UTC",
    fields: {},
    reclaim: "never",
  };
  return new Patterns([input]);
}

test.each([
  ["/logs/app.log", "/logs/app.log", true],
  ["/logs/app.log", "/logs/app.log.1", false],
  ["/logs", "/logs/app.log", true],
  ["/logs", "/logs/a/b/app.log", true],
  ["/logs", "/logs/app.txt", false],
  ["/logs", "/logs2/app.log", false],
  ["/logs", "/logs/.hidden/app.log", false],
  ["/logs/*.log", "/logs/app.log", true],
  ["/logs/*.log", "/logs/a/app.log", false],
  ["/logs/**/*.log", "/logs/app.log", true],
  ["/logs/**/*.log", "/logs/a/b/app.log", true],
  ["/logs/{app,db}.log", "/logs/db.log", true],
  ["/logs/{a,b}/*.log", "/logs/b/x.log", true],
  ["/logs/app[1].log", "/logs/app[1].log", true],
  ["/logs/app[1].log", "/logs/app1.log", true],
  ["/*.log", "/a.log", true],
  ["/", "/a.log", true],
  ["relative.log", resolve("relative.log"), true],
  ["./relative/*.log", resolve("relative/a.log"), true],
])("%s and %s: %s", (pattern, path, expected) => {
  expect(patterns([pattern]).ownerOf(path) === 0).toBe(expected);
});

test.each([
  ["**/*.gz", "/logs/a.gz"],
  ["*.gz", "/logs/a/b.gz"],
  ["/logs/a/**", "/logs/a/b.log"],
  ["a/*.log", "/logs/a/b.log"],
])("exclude %s keeps %s out", (exclude, path) => {
  expect(patterns(["/logs/**/*"], [exclude]).ownerOf(path)).toBe(-1);
});

test.each([
  ["/logs/*/app/*.log", "/logs/one", true],
  ["/logs/*/app/*.log", "/logs/one/app", true],
  ["/logs/*/app/*.log", "/logs/one/db", false],
  ["/logs/*/app/*.log", "/logs/one/app/deeper", false],
  ["/logs/a/**/*.log", "/logs/b", false],
  ["/logs/a/**/*.log", "/logs/a/b/c", true],
  ["/logs/**/*.log", "/logs/.git", false],
  ["/logs/{a/b,c}/*.log", "/logs/a", true],
  ["/logs/*.log", "/logs/a", false],
  ["/logs", "/logs/a/b", true],
  ["/logs/app.log", "/logs/other", false],
])("%s walks into %s: %s", (pattern, directory, expected) => {
  expect(patterns([pattern]).mayHold(directory)).toBe(expected);
});

test("the static part of a glob is its root", () => {
  expect(patterns(["/var/log/*/a/*.log", "/logs", "/a.log", "/*.log"]).all.map(({ root }) => root)).toEqual([
    "/var/log",
    "/logs",
    "/a.log",
    "/",
  ]);
});
