import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readVarint, varintBytes, writeVarint } from "../../../../src/sinks/loki/proto.ts";

const edges = [0, 1, ...[7, 14, 21, 28, 31, 32, 35, 42].flatMap((bits) => [2 ** bits - 1, 2 ** bits]), 2 ** 49 - 1];

test("a number is as long as is said beforehand, and comes back", () => {
  const numbers = fc.oneof(fc.constantFrom(...edges), fc.integer({ min: 0, max: 2 ** 49 - 1 }));
  fc.assert(
    fc.property(numbers, (number) => {
      const bytes = Buffer.alloc(8);
      expect(writeVarint(number, bytes, 0)).toBe(varintBytes(number));
      expect(readVarint(bytes, 0)).toBe(number);
    }),
    { numRuns: 2_000 },
  );
});
