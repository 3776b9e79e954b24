import { cpSync, existsSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import { GONE_FILE_KEPT_MS } from "../../../src/core/limits.ts";
import type { FileRecord } from "../../../src/core/state.ts";
import { addFile, dump, inDirectory, KeptLog, open, terms } from "./tools.ts";
import type { State } from "./tools.ts";

function commit(state: State, file: FileRecord, bytes: number, sink = "es"): void {
  const cursor = state.openCursor(file, sink, 0);
  const committed = cursor.committed + bytes;
  const tail = Buffer.from(`tail at ${committed}`);
  state.commit([{ file, cursor, committed, tail, lastTime: "", terms: terms({ delivered: bytes }) }]);
}

const committedOf = (state: State, uid: number, sink = "es"): number =>
  state.files.get(uid)!.cursors.get(sink)!.committed;

test("a first start finds nothing, the next one a stop", () =>
  inDirectory(async (directory) => {
    for (const found of ["nothing", "stopped", "stopped"]) {
      const state = await open(directory);
      expect(state.found).toBe(found);
      await state.stop();
    }
  }));

test("a process number of a record is never used twice", () =>
  inDirectory(async (directory) => {
    const uids: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      const state = await open(directory);
      uids.push(addFile(state, "/logs/a.log").uid);
      state.markGone(state.files.get(uids.at(-1)!)!, 1);
      await state.snapshot();
      expect(state.files.size).toBe(0);
      await state.stop();
    }
    expect(uids).toEqual([1, 2, 3]);
  }));

test("several stretches of one file in one commit add up", () =>
  inDirectory(async (directory) => {
    let state = await open(directory);
    const [a, b] = [addFile(state, "/logs/a.log"), addFile(state, "/logs/b.log")];
    const [atA, atB] = [state.openCursor(a, "es", 5), state.openCursor(b, "es", 0)];
    const stretch = { tail: Buffer.from("t"), lastTime: "" };
    state.commit([
      { file: a, cursor: atA, committed: 15, ...stretch, terms: terms({ delivered: 10 }) },
      { file: b, cursor: atB, committed: 7, ...stretch, terms: terms({ lost: 7 }) },
      { file: a, cursor: atA, committed: 20, ...stretch, lastTime: "later", terms: terms({ filtered: 2, cut: 3 }) },
    ]);
    const expected = { committed: 20, lastTime: "later", delivered: 10, filtered: 2, cut: 3, lost: 0 };
    expect(atA).toMatchObject(expected);
    expect(atB).toMatchObject({ committed: 7, lost: 7 });
    await state.stop();
    state = await open(directory);
    expect(state.files.get(a.uid)!.cursors.get("es")).toMatchObject(expected);
    await state.stop();
  }));

test("a commit whose terms do not sum up, or that goes back, is refused and changes nothing (invariant 1)", () =>
  inDirectory(async (directory) => {
    const state = await open(directory);
    const file = addFile(state, "/logs/a.log");
    commit(state, file, 100);
    const cursor = file.cursors.get("es")!;
    const before = dump(state.files);
    const stretch = { file, cursor, tail: Buffer.alloc(0), lastTime: "" };
    for (const wrong of [
      { committed: 110, terms: terms({ delivered: 9 }) },
      { committed: 110, terms: terms({ delivered: 9, cut: 2 }) },
      { committed: 90, terms: terms({}) },
    ]) {
      expect(() => state.commit([{ ...stretch, ...wrong }])).toThrow(
        expect.objectContaining({ code: "state_commit_inconsistent" }),
      );
    }
    expect(dump(state.files)).toEqual(before);
    await state.stop();
  }));

test("a tail is the reader's own: writing to it changes nothing, and it pins no pool page", () =>
  inDirectory(async (directory) => {
    const state = await open(directory);
    const file = addFile(state, "/logs/a.log");
    const cursor = state.openCursor(file, "es", 0);
    const tail = Buffer.from(Array.from({ length: 64 }, (_, i) => i * 4));
    state.commit([{ file, cursor, committed: 1, tail, lastTime: "", terms: terms({ delivered: 1 }) }]);
    const copy = Buffer.from(tail);
    tail.fill(0);
    expect(cursor.tail).toEqual(copy);
    cursor.tail.fill(1);
    expect(cursor.tail).toEqual(copy);
    expect(cursor.tail.buffer.byteLength).toBe(64);
    await state.stop();
  }));

