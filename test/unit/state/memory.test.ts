import { expect, test } from "vitest";
import { Child } from "./process.ts";
import { inDirectory } from "./tools.ts";

const FILE_MAX_BYTES = 1_024;

test("10,000 idle files take at most 1 KiB each", () =>
  inDirectory(async (directory) => {
    expect(await new Child("many", directory).ended()).toBe(0);
    const child = new Child("memory", directory, [], ["--expose-gc"]);
    expect(await child.ended()).toBe(0);
    const [, bytes, files] = /^(\d+) bytes for each of (\d+) files/.exec(child.lines[0])!;
    expect(Number(files)).toBe(10_000);
    expect(Number(bytes)).toBeLessThanOrEqual(FILE_MAX_BYTES);
  }));
