import { expect, test } from "vitest";
import { LINE_BYTES, pinoLines } from "../../../bench/generate.ts";
import { MixedFiles } from "../../support/mixed-files.ts";
import { mixedLines } from "../../support/mixed-lines.ts";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";

test("the lines are 219 bytes on average, line end included, and each is JSON with its sequence number", () => {
  const lines = [...pinoLines(10_000, 7)];
  const bytes = lines.reduce((sum, line) => sum + line.length + 1, 0);
  expect(Math.abs(bytes / lines.length - LINE_BYTES)).toBeLessThan(0.05);
  expect(lines.map((line) => (JSON.parse(line) as { seq: number }).seq)).toEqual(lines.map((_, i) => i));
});

test("the same seed gives the same lines, another seed others", () => {
  expect([...pinoLines(50, 7)]).toEqual([...pinoLines(50, 7)]);
  expect([...pinoLines(50, 7)]).not.toEqual([...pinoLines(50, 8)]);
});

test("mixed lines have every sequence number once and no line end inside", () => {
  const lines = [...mixedLines(5_000, 3, Date.now())];
  const sequences = lines.flatMap((line) => line.seq ?? []);
  expect(sequences).toEqual(sequences.map((_, i) => i));
  expect(sequences.length).toBe(5_000);
  expect(lines.filter((line) => line.text.includes("\n"))).toEqual([]);
});

test("mixed files stand where the table says, also when they are written in portions", () => {
  const directory = mkdtempSync(join(os.tmpdir(), "pannier-mixed-"));
  try {
    const files = new MixedFiles(directory, 2_000, 3, Date.now());
    for (const portion of [1, 700, Infinity]) files.write(portion);
    const contents = files.paths.map((path) => readFileSync(path));
    expect(files.written).toBe(2_000);
    expect(files.bytes).toBe(contents.reduce((sum, content) => sum + content.length, 0));
    for (let seq = 0; seq < files.written; seq++) {
      const content = contents[files.fileOf[seq]];
      const end = files.offsets[seq] + files.lengths[seq];
      expect(content.toString("utf8", files.offsets[seq], end)).toMatch(new RegExp(`\\b${seq}\\b`));
      expect([10, 13]).toContain(content[end]);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
