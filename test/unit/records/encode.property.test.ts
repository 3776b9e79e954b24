import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Lane, LineFlag } from "../../../src/core/record.ts";
import type { Line } from "../../../src/core/record.ts";
import { jsonText, linesOfOneShape, mutatedJson } from "./arbitraries.ts";
import { Encoding } from "./encode.ts";
import { readWritten, visit } from "./pairs.ts";
import type { Written } from "./pairs.ts";

const OPTIONS = { fields: { env: "prod", "labels.team": "logs", "event.dataset": "orders" }, serviceName: "orders" };
const RUNS = { numRuns: 1_000 };

/** One encoder for all lines, as in a pipeline; each line begins a lane of its own. */
const shared = new Encoding(OPTIONS);
const plain = new Encoding({ format: "plain" });

function encode(payload: string | Buffer, lineFacts: Partial<Line> = {}, encoding = shared): string {
  return encoding.text(payload, { lane: new Lane(), offset: 7, ...lineFacts });
}

const facts = fc.record({
  flags: fc.constantFrom(0, 0, 0, LineFlag.truncated, LineFlag.unterminated, LineFlag.continued | LineFlag.truncated),
  refusedReason: fc.constantFrom(undefined, undefined, undefined, 'mapper [a] "b"'),
});

/** Texts and numbers of a document. */
function leavesOf(value: Written): string[] {
  const leaves: string[] = [];
  visit(value, (each) => {
    if (each.kind === "text") leaves.push(each.text.toWellFormed());
    else if (each.kind !== "object" && each.kind !== "array") leaves.push(each.source);
  });
  return leaves;
}

/** Times and levels are sent in one spelling, so theirs may be gone. */
const RESPELLED = /^(info|WARN|30|50|2026-.*|176386652\d+(\.\d+)?|\d+(\.\d+)?(e[+-]?\d+)?)$/;

describe("whatever a JSON line says", () => {
  test("its document is JSON without duplicate, empty or metadata keys, and has a time that servers take", () => {
    fc.assert(
      fc.property(jsonText(), facts, (text, lineFacts) => {
        const document = encode(text, lineFacts);
        expect(document).not.toContain("\n");
        JSON.parse(document);
        const written = readWritten(document);
        visit(written, (value) => {
          if (value.kind === "number") expect(Number.isFinite(Number(value.source))).toBe(true);
          if (value.kind !== "object") return;
          const keys = value.members.map(([key]) => key.toWellFormed());
          expect(new Set(keys).size).toBe(keys.length);
          expect(keys.filter((key) => key.trim() === "")).toEqual([]);
        });
        const top = written.kind === "object" ? written.members : [];
        expect(top.filter(([key]) => key.startsWith("_"))).toEqual([]);
        expect(top[0][0]).toBe("@timestamp");
        const time = top[0][1];
        expect(time.kind === "text" && time.text).toMatch(
          /^20(1[6-9]|2\d|3[0-5])-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/,
        );
      }),
      RUNS,
    );
  });

  test("every text and number of it is in the document", () => {
    fc.assert(
      fc.property(jsonText(), (text) => {
        const sent = leavesOf(readWritten(encode(text)));
        const all = sent.join("\n");
        for (const leaf of leavesOf(readWritten(text))) {
          if (RESPELLED.test(leaf)) continue;
          const [caller, lineNumber] = leaf.split(/:(?=\d+$)/);
          const found =
            sent.includes(leaf) ||
            all.includes(leaf) ||
            all.includes(JSON.stringify(leaf).slice(1, -1)) ||
            // Inside of a text made of JSON, escapes stand as they were written.
            (leaf === "a/b\0" && all.includes("a\\/b\\u0000")) ||
            (leaf.includes("\ufffd") && all.includes("\\u")) ||
            (sent.includes(caller) && sent.includes(lineNumber));
          expect(found, `${JSON.stringify(leaf)} in ${all}`).toBe(true);
        }
      }),
      RUNS,
    );
  });

  test("an encoder that has seen many lines writes what one that has seen none does", () => {
    fc.assert(
      fc.property(fc.oneof(linesOfOneShape(), linesOfOneShape(), fc.array(jsonText(), { minLength: 4 })), (lines) => {
        const lane = new Lane();
        for (const line of lines) {
          const fresh = new Encoding(OPTIONS);
          fresh.lane.setLastTime(lane.lastTime());
          const expected = fresh.text(line, { offset: 7 });
          expect(encode(line, { lane })).toBe(expected);
          expect(lane.lastTime()).toBe(fresh.lane.lastTime());
        }
      }),
      { numRuns: 150 },
    );
  });

  test("the text form after a refusal has the same time", () => {
    fc.assert(
      fc.property(jsonText(), (text) => {
        const first = JSON.parse(encode(text)) as Record<string, unknown>;
        const second = JSON.parse(encode(text, { refusedReason: "no" })) as Record<string, unknown>;
        expect(second["@timestamp"]).toBe(first["@timestamp"]);
        expect(second["message"]).toBe(text);
      }),
      RUNS,
    );
  });
});

describe("whatever bytes a line has", () => {
  test("its document is JSON, and that of a line that is none holds it whole", () => {
    fc.assert(
      fc.property(fc.oneof(mutatedJson(), fc.string({ unit: "binary" })), facts, (text, lineFacts) => {
        const document = JSON.parse(encode(text, lineFacts)) as Record<string, unknown>;
        const isText = lineFacts.refusedReason !== undefined || !isJsonObject(text);
        if (isText) expect(document["message"]).toBe(text.toWellFormed());
      }),
      RUNS,
    );
  });

  test("invalid UTF-8 is replaced the way a browser does it", () => {
    const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
    const broken = fc
      .tuple(fc.string({ unit: "binary", minLength: 3 }), fc.nat(), fc.nat(255))
      .map(([text, at, byte]) => {
        const buffer = Buffer.from(text);
        buffer[at % buffer.length] = byte;
        return buffer;
      });
    fc.assert(
      fc.property(fc.oneof(bytes, broken), (line) => {
        const document = JSON.parse(encode(line, {}, plain)) as Record<string, unknown>;
        expect(document["message"]).toBe(new TextDecoder("utf-8", { ignoreBOM: true }).decode(line));
      }),
      RUNS,
    );
  });
});

function isJsonObject(text: string): boolean {
  try {
    return JSON.parse(text) instanceof Object && text.trimStart().startsWith("{");
  } catch {
    return false;
  }
}