test("a mark that does not rise writes nothing, and neither does naming, moving or opening what is so already", () =>
  inDirectory(async (directory) => {
    const state = await open(directory);
    const file = addFile(state, "/logs/a.log");
    const cursor = state.openCursor(file, "es", 10);
    state.nameFile(file, "aa", 3, "key");
    state.markSent([{ file, cursor, to: 100, tail: Buffer.alloc(8) }]);
    const journal = readFileSync(join(directory, "journal"));
    state.markSent([
      { file, cursor, to: 100, tail: Buffer.alloc(8) },
      { file, cursor, to: 60, tail: Buffer.alloc(8) },
    ]);
    state.markSent([]);
    state.commit([]);
    state.nameFile(file, "bb", 4, "other");
    state.moveFile(file, "/logs/a.log");
    state.markGone(file, 0);
    expect(state.openCursor(file, "es", 77)).toBe(cursor);
    expect(readFileSync(join(directory, "journal"))).toEqual(journal);
    expect(file.key).toBe("key");
    await state.stop();
  }));

test("a boundary that ends at the commit stays, since the next record continues it; one before goes", () =>
  inDirectory(async (directory) => {
    let state = await open(directory);
    const file = addFile(state, "/logs/a.log");
    const cursor = state.openCursor(file, "es", 0);
    state.addBoundary(file, cursor, { from: 10, to: 20 });
    state.addBoundary(file, cursor, { from: 0, to: 10, kept: 4 });
    expect(cursor.boundaries).toEqual([
      { from: 0, to: 10, kept: 4 },
      { from: 10, to: 20 },
    ]);
    state.addSalt(file, cursor, 10, 1);
    state.addSalt(file, cursor, 20, 2);
    commit(state, file, 20);
    expect(cursor.boundaries).toEqual([{ from: 10, to: 20 }]);
    expect([...cursor.salts]).toEqual([[20, 2]]);
    for (let round = 0; round < 2; round += 1) {
      await state.stop();
      state = await open(directory);
      expect(state.files.get(1)!.cursors.get("es")!.boundaries).toEqual([{ from: 10, to: 20 }]);
      expect([...state.files.get(1)!.cursors.get("es")!.salts]).toEqual([[20, 2]]);
    }
    const again = state.files.get(1)!;
    commit(state, again, 1);
    expect(again.cursors.get("es")).toMatchObject({ boundaries: [], salts: new Map(), placements: [] });
    await state.stop();
  }));

test("cursors go with a sink's new name, unless it has some already", () =>
  inDirectory(async (directory) => {
    let state = await open(directory);
    const [a, b, c] = ["a", "b", "c"].map((name) => addFile(state, name)) as [FileRecord, FileRecord, FileRecord];
    commit(state, a, 10, "old");
    commit(state, b, 20, "old");
    commit(state, b, 5, "new");
    commit(state, c, 7, "other");
    state.renameSink("old", "new");
    state.renameSink("old", "new");
    for (let round = 0; round < 2; round += 1) {
      expect(committedOf(state, a.uid, "new")).toBe(10);
      expect(state.files.get(a.uid)!.cursors.get("new")!.sink).toBe("new");
      expect(Array.from(state.files.get(a.uid)!.cursors.values(), ({ sink }) => sink)).toEqual(["new"]);
      expect(committedOf(state, b.uid, "new")).toBe(5);
      expect(committedOf(state, c.uid, "other")).toBe(7);
      await state.stop();
      state = await open(directory);
    }
    commit(state, state.files.get(a.uid)!, 1, "new");
    expect(committedOf(state, a.uid, "new")).toBe(11);
    await state.stop();
  }));

