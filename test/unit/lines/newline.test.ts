import * as fc from "fast-check";
import { expect, test } from "vitest";
import { LineFlag } from "../../../src/core/record.ts";
import {
  bomBytes,
  cutAtCharacter,
  findLineFeed,
  isBlank,
  lineEndBytes,
  lineFlags,
} from "../../../src/lines/newline.ts";

test("a line feed is found inside the range only", () => {
  const bytes = Buffer.from("a\nb\nc");
  expect(findLineFeed(bytes, 0, 5)).toBe(1);
  expect(findLineFeed(bytes, 2, 5)).toBe(3);
  expect(findLineFeed(bytes, 4, 5)).toBe(-1);
  expect(findLineFeed(bytes, 0, 1)).toBe(-1);
});

test.each([
  ["a\n", 1],
  ["a\r\n", 2],
  ["a\r", 0],
  ["a", 0],
  ["\n", 1],
  ["\r\n", 2],
  ["", 0],
])("the line end of %j has %i bytes", (text, count) => {
  const bytes = Buffer.from(text);
  expect(lineEndBytes(bytes, 0, bytes.length)).toBe(count);
});

test("a byte order mark is three bytes, whole", () => {
  expect(bomBytes(Buffer.from("\ufeffx"), 0, 4)).toBe(3);
  expect(bomBytes(Buffer.from("\ufeff"), 0, 2)).toBe(0);
  expect(bomBytes(Buffer.from("abc"), 0, 3)).toBe(0);
});

test("only ASCII white space is blank", () => {
  expect(isBlank(Buffer.from(" \t\v\f\r"), 0, 5)).toBe(true);
  expect(isBlank(Buffer.alloc(0), 0, 0)).toBe(true);
  for (const text of ["a", " \u0000", "\u00a0", " x "]) {
    const bytes = Buffer.from(text);
    expect(isBlank(bytes, 0, bytes.length), text).toBe(false);
  }
});

test("a cut never splits a character, and never takes more than the limit", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 40 }), fc.nat(60), (text, limitBytes) => {
      const bytes = Buffer.from(text.toWellFormed());
      const kept = cutAtCharacter(bytes, 0, bytes.length, limitBytes);
      expect(kept).toBeLessThanOrEqual(limitBytes);
      expect(bytes.toString().startsWith(bytes.toString("utf8", 0, kept))).toBe(true);
      if (bytes.length > limitBytes) expect(kept).toBeGreaterThan(limitBytes - 4);
    }),
  );
});

test("bytes that are no UTF-8 are cut at the limit", () => {
  expect(cutAtCharacter(Buffer.alloc(20, 0x80), 0, 20, 10)).toBe(10);
});

test("flags say how an event ends and begins", () => {
  expect(lineFlags(true, false, false)).toBe(0);
  expect(lineFlags(false, true, true)).toBe(LineFlag.unterminated | LineFlag.truncated | LineFlag.continued);
});
