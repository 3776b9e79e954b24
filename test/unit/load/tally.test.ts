import { describe, expect, test } from "vitest";
import { endDistance, LineBlock, SHORTEST_LINE_BYTES, usualLengths } from "../../support/load/lines.ts";
import { Tally } from "../../support/load/tally.ts";
import { seededRandom } from "../../support/random.ts";

const MAX_LINE_BYTES = 10_000;

function action(id: string): string {
  return `{"create":{"_id":"${id}"}}\n`;
}

/** A line of that many bytes with its number. */
function lineOf(bytes: number, sequence: number): string {
  const block = new LineBlock([bytes]);
  block.number(sequence);
  return block.bytes.toString("latin1").trimEnd();
}

/** The document of a whole line: its message and other fields. */
function documentOf(bytes: number, sequence: number): string {
  const { msg } = JSON.parse(lineOf(bytes, sequence)) as { msg: string };
  return `${JSON.stringify({ "@timestamp": "2025-11-24T16:00:00.000Z", message: msg, "log.offset": 7 })}\n`;
}

/** The document of a line that was cut. */
function cutDocument(bytes: number, sequence: number, originalBytes = bytes): string {
  const message = lineOf(bytes, sequence).slice(0, MAX_LINE_BYTES);
  return `${JSON.stringify({ message, "log.flags": ["truncated"], "log.original_bytes": originalBytes })}\n`;
}

function read(tally: Tally, ...parts: string[]): { documents: number; conflicts: number[] } {
  const { documents, conflicts } = tally.read(Buffer.from(parts.join("")));
  return { documents, conflicts: [...conflicts] };
}

describe("lines", () => {
  test("are JSON of exactly the length that was asked for, and say so", () => {
    const lengths = [SHORTEST_LINE_BYTES, 150, 219, 40_000];
    const block = new LineBlock(lengths);
    block.number(5);
    const lines = block.bytes.toString("latin1").split("\n");
    expect(lines.pop()).toBe("");
    expect(lines.map((line) => line.length)).toEqual(lengths);
    for (const [i, line] of lines.entries()) {
      const { msg } = JSON.parse(line) as { msg: string };
      expect(msg).toContain(`seq=${1_000_000_005 + i} len=${String(lengths[i]).padStart(10, "0")} `);
      expect(msg.endsWith(`end=${1_000_000_005 + i}`)).toBe(true);
    }
  });

  test("are 219 bytes on average", () => {
    const lengths = usualLengths(seededRandom(1), 1 << 20);
    const average = lengths.reduce((sum, bytes) => sum + bytes, 0) / lengths.length;
    expect(Math.abs(average - 219)).toBeLessThan(5);
  });
});

describe("the tally", () => {
  test("counts whole lines once", () => {
    const tally = new Tally(MAX_LINE_BYTES);
    expect(read(tally, action("a"), documentOf(150, 0), action("b"), documentOf(9_000, 1))).toEqual({
      documents: 2,
      conflicts: [],
    });
    expect(tally.missing(3)).toEqual({ count: 1, first: [2] });
    expect({ ...tally.flaws, documents: tally.documents }).toEqual({ doubled: 0, torn: 0, unknown: 0, documents: 2 });
  });

  test("takes the same id again for a conflict, another id for a doubled line", () => {
    const tally = new Tally(MAX_LINE_BYTES);
    read(tally, action("a"), documentOf(150, 0));
    expect(read(tally, action("b"), documentOf(150, 1), action("a"), documentOf(150, 0)).conflicts).toEqual([1]);
    expect(tally.flaws.doubled).toBe(0);
    read(tally, action("c"), documentOf(150, 0));
    expect(tally.flaws.doubled).toBe(1);
  });

  test("finds lines that are torn, mixed or without a number", () => {
    const tally = new Tally(MAX_LINE_BYTES);
    const [first, second] = [documentOf(400, 0), documentOf(400, 1)];
    read(tally, action("a"), `${first.slice(0, 200)}\n`);
    read(tally, action("b"), `${first.slice(0, 250)}${second.slice(250)}`);
    expect(tally.flaws).toEqual({ doubled: 1, torn: 2, unknown: 0 });
    read(tally, action("c"), `{"message":"something else"}\n`);
    expect(tally.flaws.unknown).toBe(1);
    expect(tally.samples).toHaveLength(4);
  });

  test("wants long lines cut and marked with their true length", () => {
    const tally = new Tally(MAX_LINE_BYTES);
    read(tally, action("a"), cutDocument(50_000, 0));
    expect([tally.cut, tally.flaws.torn]).toEqual([1, 0]);
    read(tally, action("b"), cutDocument(50_000, 1, 49_999));
    read(tally, action("c"), documentOf(50_000, 2));
    expect([tally.cut, tally.flaws.torn]).toEqual([1, 2]);
  });

  test("does not look for the end of a line that was cut in the documents behind it", () => {
    const bodyOf = (bytes: number): string =>
      [action("a"), cutDocument(bytes, 0), action("b"), documentOf(150, 1)].join("");
    // So long that its end would be just where the next line has its own.
    const body = bodyOf(11_000);
    const bytes = 11_000 + body.lastIndexOf("end=") - body.indexOf("seq=") - endDistance(11_000);
    const tally = new Tally(MAX_LINE_BYTES);
    expect(read(tally, bodyOf(bytes)).documents).toBe(2);
    expect([tally.cut, tally.flaws.torn]).toEqual([1, 0]);
  });
});