test("a file that is gone for a day leaves with the snapshot; who still reads it brings it back whole", () =>
  inDirectory(async (directory) => {
    let nowMs = Date.now();
    const clock = { nowMs: () => nowMs, monotonicMs: () => systemClock.monotonicMs() };
    let state = await open(directory, { clock });
    const [gone, fresh, back] = ["a", "b", "c"].map((name) => addFile(state, name)) as [
      FileRecord,
      FileRecord,
      FileRecord,
    ];
    for (const file of [gone, fresh, back]) commit(state, file, 10);
    state.addBoundary(gone, gone.cursors.get("es")!, { from: 10, to: 30 });
    for (const file of [gone, back]) state.markGone(file, nowMs);
    state.markGone(back, 0);
    nowMs += GONE_FILE_KEPT_MS;
    await state.snapshot();
    expect([...state.files.keys()]).toEqual([1, 2, 3]);
    nowMs += 1;
    const journal = readFileSync(join(directory, "journal"));
    await state.snapshot();
    expect([...state.files.keys()]).toEqual([2, 3]);
    const leftover = join(directory, "leftover");
    cpSync(join(directory, "snapshot"), join(leftover, "snapshot"), { recursive: true });
    writeFileSync(join(leftover, "journal.old"), Buffer.concat([journal, addedLine(gone)]));
    const afterCrash = await open(leftover, { clock });
    expect([...afterCrash.files.keys()]).toEqual([2, 3]);
    await afterCrash.stop();

    commit(state, gone, 5);
    expect(state.files.get(gone.uid)).toBe(gone);
    const copy = `${directory}/copy`;
    cpSync(join(directory, "journal"), join(copy, "journal"), { recursive: true });
    cpSync(join(directory, "snapshot"), join(copy, "snapshot"));
    nowMs -= 1;
    const reopened = await open(copy, { clock });
    expect(committedOf(reopened, gone.uid)).toBe(15);
    expect(reopened.files.get(gone.uid)!.cursors.get("es")!.boundaries).toEqual([{ from: 10, to: 30 }]);
    await reopened.stop();
    await state.stop();
    state = await open(directory);
    await state.stop();
  }));

test("a snapshot while work goes on loses nothing, wherever a crash comes between its steps", () =>
  inDirectory(async (base) => {
    const directory = join(base, "state");
    const state = await open(directory);
    const files = Array.from({ length: 1_000 }, (_, i) => addFile(state, `/logs/${i}.log`));
    for (const file of files) commit(state, file, 10);

    const copies: { path: string; expected: unknown }[] = [];
    const crash = (): string => {
      const path = join(base, `copy-${copies.length}`);
      cpSync(directory, path, { recursive: true, filter: (source) => !source.includes("lock") });
      copies.push({ path, expected: dump(state.files) });
      return path;
    };
    const progress = { done: false };
    const snapshot = state.snapshot().finally(() => (progress.done = true));
    const rotated = crash();
    expect(existsSync(join(rotated, "journal.old"))).toBe(true);
    let during = 0;
    while (!progress.done) {
      for (const file of files.slice(0, 300)) commit(state, file, 1);
      // As often as it takes a slow disk to sync.
      const file = files[during % files.length];
      const cursor = file.cursors.get("es")!;
      state.addBoundary(file, cursor, { from: cursor.committed, to: cursor.committed + 9 });
      addFile(state, `/logs/new-${during}.log`);
      during += 1;
      if (during < 8) crash();
      await new Promise(setImmediate);
    }
    await snapshot;
    expect(during).toBeGreaterThan(1);
    // Complete, but the old journal had not been removed yet.
    const complete = crash();
    cpSync(join(rotated, "journal.old"), join(complete, "journal.old"));
    crash();
    // Killed between the two renames of a rotation.
    const between = crash();
    cpSync(join(between, "journal"), join(between, "journal.old"));
    rmSync(join(between, "journal"));
    writeFileSync(join(between, "journal.new"), "");
    await state.stop();

    for (const { path, expected } of copies) {
      const reopened = await open(path);
      expect(reopened.found).toBe("crashed");
      expect(dump(reopened.files)).toEqual(expected);
      expect(existsSync(join(path, "journal.old"))).toBe(false);
      await reopened.stop();
    }
  }));

