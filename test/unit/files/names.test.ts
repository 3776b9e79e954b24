import { assert, property, uint8Array } from "fast-check";
import { expect, test } from "vitest";
import { nameOf, osPath } from "../../../src/files/names.ts";

test("a name in UTF-8 is itself", () => {
  expect(nameOf(Buffer.from("größe 🚀.log"))).toBe("größe 🚀.log");
  expect(osPath("größe 🚀.log")).toBe("größe 🚀.log");
});

test("any bytes lead back to themselves", () => {
  assert(
    property(uint8Array({ maxLength: 64 }), (array) => {
      const bytes = Buffer.from(array);
      expect(Buffer.from(osPath(nameOf(bytes)) as string)).toEqual(bytes);
    }),
  );
});
