import { mkdtempSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import { DeadLetters } from "../../../src/sinks/dead-letters.ts";
import { type Letter, formatLetter } from "../../../src/sinks/letter.ts";
import { type ReplayResult, replayDeadLetters } from "../../../src/sinks/replay.ts";
import { MemoryLog, configOf } from "./helpers.ts";
import { Rig } from "./rig.ts";
import { bulkAnswer, recorded } from "./server.ts";

const rig = Rig.use();
const never = new AbortController().signal;
const REFUSED = '{"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"still bad"}}}';

const opened: DeadLetters[] = [];
afterEach(async () => {
  for (const letters of opened.splice(0)) await letters.close();
});

async function lettersOf(...ids: readonly string[]): Promise<DeadLetters> {
  const directory = mkdtempSync(path.join(os.tmpdir(), "pannier-replay-"));
  const letters = new DeadLetters({ directory, sink: "es", config: { maxBytes: 1 << 24, whenFull: "stop" } });
  opened.push(letters);
  for (const id of ids) {
    const line = Buffer.from(`line of ${id}`);
    const letter = {
      time: "2026-01-02T03:04:05Z",
      id,
      status: 400,
      reason: "bad",
      file: "/a",
      offset: 1,
      length: 9,
      line,
    };
    await letters.write(letter, never, () => undefined);
  }
  return letters;
}

function replay(deadLetters: DeadLetters, dryRun = false): Promise<ReplayResult> {
  const encode = (letter: Letter): string =>
    JSON.stringify({ "@timestamp": letter.time, message: letter.line.toString() });
  const config = configOf([rig.url]);
  return replayDeadLetters({
    config,
    deadLetters,
    encode,
    dryRun,
    log: new MemoryLog(),
    clock: systemClock,
    signal: never,
  });
}

async function idsOf(letters: DeadLetters): Promise<string[]> {
  const ids = [];
  for await (const { id } of letters.letters()) ids.push(id);
  return ids;
}

describe("replay", () => {
  test("sends each id once; what is delivered leaves, what is refused stays", async () => {
    const letters = await lettersOf("a", "b", "a", "c", "d");
    rig.server.stored.set("d", { message: "an earlier replay got through" });
    rig.server.always = (seen) =>
      bulkAnswer(seen.ids.map((id, i) => (id === "b" ? REFUSED : rig.server.storeOne(id, seen.documents[i]))));
    const result = await replay(letters);
    expect(result).toMatchObject({
      letters: 4,
      delivered: 3,
      refused: 1,
      reasons: ["/a@1: still bad"],
      stopped: undefined,
    });
    expect(rig.server.seen.map(({ ids }) => ids)).toEqual([["a", "b", "c", "d"]]);
    expect(rig.server.stored.get("a")).toEqual({ "@timestamp": "2026-01-02T03:04:05Z", message: "line of a" });
    expect(await idsOf(letters)).toEqual(["b"]);
    expect(letters.count).toBe(1);
  });

  test("changes and sends nothing on a dry run", async () => {
    const letters = await lettersOf("a", "b");
    expect(await replay(letters, true)).toMatchObject({ letters: 2, delivered: 0, refused: 0 });
    expect(rig.server.seen).toEqual([]);
    expect(await idsOf(letters)).toEqual(["a", "b"]);
  });

  test("stops when the server does not take anything, and keeps the letters", async () => {
    const letters = await lettersOf("a", "b");
    rig.server.always = () => ({ status: 503, body: "" });
    const result = await replay(letters);
    expect(result.stopped?.code).toBe("sink_error");
    expect(await idsOf(letters)).toEqual(["a", "b"]);
  });

  test("halves a request that is too large, down to the one letter that is", async () => {
    const letters = await lettersOf("a", "b", "c", "d", "e");
    rig.server.always = (seen) => (seen.ids.includes("d") ? recorded("9.5.3", "too large") : undefined);
    expect(await replay(letters)).toMatchObject({ delivered: 4, refused: 1 });
    expect(await idsOf(letters)).toEqual(["d"]);
  });

  test("takes thousands, and letters that come meanwhile stay for the next time", async () => {
    const ids = Array.from({ length: 12_000 }, (_, i) => `id${i}`);
    const letters = await lettersOf();
    const common = { time: "", status: 400, reason: "bad", file: "/a", offset: 1, length: 9, line: Buffer.from("x") };
    writeFileSync(letters.path, ids.map((id) => formatLetter({ ...common, id }, "es")).join(""));
    let first = true;
    rig.server.always = (seen) => {
      if (first) void lettersWrite(letters, "late");
      first = false;
      return bulkAnswer(
        seen.ids.map((id, i) => (id.endsWith("77") ? REFUSED : rig.server.storeOne(id, seen.documents[i]))),
      );
    };
    const result = await replay(letters);
    const refused = ids.filter((id) => id.endsWith("77"));
    expect(result).toMatchObject({ letters: 12_000, delivered: 12_000 - refused.length, refused: refused.length });
    expect(await idsOf(letters)).toEqual([...refused, "late"]);
    expect(result.reasons.length).toBe(20);
  }, 30_000);

  test("of no letters at all is nothing", async () => {
    expect(await replay(await lettersOf())).toMatchObject({ letters: 0, delivered: 0, stopped: undefined });
  });
});

function lettersWrite(letters: DeadLetters, id: string): Promise<void> {
  const line = Buffer.from(id);
  const letter = { time: "", id, status: 400, reason: "", file: "/a", offset: 1, length: 9, line };
  return letters.write(letter, never, () => undefined);
}