test("a journal cut off anywhere behind a snapshot that was made in the middle of work gives no state that never was", () =>
  inDirectory(async (base) => {
    const directory = join(base, "state");
    const state = await open(directory);
    const files = Array.from({ length: 300 }, (_, i) => addFile(state, `/logs/${i}.log`));
    const seen = new Map(files.map(({ uid }) => [uid, new Set<string>()]));
    const remember = (file: FileRecord): unknown => seen.get(file.uid)!.add(JSON.stringify(dump(new Map([[0, file]]))));
    const step = (file: FileRecord): void => {
      const cursor = state.openCursor(file, "es", 0);
      remember(file);
      state.addBoundary(file, cursor, { from: cursor.committed, to: cursor.committed + 3 });
      remember(file);
      commit(state, file, 2);
      remember(file);
    };
    for (const file of files) step(file);
    const progress = { done: false };
    const snapshot = state.snapshot().finally(() => (progress.done = true));
    while (!progress.done) {
      for (const file of files) step(file);
      await new Promise(setImmediate);
    }
    await snapshot;
    const whole = readFileSync(join(directory, "journal"));
    for (let share = 0; share <= 20; share += 1) {
      const copy = join(base, `copy-${share}`);
      cpSync(join(directory, "snapshot"), join(copy, "snapshot"), { recursive: true });
      writeFileSync(join(copy, "journal"), whole.subarray(0, Math.floor((whole.length * share) / 20)));
      const reopened = await open(copy);
      expect(reopened.files.size).toBe(files.length);
      for (const [uid, file] of reopened.files) {
        expect([...seen.get(uid)!]).toContain(JSON.stringify(dump(new Map([[0, file]]))));
      }
      await reopened.stop();
    }
    await state.stop();
  }));

test("a crash of a start after its snapshot changes neither the state nor what is found", () =>
  inDirectory(async (base) => {
    for (const [stop, found] of [
      [true, "stopped"],
      [false, "crashed"],
    ] as const) {
      const [directory, copy] = [join(base, `state-${stop}`), join(base, `copy-${stop}`)];
      const state = await open(directory);
      commit(state, addFile(state, "/logs/a.log"), 10);
      const expected = dump(state.files);
      if (stop) await state.stop();
      const journal = readFileSync(join(directory, "journal"));
      cpSync(directory, copy, { recursive: true, filter: (source) => !source.includes("lock") });
      await state.stop();
      const next = await open(copy);
      await next.stop();
      writeFileSync(join(copy, "journal"), journal);
      const again = await open(copy);
      expect(again.found).toBe(found);
      expect(dump(again.files)).toEqual(expected);
      await again.stop();
    }
  }));

test("the journal is folded at its size limit, so the directory stays small", () =>
  inDirectory(async (directory) => {
    const state = await open(directory, { journalMaxBytes: 10_000 });
    const file = addFile(state, "/logs/a.log");
    for (let i = 0; i < 2_000; i += 1) {
      commit(state, file, 1);
      if (i % 20 === 0) await new Promise(setImmediate);
    }
    // The first may be one that was under way.
    await state.snapshot();
    await state.snapshot();
    expect(readFileSync(join(directory, "journal")).length).toBeLessThan(10_000);
    expect(existsSync(join(directory, "journal.old"))).toBe(false);
    await state.stop();
    expect(() => commit(state, file, 1)).toThrow(expect.objectContaining({ code: "state_closed" }));
    await state.stop();
  }));

test("after a stop, in the middle of a snapshot too, no descriptor is left (invariant 10)", () =>
  inDirectory(async (directory) => {
    const state = await open(directory);
    for (let i = 0; i < 500; i += 1) commit(state, addFile(state, `/logs/${i}.log`), 1);
    void state.snapshot();
    expect(descriptorsIn(directory)).not.toEqual([]);
    await state.stop();
    expect(descriptorsIn(directory)).toEqual([]);

    const winner = await open(directory);
    const held = descriptorsIn(directory);
    await expect(open(directory)).rejects.toMatchObject({ code: "state_locked" });
    expect(descriptorsIn(directory)).toEqual(held);
    await winner.stop();
    writeFileSync(join(directory, "snapshot"), line({ t: "pannier", format: 2, kind: "snapshot", sequence: 1 }));
    await expect(open(directory)).rejects.toMatchObject({ code: "state_newer_format" });
    expect(descriptorsIn(directory)).toEqual([]);
  }));

