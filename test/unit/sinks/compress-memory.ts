/** Compresses batches of 2 MiB and prints by how much the process's own memory has grown since the first few. */
import { readFileSync } from "node:fs";
import { GzipCompressor } from "../../../src/batches/compress.ts";

const batches = Number(process.argv[2]);
let text = "";
for (let i = 0; text.length < 2 << 20; i++)
  text += `{"create":{"_id":"${Math.random().toString(36).slice(2)}"}}\n{"message":"request ${i}","user":${Math.random()}}\n`;
const source = Buffer.from(text);
text = "";

function ownMiB(): number {
  return Number(/RssAnon:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1_024;
}

const compressors = [new GzipCompressor(1 << 20), new GzipCompressor(1 << 20)];
let packedBytes = 0;
for (let i = 0; i < 20; i++) for (const each of compressors) await each.compress(source, 0, source.length);
const beforeMiB = ownMiB();
let highestMiB = beforeMiB;
await Promise.all(
  compressors.map(async (compressor) => {
    for (let i = 0; i < batches / compressors.length; i++) {
      packedBytes += (await compressor.compress(source, 0, source.length))!.length;
      if (i % 10 === 0) highestMiB = Math.max(highestMiB, ownMiB());
    }
  }),
);
process.stdout.write(JSON.stringify({ beforeMiB, highestMiB, grownMiB: highestMiB - beforeMiB, packedBytes }));
for (const compressor of compressors) compressor.close();
