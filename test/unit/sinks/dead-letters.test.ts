import { appendFileSync, chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { PannierError } from "../../../src/core/errors.ts";
import { LineFlag } from "../../../src/core/record.ts";
import type { LostLetter } from "../../../src/core/sink.ts";
import { DeadLetters } from "../../../src/sinks/dead-letters.ts";
import type { Problem } from "../../../src/sinks/exchange.ts";
import type { Letter } from "../../../src/sinks/letter.ts";
import { until } from "./rig.ts";
import { temporaryDirectory } from "./temporary.ts";

function open(
  options: {
    maxBytes?: number;
    whenFull?: "stop" | "drop_oldest";
    directory?: string;
    onDrop?: (lost: readonly LostLetter[]) => void;
  } = {},
): DeadLetters {
  const { maxBytes = 1 << 20, whenFull = "stop", onDrop = (): void => {} } = options;
  const directory = options.directory ?? path.join(temporaryDirectory("letters"), "dead-letters");
  return new DeadLetters({ directory, sink: "es", config: { maxBytes, whenFull }, retryMs: 5, onDrop });
}

function letter(id: string, line: Buffer = Buffer.from(`line of ${id}`)): Letter {
  return {
    time: "2026-01-02T03:04:05Z",
    id,
    status: 400,
    reason: "bad",
    file: "/logs/a.log",
    offset: 7,
    length: 11,
    line,
    fileKey: "k",
    flags: 0,
    cut: 0,
  };
}

const never = new AbortController().signal;
const ignore = (): void => undefined;

async function write(letters: DeadLetters, ...ids: readonly string[]): Promise<void> {
  for (const id of ids) await letters.write(letter(id), never, ignore);
  await letters.sync(never, ignore);
}

async function idsOf(letters: DeadLetters): Promise<string[]> {
  const ids = [];
  for await (const { id } of letters.letters()) ids.push(id);
  return ids;
}

describe("dead letters", () => {
  test("are lines of JSON with the fields of the contract, in its order", async () => {
    const letters = open();
    await letters.write(letter("a"), never, ignore);
    const second = {
      ...letter("b", Buffer.from([0xff, 0x41])),
      flags: LineFlag.truncated | LineFlag.continued,
      cut: 4,
    };
    await letters.write(second, never, ignore);
    await letters.sync(never, ignore);
    const common = '"sink":"es","status":400,"reason":"bad","file":"/logs/a.log","offset":7,"length":11';
    expect(readFileSync(letters.path, "utf8")).toBe(
      `{"@timestamp":"2026-01-02T03:04:05Z","id":"a",${common},"line":"line of a","file_key":"k"}\n` +
        `{"@timestamp":"2026-01-02T03:04:05Z","id":"b",${common},"line_base64":"/0E=","file_key":"k","flags":["truncated","continued"],"cut":4}\n`,
    );
    const read = [];
    for await (const each of letters.letters()) read.push(each);
    expect(read).toEqual([letter("a"), second]);
    expect(path.basename(letters.path)).toBe("es.ndjson");
    expect(statSync(letters.path).mode & 0o777).toBe(0o600);
    await letters.close();
  });

  test("are counted again by the next run; a line that a crash cut is dropped", async () => {
    const first = open();
    await write(first, "a", "b");
    await first.close();
    appendFileSync(first.path, '{"@timestamp":"2026-01-02T03:04:05Z","id":"torn","si');
    const second = open({ directory: path.dirname(first.path) });
    await second.load();
    expect(second.count).toBe(2);
    await write(second, "c");
    expect(await idsOf(second)).toEqual(["a", "b", "c"]);
    expect(readFileSync(second.path, "utf8")).not.toContain("torn");
    await second.close();
  });

  test("stop the sink when they are full, until there is room", async () => {
    const letters = open({ maxBytes: 400 });
    await write(letters, "a", "b");
    const problems: Problem[] = [];
    let written = false;
    const writing = letters.write(letter("c"), never, (problem) => problems.push(problem)).then(() => (written = true));
    await until(() => problems.length > 2);
    expect(written).toBe(false);
    expect(problems[0]).toMatchObject({ code: "dead_letters_full" });
    expect(problems[0].message).toContain("`dead_letters.max_bytes`");
    await letters.remove(new Set(["a"]));
    await writing;
    expect(await idsOf(letters)).toEqual(["b", "c"]);
    await letters.close();
  });

  test("or drop the oldest, counted as lost, each once", async () => {
    const lost: LostLetter[] = [];
    const letters = open({ maxBytes: 2_000, whenFull: "drop_oldest", onDrop: (dropped) => lost.push(...dropped) });
    const ids = Array.from({ length: 40 }, (_, i) => `id${i}`);
    await write(letters, ...ids);
    const left = await idsOf(letters);
    expect(left).toEqual(ids.slice(-left.length));
    expect(left.length).toBeGreaterThan(5);
    expect(letters.count).toBe(left.length);
    const facts = { fileKey: "k", offset: 7, bytes: 11 };
    expect(lost).toEqual(Array.from({ length: 40 - left.length }, () => facts));
    expect(letters.dropped).toEqual({ letters: 40 - left.length, bytes: (40 - left.length) * 11 });
    expect(statSync(letters.path).size).toBeLessThanOrEqual(2_000);
    await letters.close();
  });

  test("or wait with dropping while the loss cannot be recorded", async () => {
    let failures = 3;
    const letters = open({
      maxBytes: 400,
      whenFull: "drop_oldest",
      onDrop: () => {
        if (failures-- > 0) throw new PannierError("state_write_failed", "no room");
      },
    });
    await write(letters, "a", "b");
    const problems: Problem[] = [];
    await letters.write(letter("c"), never, (problem) => problems.push(problem));
    expect(problems.map(({ code }) => code)).toEqual(Array.from({ length: 3 }, () => "state_write_failed"));
    expect(await idsOf(letters)).toEqual(["b", "c"]);
    expect(letters.dropped).toEqual({ letters: 1, bytes: 11 });
    await letters.close();
  });

  test("one that is larger than the limit is kept all the same, alone", async () => {
    const letters = open({ maxBytes: 100, whenFull: "drop_oldest" });
    await write(letters, "a", "b");
    expect(await idsOf(letters)).toEqual(["b"]);
    await letters.close();
  });

  test("wait while they cannot be written, and end the wait with the sink", async () => {
    const directory = temporaryDirectory("letters");
    const blocked = path.join(directory, "dead-letters");
    writeFileSync(blocked, "a file where the directory should be");
    chmodSync(directory, 0o700);
    const letters = open({ directory: blocked });
    const stopping = new AbortController();
    const problems: Problem[] = [];
    const writing = letters.write(letter("a"), stopping.signal, (problem) => problems.push(problem));
    await until(() => problems.length > 1);
    expect(problems[0].code).toBe("dead_letters_write_failed");
    stopping.abort();
    await expect(writing).rejects.toThrow("stopped");
  });

  test("a sink's name cannot lead out of the directory", () => {
    const letters = new DeadLetters({
      directory: "/s/dead-letters",
      sink: "../../x",
      config: { maxBytes: 1, whenFull: "stop" },
    });
    expect(path.dirname(letters.path)).toBe("/s/dead-letters");
  });

  test("writes and removals at the same time lose nothing", async () => {
    const letters = open();
    const ids = Array.from({ length: 200 }, (_, i) => `id${i}`);
    await Promise.all([
      ...ids.map((id) => write(letters, id)),
      letters.remove(new Set(["id3"])),
      (async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        await letters.remove(new Set(["id5", "id6"]));
      })(),
    ]);
    await letters.remove(new Set(["id3", "id5", "id6"]));
    expect(new Set(await idsOf(letters))).toEqual(new Set(ids.filter((id) => !["id3", "id5", "id6"].includes(id))));
    expect(letters.count).toBe(197);
    await letters.close();
  });
});
