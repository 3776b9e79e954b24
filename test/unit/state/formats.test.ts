/** State of other versions. What a version writes is kept in fixtures/, and every later one must read it. */
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { encodeEntry, FORMAT_VERSION } from "../../../src/state/entries.ts";
import { GONE_FILE_KEPT_MS } from "../../../src/core/limits.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { dump, inDirectory, KeptLog, open } from "./tools.ts";

const FIXTURES = join(import.meta.dirname, "fixtures");
const FILES = ["journal", "journal.old", "snapshot"];

test("there is a fixture of the present format and of every one before", () => {
  const versions = Array.from({ length: FORMAT_VERSION }, (_, i) => `v${i + 1}`);
  expect(readdirSync(FIXTURES).toSorted()).toEqual(versions);
});

test.for(readdirSync(FIXTURES))(
  "a state of format %s, left by a crash in the middle of a snapshot, is read",
  (version) =>
    inDirectory(async (base) => {
      const directory = join(base, "state");
      const from = join(FIXTURES, version);
      for (const name of FILES) cpSync(join(from, name), join(directory, name), { recursive: true });
      const expected = JSON.parse(readFileSync(join(from, "expected.json"), "utf8")) as { goneAtMs: number }[];
      // As if it were soon after, so that the file that is gone is still remembered.
      const goneAtMs = Math.max(...expected.map((file) => file.goneAtMs));
      const clock = { nowMs: () => goneAtMs + GONE_FILE_KEPT_MS, monotonicMs: () => systemClock.monotonicMs() };
      const options = { clock, podUid: undefined, machineIdPath: "/nonexistent" };
      for (const found of ["crashed", "stopped"]) {
        const log = new KeptLog();
        const state = await open(directory, { ...options, log });
        expect(state.found).toBe(found);
        expect(log.codes).toEqual([]);
        expect(dump(state.files)).toEqual(expected);
        expect(state.scope).toMatch(/^state:[\da-f-]{36}$/);
        await state.stop();
      }
    }),
);

test.for(FILES)("a newer format in the %s is refused with 74, and nothing is changed", (name) =>
  inDirectory(async (directory) => {
    mkdirSync(directory, { recursive: true });
    for (const file of FILES) cpSync(join(FIXTURES, "v1", file), join(directory, file));
    const kind = name === "snapshot" ? "snapshot" : "journal";
    const head = encodeEntry({ t: "pannier", format: FORMAT_VERSION + 1, kind, sequence: 9 });
    writeFileSync(join(directory, name), `${head}what only the newer one understands\n`);
    const before = FILES.map((file) => readFileSync(join(directory, file), "latin1"));
    await expect(open(directory)).rejects.toMatchObject({ code: "state_newer_format", exitCode: 74 });
    expect(FILES.map((file) => readFileSync(join(directory, file), "latin1"))).toEqual(before);
    expect(readdirSync(directory).filter((file) => !file.startsWith("lock"))).toEqual(FILES);
  }),
);

test("a copy whose size an older pannier did not write is one whatever its size, also after the next snapshot", () =>
  inDirectory(async (directory) => {
    mkdirSync(directory, { recursive: true });
    const facts = { device: "8:1", inode: "7", born: 1.25 };
    const entries = [
      { t: "pannier", format: FORMAT_VERSION, kind: "journal", sequence: 1 },
      { t: "file", file: 1, ...facts, path: "/logs/app.log", mtime: 5, generation: 0 },
      { t: "copy", file: 1, ...facts, inode: "8" },
    ] as const;
    writeFileSync(join(directory, "journal"), entries.map((entry) => encodeEntry(entry)).join(""));
    for (let start = 0; start < 2; start++) {
      const state = await open(directory);
      expect(state.files.get(1)?.copy).toEqual({ device: "8:1", inode: "8", birthtimeMs: 1.25, size: Infinity });
      await state.stop();
    }
  }));
