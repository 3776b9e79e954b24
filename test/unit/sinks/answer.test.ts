import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AnswerScanner } from "../../../src/sinks/elasticsearch/answer.ts";
import { recorded } from "./server.ts";

interface Read {
  status: number;
  type: string;
  index: string;
  inFailureStore: boolean;
  reason: string;
}

/** Scans a text that comes in pieces. */
function scan(text: string | Buffer, cuts: readonly number[] = []): { complete: boolean; items: Read[] } {
  const bytes = Buffer.from(text);
  const items: Read[] = [];
  const scanner = new AnswerScanner();
  scanner.begin({
    item(item, position) {
      expect(position).toBe(items.length);
      const { status, type, index, inFailureStore } = item;
      items.push({ status, type, index, inFailureStore, reason: item.reason() });
    },
    successes(position, count) {
      expect(position).toBe(items.length);
      for (let i = 0; i < count; i++)
        items.push({ status: 201, type: "", index: "", inFailureStore: false, reason: "" });
    },
  });
  let from = 0;
  for (const cut of [...cuts, bytes.length].toSorted((a, b) => a - b)) {
    scanner.write(bytes.subarray(from, cut));
    from = cut;
  }
  return { complete: scanner.complete, items };
}

const text = fc.oneof(fc.string({ unit: "binary", maxLength: 20 }), fc.constantFrom('a"b', "\\", '\\"', "}]", "ü€😀"));
const error = fc.record(
  {
    type: text.map((each) => `t${each}`),
    reason: text,
    index: text.map((each) => `i${each}`),
    caused_by: fc.record({ type: text, reason: text, index: text }),
    root: fc.array(fc.jsonValue()),
  },
  { requiredKeys: ["type", "reason"] },
);
const item = fc.record(
  {
    _index: text.map((each) => `i${each}`),
    status: fc.constantFrom(200, 201, 400, 409, 429, 500),
    failure_store: fc.constantFrom("used", "not_enabled"),
    error,
    _shards: fc.jsonValue(),
  },
  { requiredKeys: ["status"] },
);
const answer = fc.record(
  {
    took: fc.nat(),
    other: fc.jsonValue(),
    errors: fc.boolean(),
    items: fc.array(fc.record({ create: item }), { maxLength: 12 }),
  },
  { requiredKeys: ["items"] },
);

/** What the scanner should find, by way of JSON.parse. */
function oracle(value: { items: readonly { create: Record<string, unknown> }[] }): Omit<Read, "reason">[] {
  return value.items.map(({ create }) => {
    const of = create["error"] as Record<string, string> | undefined;
    // The last of the two names counts, in the order of the text.
    const named = Object.keys(create).flatMap((key) =>
      key === "_index" ? [create["_index"]] : key === "error" && of?.["index"] !== undefined ? [of["index"]] : [],
    );
    return {
      status: create["status"] as number,
      type: of?.["type"] ?? "",
      index: (named.at(-1) as string | undefined) ?? "",
      inFailureStore: create["failure_store"] === "used",
    };
  });
}

describe("the answer to a bulk request", () => {
  test("is read like JSON.parse, however it is cut into pieces", () => {
    fc.assert(
      fc.property(answer, fc.array(fc.nat(4_000)), fc.constantFrom(undefined, 1), (value, cuts, indent) => {
        const bytes = Buffer.from(JSON.stringify(value, undefined, indent));
        const read = scan(
          bytes,
          cuts.map((cut) => cut % (bytes.length + 1)),
        );
        expect(read.complete).toBe(true);
        expect(read.items).toEqual(oracle(value).map((each) => expect.objectContaining(each) as unknown));
        for (const [i, { create }] of value.items.entries())
          expect(read.items[i].reason).toBe(create.error?.reason ?? "");
      }),
      { numRuns: 500 },
    );
  });

  test("is incomplete wherever it is cut off", () => {
    const { body } = recorded("9.5.3", "mixed");
    for (let end = 0; end < body.length; end++) expect(scan(body.slice(0, end)).complete).toBe(false);
    expect(scan(body).complete).toBe(true);
  });

  test.each([
    "",
    "[]",
    '"items"',
    "<html>hello</html>",
    '{"ok":true}',
    '{"items":[}',
    '{"items":[]}x',
    "nul",
    '{"items":{}}',
    "{]",
  ])("is not what %j is", (body) => {
    expect(scan(body).complete).toBe(false);
  });

  test.each(["9.5.3", "8.19.21"])("of a real server (%s) is understood", (version) => {
    expect(scan(recorded(version, "delivered").body).items.map(({ status }) => status)).toEqual([201, 201]);
    const { items } = scan(recorded(version, "mixed").body);
    expect(items.map(({ status, type }) => [status, type])).toEqual([
      [409, "version_conflict_engine_exception"],
      [201, ""],
      [400, "document_parsing_exception"],
      [400, "document_parsing_exception"],
      [400, "document_parsing_exception"],
    ]);
    expect(items[0].index).toMatch(/^\.ds-logs-plain-.*-000001$/);
    expect(items[2].reason).toContain("Preview of field's value: 'text'");
  });

  test("gives a reason cut at its limit, also when the cut falls into an escape", () => {
    const reason = "\\u00e4".repeat(2_000);
    const { items } = scan(`{"items":[{"create":{"status":400,"error":{"type":"t","reason":"${reason}"}}}]}`);
    expect(items[0].reason).toMatch(/^ä{300,500}$/);
  });

  test("takes items of other shapes between those that look like the one before", () => {
    const good = '{"create":{"status":201}}';
    const used = '{"create":{"status":201,"failure_store":"used"}}';
    const { items, complete } = scan(`{"errors":false,"items":[${[good, good, used, good, used, good].join(",")}]}`);
    expect(complete).toBe(true);
    expect(items.map(({ inFailureStore }) => inFailureStore)).toEqual([false, false, true, false, true, false]);
  });

  test("of mostly successes is counted right, wherever the others stand and the pieces end", () => {
    const good = '{"create":{"status":201}}';
    const other = '{"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}}';
    fc.assert(
      fc.property(fc.array(fc.nat(70), { maxLength: 8 }), fc.array(fc.nat(20_000)), (runs, cuts) => {
        const statuses = runs.flatMap((run) => [...Array.from({ length: run }, () => 201), 429]);
        const body = `{"errors":true,"items":[${statuses.map((status) => (status === 201 ? good : other)).join(",")}]}`;
        const read = scan(
          body,
          cuts.map((cut) => cut % (body.length + 1)),
        );
        expect(read.complete).toBe(true);
        expect(read.items.map(({ status }) => status)).toEqual(statuses);
      }),
    );
  });
});
