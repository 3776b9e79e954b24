import { expect, test } from "vitest";
import { type Ordered, compareAge, parseSibling } from "../../../src/files/siblings.ts";

const isWatched = (base: string): boolean => base === "app.log" || base === "app.log.1";

test.each([
  ["app.log.1", "app.log", ".1"],
  ["app.log.12", "app.log", ".12"],
  ["app.log-20260131", "app.log", "-20260131"],
  ["app.log-2026-01-31", "app.log", "-2026-01-31"],
  ["app.log-20260131-1769817600", "app.log", "-20260131-1769817600"],
  ["app.log.20260131", "app.log", ".20260131"],
  ["app.log.2026-01-31", "app.log", ".2026-01-31"],
  ["app.log.2026-01-31.1", "app.log", ".2026-01-31.1"],
  ["app.log.2026-01-31T12:00:00Z", "app.log", ".2026-01-31T12:00:00Z"],
  ["app.log.2026-01-31_12-00", "app.log", ".2026-01-31_12-00"],
])("%s is a sibling of %s", (name, base, suffix) => {
  expect(parseSibling(name, isWatched)).toEqual({ base, suffix, compressed: false });
});

test.each(["app.log", "app.log.bak", "app.log.1.tmp", "app.log-1", "app.log.old", "other.log.1", "app.log.", "1"])(
  "%s is none",
  (name) => {
    expect(parseSibling(name, isWatched)).toBeUndefined();
  },
);

test.each(["app.log.1.gz", "app.log-20260131.zst", "app.log.2026-01-31.bz2"])("%s is compressed", (name) => {
  expect(parseSibling(name, isWatched)?.compressed).toBe(true);
});

test("the shortest watched name is the base", () => {
  expect(parseSibling("app.log.1.2", (base) => base === "app.log.1")?.base).toBe("app.log.1");
  expect(parseSibling("app.log.1.2026-01-01", isWatched)?.base).toBe("app.log.1");
  expect(parseSibling("app.log.2026-01-01.2", () => true)?.base).toBe("app.log");
});

function at(suffix: string, mtime: number): Ordered {
  return { suffix, look: { mtimeNs: BigInt(mtime) } };
}

function order(...entries: Ordered[]): string[] {
  return entries.toSorted(compareAge).map(({ suffix }) => suffix);
}

test("oldest first: by time, then by number downwards or date upwards, the base last", () => {
  expect(order(at("", 1), at(".1", 7), at(".2", 5), at(".10", 3))).toEqual([".10", ".2", ".1", ""]);
  expect(order(at(".1", 5), at(".10", 5), at(".2", 5))).toEqual([".10", ".2", ".1"]);
  expect(order(at("-20260102", 5), at("-20260101", 5))).toEqual(["-20260101", "-20260102"]);
  expect(order(at(".1", 3), at(".2", 5))).toEqual([".1", ".2"]);
});
