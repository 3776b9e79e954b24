import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { GzipCompressor } from "../../../src/batches/compress.ts";

test("what is compressed is what comes out, batch after batch", async () => {
  const compressor = new GzipCompressor(1 << 20);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 5_000 }), fc.nat(50), fc.nat(200), async (bytes, from, times) => {
      const source = Buffer.concat(Array.from({ length: times + 1 }, () => bytes));
      const start = Math.min(from, source.length);
      const packed = await compressor.compress(source, start, source.length);
      if (packed !== undefined) expect(gunzipSync(packed).equals(source.subarray(start))).toBe(true);
      else expect(source.length).toBeGreaterThan(1 << 19);
    }),
    { numRuns: 200 },
  );
  compressor.close();
});

test("bytes that do not fit are said not to, and the next ones do", async () => {
  const compressor = new GzipCompressor(64 * 1024);
  const noise = Buffer.from(Array.from({ length: 300_000 }, () => Math.random() * 256));
  const text = Buffer.from("a line like all others\n".repeat(10_000));
  for (let i = 0; i < 3; i++) {
    expect(await compressor.compress(noise, 0, noise.length)).toBeUndefined();
    const packed = await compressor.compress(text, 0, text.length);
    expect(gunzipSync(packed!).equals(text)).toBe(true);
  }
  compressor.close();
});

test("memory stays flat, batch after batch (invariant 9)", async () => {
  const script = path.join(import.meta.dirname, "compress-memory.ts");
  const { stdout } = await promisify(execFile)(process.execPath, ["--max-semi-space-size=4", script, "120"]);
  const { grownMiB } = JSON.parse(stdout) as { grownMiB: number };
  expect(grownMiB).toBeLessThan(3);
});