/** As if the journal that a snapshot replaced had this file in it. */
function addedLine(file: FileRecord): Buffer {
  const { uid, device, inode, birthtimeMs: born, path, seenMtimeMs: mtime, generation } = file;
  return Buffer.from(line({ t: "file", file: uid, device, inode, born, path, mtime, generation }));
}

/** What this process has open in a directory. */
function descriptorsIn(directory: string): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(directory) ? [target] : [];
    } catch {
      return [];
    }
  });
}

const line = (entry: object): string => {
  const json = JSON.stringify(entry);
  return `${crc32(json).toString(16).padStart(8, "0")} ${json}\n`;
};

test("entries of a newer pannier are left out with one warning; those around them count", () =>
  inDirectory(async (directory) => {
    let state = await open(directory);
    const file = addFile(state, "/logs/a.log");
    commit(state, file, 10);
    await state.stop();
    const journal = join(directory, "journal");
    const text = readFileSync(journal, "utf8");
    const tie = line({ t: "tie", file: 1, ns: 7 });
    writeFileSync(
      journal,
      text.replace(/^.*"t":"commit"/m, (found) => `${tie}${tie}${found}`),
    );
    const log = new KeptLog();
    state = await open(directory, { log });
    expect(log.codes).toEqual(["state_newer_entries"]);
    expect(state.found).toBe("stopped");
    expect(committedOf(state, file.uid)).toBe(10);
    await state.stop();
  }));

test("a newer format is refused with 74 and left as it is", () =>
  inDirectory(async (directory) => {
    const text = line({ t: "pannier", format: 2, kind: "snapshot", sequence: 1 }) + line({ t: "end", count: 0 });
    writeFileSync(join(directory, "snapshot"), text);
    await expect(open(directory)).rejects.toMatchObject({ code: "state_newer_format", exitCode: 74 });
    expect(readFileSync(join(directory, "snapshot"), "utf8")).toBe(text);
    await expect(open(directory), "the lock was given back").rejects.toMatchObject({ code: "state_newer_format" });
  }));

test("damage is reported, the damaged file stays beside, and the next start is sound again", () =>
  inDirectory(async (directory) => {
    let state = await open(directory);
    const [a, b] = [addFile(state, "/logs/a.log"), addFile(state, "/logs/b.log")];
    for (const file of [a, b]) commit(state, file, 10);
    await state.stop();
    state = await open(directory);
    await state.stop();
    const path = join(directory, "snapshot");
    const damaged = readFileSync(path, "utf8").replace('"to":10', '"to":11');
    writeFileSync(path, damaged);
    const log = new KeptLog();
    state = await open(directory, { log });
    expect(state.found).toBe("damaged");
    expect(log.codes).toEqual(["state_damaged"]);
    expect([committedOf(state, a.uid), committedOf(state, b.uid)]).toEqual([0, 10]);
    expect(readFileSync(`${path}.damaged`, "utf8")).toBe(damaged);
    await state.stop();
    state = await open(directory);
    expect(state.found).toBe("stopped");
    await state.stop();
  }));

test("a snapshot without its end, and one that is missing beside its journal, are damage", () =>
  inDirectory(async (directory) => {
    const state = await open(directory);
    commit(state, addFile(state, "/logs/a.log"), 10);
    await state.snapshot();
    await state.stop();
    const path = join(directory, "snapshot");
    writeFileSync(path, readFileSync(path, "utf8").replace(/^.*"t":"end".*\n/m, ""));
    const cut = await open(directory);
    expect(cut.found).toBe("damaged");
    expect(committedOf(cut, 1)).toBe(10);
    await cut.stop();
    rmSync(path);
    const missing = await open(directory);
    expect(missing.found).toBe("damaged");
    await missing.stop();
  }));
