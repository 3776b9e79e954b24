import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Encoding } from "./encode.ts";

const FOLDER = join(import.meta.dirname, "golden");

/** `NAME.ndjson` holds what the lines of `NAME.log` become, one after the other in one file. */
describe.each(["pino", "ecs", "generic", "plain", "hostile"])("golden/%s", (name) => {
  const lines = splitLines(readFileSync(join(FOLDER, `${name}.log`)));
  const documents = readFileSync(join(FOLDER, `${name}.ndjson`), "utf8")
    .trimEnd()
    .split("\n");
  const encoding = new Encoding({ maxLineBytes: 4_096 });
  let encoded: string[] = [];

  test("every line becomes its document", () => {
    encoded = lines.map((line) => encoding.text(line, { knownUtf8: false }));
    expect(encoded).toEqual(documents);
  });

  test("and the same one when the shape of each is known already", () => {
    encoding.lane.timeBytes = 0;
    let offset = 0;
    for (const [index, line] of lines.entries()) {
      expect(encoding.text(line, { knownUtf8: false, offset })).toBe(documents[index]);
      offset += line.length + 1;
    }
  });
});

function splitLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf("\n", start);
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return lines;
}
