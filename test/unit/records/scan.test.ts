import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { JSON_MAX_DEPTH, JSON_MAX_MEMBERS } from "../../../src/core/limits.ts";
import { checkKeys } from "../../../src/records/formats/check-keys.ts";
import { scanJson } from "../../../src/records/formats/json.ts";
import {
  ENTRY_SHIFT,
  FLAGS,
  KEY_END,
  KEY_START,
  KIND_MASK,
  MemberFlag,
  Members,
  NEXT,
  VALUE_END,
  VALUE_START,
} from "../../../src/records/members.ts";
import { jsonText, mutatedJson } from "./arbitraries.ts";

const members = new Members();

function isObjectByJsonParse(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

function scan(text: string, lineEnd = "\n"): boolean {
  const bytes = Buffer.from(`before\n${text}${lineEnd}behind`);
  return scanJson(bytes, 7, bytes.length - lineEnd.length - 6, members);
}

/** The members at the top as [key, value source], read back from the spans. */
function spans(text: string): [string, string][] {
  const bytes = Buffer.from(`${text}\n`);
  expect(scanJson(bytes, 0, bytes.length - 1, members)).toBe(true);
  const { entries } = members;
  const found: [string, string][] = [];
  for (let at = 0; at < members.count << ENTRY_SHIFT; at = entries[at + NEXT] << ENTRY_SHIFT) {
    const key = JSON.parse(`"${bytes.toString("utf8", entries[at + KEY_START], entries[at + KEY_END])}"`) as string;
    found.push([key, bytes.toString("utf8", entries[at + VALUE_START], entries[at + VALUE_END])]);
  }
  return found;
}

function flagsOf(text: string): number[] {
  const bytes = Buffer.from(`${text}\n`);
  expect(scanJson(bytes, 0, bytes.length - 1, members)).toBe(true);
  checkKeys(bytes, members);
  return Array.from(
    { length: members.count },
    (_, i) => members.entries[(i << ENTRY_SHIFT) + FLAGS] & 0xfff & ~KIND_MASK,
  );
}

describe("what is JSON", () => {
  test("agrees with JSON.parse on generated objects", () => {
    fc.assert(
      fc.property(jsonText(), (text) => scan(text) === isObjectByJsonParse(text)),
      { numRuns: 2_000 },
    );
  });

  test("agrees with JSON.parse on texts that were tampered with", () => {
    fc.assert(
      fc.property(mutatedJson(), (text) => scan(text) === isObjectByJsonParse(text)),
      { numRuns: 5_000 },
    );
  });

  test.each([
    "{}",
    " { } ",
    '{"a":1}',
    '{"a":1,}',
    '{,"a":1}',
    '{"a"}',
    '{"a":}',
    '{"a":1 "b":2}',
    "{a:1}",
    "{'a':1}",
    "[]",
    "1",
    '"a"',
    "null",
    "",
    '{"a":01}',
    '{"a":-}',
    '{"a":-0}',
    '{"a":1.}',
    '{"a":.5}',
    '{"a":1e}',
    '{"a":1e+}',
    '{"a":1E-5}',
    '{"a":+1}',
    '{"a":0x1}',
    '{"a":1_0}',
    '{"a":tru}',
    '{"a":true}',
    '{"a":truee}',
    '{"a":nul}',
    '{"a":NaN}',
    '{"a":Infinity}',
    '{"a":undefined}',
    '{"a":"\\u12"}',
    '{"a":"\\u12G4"}',
    '{"a":"\\x41"}',
    '{"a":"\\"}',
    '{"a":"\u0001"}',
    '{"a":"\t"}',
    '{"a":"\u007f\u2028"}',
    '{"a":"\\ud800"}',
    '{"a":[1,2,]}',
    '{"a":[,1]}',
    '{"a":[1 2]}',
    '{"a":[[[]]]}',
    '{"a":[}',
    '{"a":{]}',
    '{"a":[{"b":[{}]}]}',
    '{"a":1}}',
    '{"a":1}x',
    '{"a":1} {}',
    '{"a":1}\u00a0',
    '\ufeff{"a":1}',
    '{\u000b"a":1}',
    '{\n\t\r "a"\n:\n1\r}\n',
    '{"":""}',
    '{"a":"x',
    '{"a',
    "{",
    '{"a":{"b":1}',
    '{"a":1,"b"',
  ])("%j", (text) => {
    expect(scan(text)).toBe(isObjectByJsonParse(text));
    expect(scan(text, "\r\n")).toBe(isObjectByJsonParse(text));
    expect(scan(text, "\0")).toBe(isObjectByJsonParse(text));
  });

  test("nothing behind the line is looked at", () => {
    const bytes = Buffer.from('{"a":"x\n"}');
    expect(scanJson(bytes, 0, 7, members)).toBe(false);
    expect(scanJson(Buffer.from('{"a":1\n}'), 0, 6, members)).toBe(false);
  });
});

describe("limits", () => {
  const nested = (depth: number): string => `{"a":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;

  test("takes the deepest nesting and nothing deeper", () => {
    expect(scan(nested(JSON_MAX_DEPTH))).toBe(true);
    expect(scan(nested(JSON_MAX_DEPTH + 1))).toBe(false);
    expect(scan('{"a":'.repeat(JSON_MAX_DEPTH - 1) + "{}" + "}".repeat(JSON_MAX_DEPTH - 1))).toBe(true);
    expect(scan('{"a":'.repeat(JSON_MAX_DEPTH) + "{}" + "}".repeat(JSON_MAX_DEPTH))).toBe(false);
  });

  test("takes the most members and not one more", () => {
    const wide = (count: number): string => `{${Array.from({ length: count }, (_, i) => `"key${i}":1`).join(",")}}`;
    expect(scan(wide(JSON_MAX_MEMBERS))).toBe(true);
    expect(members.count).toBe(JSON_MAX_MEMBERS);
    expect(flagsOf(wide(JSON_MAX_MEMBERS)).every((flags) => flags === 0)).toBe(true);
    expect(scan(wide(JSON_MAX_MEMBERS + 1))).toBe(false);
  });

  test("keys that look alike to the hash cost no quadratic time", () => {
    // Equal in length, in the first and last byte and in the sampled ones between.
    const alike = Array.from({ length: 16_000 }, (_, i) => {
      const n = String(i).padStart(5, "0");
      return `"a${n[0]}aa${n[1]}${n[2]}aaa${n[3]}aa${n[4]}aaaaaaaaaaaaa":${i}`;
    });
    const begun = process.cpuUsage().user;
    flagsOf(`{${alike.join(",")}}`);
    expect(process.cpuUsage().user - begun).toBeLessThan(500_000);
    expect(flagsOf(`{${alike.join(",")},${alike[5]}}`)[5]).toBe(MemberFlag.superseded);
  });
});

describe("spans", () => {
  test("hold every member at the top as it is written", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: "grapheme" }), fc.json()), (dictionary) => {
        const sources = Object.entries(dictionary);
        const text = `{${sources.map(([key, source]) => `${JSON.stringify(key)}:${source}`).join(",")}}`;
        expect(spans(text)).toEqual(sources);
      }),
    );
  });

  test("white space stays outside", () => {
    expect(spans('{ "a" : 1 ,\t"b" : [ 2 ] , "c" : "x" }')).toEqual([
      ["a", "1"],
      ["b", "[ 2 ]"],
      ["c", '"x"'],
    ]);
  });
});

describe("what cannot be sent as it is", () => {
  const { superseded, blankKey, hugeNumber, unclean, keyEscaped, valueEscaped } = MemberFlag;

  test.each<[string, number[]]>([
    ['{"a":1,"b":2}', [0, 0]],
    ['{"a":1,"a":2,"a":3}', [superseded, superseded, 0]],
    ['{"a":1,"\\u0061":2}', [superseded, keyEscaped]],
    ['{"\\u0061":1,"\\x61":2}'.replace("\\x61", "a"), [superseded | keyEscaped, 0]],
    ['{"\\ud83d\\ude00":1,"😀":2}', [superseded | keyEscaped, 0]],
    ['{"\\/":1,"/":2}', [superseded | keyEscaped, 0]],
    ['{"a":{"x":1},"b":{"x":1}}', [0, 0, 0, 0]],
    ['{"x":{"x":{"x":1}}}', [0, 0, 0]],
    ['{"o":{"x":1,"x":2}}', [unclean, superseded, 0]],
    ['{"o":{"y":1},"l":[{"x":1,"x":2},{"x":3}]}', [0, 0, unclean, superseded, 0, 0]],
    ['{"o":{"p":{"x":1,"x":2}},"q":1}', [unclean, unclean, superseded, 0, 0]],
    ['{"":1," ":2,"\\t":3,"\\u2003":4}', [blankKey, blankKey, blankKey | keyEscaped, blankKey | keyEscaped]],
    ['{"o":{"":1}}', [unclean, blankKey]],
    ['{"\u3000":1," a":2,"à":3}', [blankKey, 0, 0]],
    ['{"n":1e999}', [hugeNumber]],
    ['{"n":-1e999,"m":1e308}', [hugeNumber, 0]],
    [`{"n":${"7".repeat(300)},"m":${"7".repeat(301)}}`, [0, hugeNumber]],
    [`{"n":0.${"7".repeat(299)},"m":0.${"7".repeat(300)}}`, [0, hugeNumber]],
    ['{"l":[1,[2,1e400]]}', [unclean]],
    ['{"s":"a\\nb"}', [valueEscaped]],
  ])("%s", (text, expected) => {
    expect(flagsOf(text)).toEqual(expected);
  });

  test("flags of one line never reach the next", () => {
    flagsOf('{"a":1,"a":2}');
    expect(flagsOf('{"a":1,"b":2}')).toEqual([0, 0]);
    expect(scan('{"a":1,"b":')).toBe(false);
    expect(flagsOf('{"b":1,"a":2}')).toEqual([0, 0]);
  });
});
