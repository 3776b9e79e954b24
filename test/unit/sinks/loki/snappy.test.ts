import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  compressBlock,
  SNAPPY_BLOCK_BYTES,
  snappyMaxBytes,
  writeSnappyLength,
} from "../../../../src/sinks/loki/snappy.ts";
import { unsnappy } from "../../../support/loki-push.ts";

const GUARD = 0xa5;

/** Compresses block by block, and sees to it that nothing is written behind what may be taken. */
function snappy(bytes: Buffer, blockBytes = SNAPPY_BLOCK_BYTES): Buffer {
  const max = snappyMaxBytes(bytes.length) + 3 * Math.ceil(bytes.length / blockBytes);
  const out = Buffer.alloc(max + 16, GUARD);
  let at = writeSnappyLength(bytes.length, out, 0);
  for (let from = 0; from < bytes.length; from += blockBytes) {
    const length = Math.min(blockBytes, bytes.length - from);
    const block = Buffer.from(bytes.subarray(from, from + length));
    const end = compressBlock(new DataView(block.buffer, block.byteOffset, length), length, out, at);
    expect(end - at).toBeLessThanOrEqual(length + 3);
    at = end;
  }
  expect(out.subarray(max).every((byte) => byte === GUARD)).toBe(true);
  return out.subarray(0, at);
}

/** Texts that repeat themselves near and far, and stretches that do not. */
const texts = fc
  .array(
    fc.oneof(
      fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 300 })),
      fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 3_000 }), fc.constant(1)),
    ),
    { maxLength: 30 },
  )
  .map((parts) => Buffer.concat(parts.flatMap(([bytes, times]) => Array.from({ length: times }, () => bytes))));

describe("snappy", () => {
  test("what was compressed is what comes out", () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: SNAPPY_BLOCK_BYTES }), (bytes, blockBytes) => {
        expect(unsnappy(snappy(bytes, Math.max(blockBytes, 64))).equals(bytes)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test.each([0, 1, 3, 4, 14, 15, 16, 17, 60, 61, 255, 256, 257, 65_535, 65_536, 65_537, 200_000])(
    "%i equal bytes, and as many that do not repeat",
    (length) => {
      const equal = Buffer.alloc(length, 7);
      expect(unsnappy(snappy(equal)).equals(equal)).toBe(true);
      let state = 1;
      const random = Buffer.from(Array.from({ length }, () => (state = (state * 48_271) % 0x7fff_ffff) & 0xff));
      expect(unsnappy(snappy(random)).equals(random)).toBe(true);
    },
  );

  test("log lines shrink to a third, and what does not shrink takes three bytes more", () => {
    const line = '{"level":30,"time":1795399200000,"pid":17,"hostname":"order-7d9c","msg":"order accepted"}\n';
    const lines = Buffer.from(Array.from({ length: 5_000 }, (_, i) => line.replace("accepted", `${i}`)).join(""));
    expect(snappy(lines).length).toBeLessThan(lines.length / 3);
    const noise = Buffer.from(Array.from({ length: 60_000 }, (_, i) => (i * i * 31 + (i >> 3) * 7) & 0xff));
    expect(snappy(noise).length).toBeLessThanOrEqual(noise.length + 6);
  });
});
