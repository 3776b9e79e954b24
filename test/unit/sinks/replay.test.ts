import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import type { DeadLetters } from "../../../src/sinks/dead-letters.ts";
import { formatLetter } from "../../../src/sinks/letter.ts";
import { Line } from "../../../src/core/record.ts";
import { createRecordEncoder } from "../../../src/records/encoder.ts";
import type { LetterEncoder, ReplayResult } from "../../../src/sinks/replay.ts";
import type { TestSink } from "./helpers.ts";
import { Rig } from "./rig.ts";
import { bulkAnswer, recorded } from "./server.ts";

const rig = Rig.use();
const never = new AbortController().signal;
const REFUSED = '{"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"still bad"}}}';

const FACTS = { status: 400, reason: "bad", file: "/a", offset: 1, length: 9, fileKey: "k", flags: 0, cut: 0 };

/** A sink whose dead letters are these. */
async function sinkWith(...ids: readonly string[]): Promise<TestSink> {
  const made = rig.open([]);
  for (const id of ids) await write(made.deadLetters, id);
  return made;
}

function write(letters: DeadLetters, id: string): Promise<void> {
  const line = Buffer.from(`line of ${id}`);
  return letters.write({ ...FACTS, time: "2026-01-02T03:04:05Z", id, line }, never, () => undefined);
}

const recordEncoder = createRecordEncoder({ format: "plain", timezone: "UTC", fields: {} });
const encoder: LetterEncoder = {
  encoderOf: () => recordEncoder,
  lineOf({ time, line }) {
    return Object.assign(new Line(), { bytes: line, end: line.length, fallbackTime: time });
  },
};

function replay({ sink }: TestSink, dryRun = false): Promise<ReplayResult> {
  return sink.replay({ encoder, dryRun, signal: never });
}

async function idsOf({ deadLetters }: TestSink): Promise<string[]> {
  const ids = [];
  for await (const { id } of deadLetters.letters()) ids.push(id);
  return ids;
}

describe("replay", () => {
  test("sends each id once; what is delivered leaves, what is refused stays", async () => {
    const made = await sinkWith("a", "b", "a", "c", "d");
    rig.server.stored.set("d", { message: "an earlier replay got through" });
    rig.server.always = (seen) =>
      bulkAnswer(seen.ids.map((id, i) => (id === "b" ? REFUSED : rig.server.storeOne(id, seen.documents[i]))));
    const result = await replay(made);
    expect(result).toMatchObject({
      letters: 4,
      delivered: 3,
      refused: 1,
      reasons: ["/a@1: still bad"],
      stopped: undefined,
    });
    expect(rig.server.seen.map(({ ids }) => ids)).toEqual([["a", "b", "c", "d"]]);
    expect(rig.server.stored.get("a")).toMatchObject({ "@timestamp": "2026-01-02T03:04:05Z", message: "line of a" });
    expect(await idsOf(made)).toEqual(["b"]);
    expect(made.deadLetters.count).toBe(1);
  });

  test("changes and sends nothing on a dry run", async () => {
    const made = await sinkWith("a", "b");
    expect(await replay(made, true)).toMatchObject({ letters: 2, delivered: 0, refused: 0 });
    expect(rig.server.seen).toEqual([]);
    expect(await idsOf(made)).toEqual(["a", "b"]);
  });

  test("stops when the server does not take anything, and keeps the letters", async () => {
    const made = await sinkWith("a", "b");
    rig.server.always = () => ({ status: 503, body: "" });
    const result = await replay(made);
    expect(result.stopped?.code).toBe("sink_error");
    expect(await idsOf(made)).toEqual(["a", "b"]);
  });

  test("halves a request that is too large, down to the one letter that is", async () => {
    const made = await sinkWith("a", "b", "c", "d", "e");
    rig.server.always = (seen) => (seen.ids.includes("d") ? recorded("9.5.3", "too large") : undefined);
    expect(await replay(made)).toMatchObject({ delivered: 4, refused: 1 });
    expect(await idsOf(made)).toEqual(["d"]);
  });

  test("takes thousands, and letters that come meanwhile stay for the next time", async () => {
    const ids = Array.from({ length: 12_000 }, (_, i) => `id${i}`);
    const made = await sinkWith();
    const common = { ...FACTS, time: "", line: Buffer.from("x") };
    mkdirSync(path.dirname(made.deadLetters.path), { recursive: true });
    writeFileSync(made.deadLetters.path, ids.map((id) => formatLetter({ ...common, id }, "es")).join(""));
    let first = true;
    rig.server.always = (seen) => {
      if (first) void write(made.deadLetters, "late");
      first = false;
      return bulkAnswer(
        seen.ids.map((id, i) => (id.endsWith("77") ? REFUSED : rig.server.storeOne(id, seen.documents[i]))),
      );
    };
    const result = await replay(made);
    const refused = ids.filter((id) => id.endsWith("77"));
    expect(result).toMatchObject({ letters: 12_000, delivered: 12_000 - refused.length, refused: refused.length });
    expect(await idsOf(made)).toEqual([...refused, "late"]);
    expect(result.reasons.length).toBe(20);
  });

  test("of no letters at all is nothing", async () => {
    expect(await replay(await sinkWith())).toMatchObject({ letters: 0, delivered: 0, stopped: undefined });
  });
});
