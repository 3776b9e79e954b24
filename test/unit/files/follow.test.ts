import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { SourceFile } from "../../../src/core/source.ts";
import { headOf } from "../../../src/files/head.ts";
import { ReadBuffer, readAt } from "../../../src/files/follow.ts";

const NO_TAIL = Buffer.alloc(0);
const content = Buffer.from(Array.from({ length: 1000 }, (_, i) => 32 + (i % 90)));

let directory: string;
let path: string;
let file: SourceFile;
const buffer = new ReadBuffer(512);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "pannier-read-"));
  path = join(directory, "a.log");
  writeFileSync(path, content);
  file = { fd: openSync(path, "r"), path, size: content.length } as SourceFile;
});

afterEach(() => {
  closeSync(file.fd);
  rmSync(directory, { recursive: true });
});

function textOf(chunk: { start: number; end: number }): string {
  return buffer.bytes.toString("latin1", chunk.start, chunk.end);
}

test("bytes lie at an index congruent to their offset, whatever the offset and tail", () => {
  for (let offset = 0; offset < 200; offset++) {
    const tail = content.subarray(0, offset);
    const chunk = readAt(file, offset, 100, tail, tail.length, buffer);
    expect(chunk.status).toBe("ok");
    expect(chunk.start % 4).toBe(offset % 4);
    expect(textOf(chunk)).toBe(content.toString("latin1", offset, offset + 100));
  }
});

test("no more than the buffer holds is read", () => {
  const chunk = readAt(file, 3, 10_000, NO_TAIL, 0, buffer);
  expect(chunk.end).toBe(buffer.bytes.length);
  expect(textOf(chunk)).toBe(content.toString("latin1", 3, 3 + chunk.end - chunk.start));
});

test("at the end of the file there is nothing", () => {
  const chunk = readAt(file, 1000, 100, content, content.length, buffer);
  expect(chunk).toMatchObject({ status: "ok" });
  expect(chunk.end).toBe(chunk.start);
});

test("a file that is shorter than it was seen to be has changed, also before anything of it was read", () => {
  writeFileSync(path, "new content\n");
  expect(readAt(file, 0, 100, NO_TAIL, 0, buffer).status).toBe("changed");
  file.size = 12;
  expect(textOf(readAt(file, 0, 100, NO_TAIL, 0, buffer))).toBe("new content\n");
});

test("another tail, or a file that ends before it, has changed", () => {
  const other = Buffer.from(content.subarray(0, 500));
  other[499] = 0;
  expect(readAt(file, 500, 100, other, 500, buffer).status).toBe("changed");
  expect(readAt(file, 500, 100, other, 499, buffer).status).toBe("changed");
  truncateSync(path, 470);
  expect(readAt(file, 500, 100, content, 500, buffer).status).toBe("changed");
});

test("only the last 64 bytes are compared, and at offset 0 none", () => {
  const tail = Buffer.from(content.subarray(0, 500));
  tail[499 - 64] = 0;
  expect(readAt(file, 500, 100, tail, 500, buffer).status).toBe("ok");
  expect(readAt(file, 0, 100, Buffer.from("x"), 1, buffer).status).toBe("ok");
});

test("a read that fails is reported", () => {
  const said: string[] = [];
  const say = (code: string): void => void said.push(code);
  const loud = new ReadBuffer(512, { debug: say, info: say, warn: say, error: say });
  const chunk = readAt({ fd: 1_000_000, path } as SourceFile, 0, 100, NO_TAIL, 0, loud);
  expect(chunk.status).toBe("failed");
  expect(said).toEqual(["file_read_failed"]);
});

test.each([
  ["one\ntwo\n", false, "one"],
  ["one\r\ntwo", false, "one"],
  ["\ntwo", false, ""],
  ["\r\ntwo", false, ""],
  ["one", true, "one"],
  ["x".repeat(1024), false, "x".repeat(1024)],
])("the head of %j", (text, force, head) => {
  expect(headOf(Buffer.from(text), force)?.toString()).toBe(head);
});

test.each([
  ["", false],
  ["", true],
  ["one", false],
])("%j has no head yet", (text, force) => {
  expect(headOf(Buffer.from(text), force)).toBeUndefined();
});
