import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Folding, type Said } from "../../../src/telemetry/folding.ts";

const WINDOW_MS = 60_000;
const said = (code: string, subject: Partial<Said> = {}): Said => ({
  level: "warn",
  code,
  message: "m",
  file: undefined,
  sink: undefined,
  ...subject,
});
const never = (): never => {
  throw new Error("nothing should be evicted");
};

describe("folding", () => {
  test("says the same thing about the same subject once a minute, and then how often it was", () => {
    const folding = new Folding(WINDOW_MS, 10);
    const about = said("read_failed", { file: "/a" });
    expect(folding.admit(about, 0, never)).toBe(0);
    expect(folding.admit(about, 1, never)).toBeUndefined();
    expect(folding.admit({ ...about, message: "other words" }, WINDOW_MS - 1, never)).toBeUndefined();
    expect(folding.admit(about, WINDOW_MS, never)).toBe(2);
    expect(folding.admit(about, WINDOW_MS + 1, never)).toBeUndefined();
  });

  test("tells apart level, code, file and sink; and texts, where there is no subject", () => {
    const folding = new Folding(WINDOW_MS, 10);
    for (const other of [
      said("a", { file: "/a" }),
      said("a", { file: "/b" }),
      said("a", { sink: "/a" }),
      said("b", { file: "/a" }),
      said("a", { file: "/a", level: "info" }),
      said("a", { message: "one" }),
      said("a", { message: "two" }),
    ]) {
      expect(folding.admit(other, 0, never)).toBe(0);
    }
  });

  test("releases what is due with its last words, and keeps the rest", () => {
    const folding = new Folding(WINDOW_MS, 10);
    folding.admit(said("a"), 0, never);
    folding.admit(said("b"), 10, never);
    expect(folding.dueMs()).toBeUndefined();
    folding.admit(said("a"), 20, never);
    folding.admit(said("b"), 30, never);
    expect(folding.dueMs()).toBe(WINDOW_MS);
    const released: [string, number][] = [];
    folding.release(WINDOW_MS, ({ code }, repeated) => released.push([code, repeated]));
    expect(released).toEqual([["a", 1]]);
    expect(folding.dueMs()).toBe(WINDOW_MS + 10);
    folding.flush(({ code }, repeated) => released.push([code, repeated]));
    expect(released).toEqual([
      ["a", 1],
      ["b", 1],
    ]);
    expect(folding.dueMs()).toBeUndefined();
  });

  test("counts every message once: written, or within a count; with a bounded memory", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(7), fc.nat(20_000), fc.boolean()), { maxLength: 200 }), (steps) => {
        const folding = new Folding(WINDOW_MS, 4);
        let nowMs = 0;
        let counted = 0;
        const count = (_: Said, repeated: number): void => {
          counted += repeated;
        };
        for (const [subject, waitMs, release] of steps) {
          nowMs += waitMs;
          const repeated = folding.admit(said("c", { file: `/${subject}` }), nowMs, count);
          if (repeated !== undefined) counted += repeated + 1;
          if (release) folding.release(nowMs, count);
        }
        folding.flush(count);
        expect(counted).toBe(steps.length);
      }),
    );
  });
});
