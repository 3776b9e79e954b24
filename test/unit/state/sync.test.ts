import type * as FileSystem from "node:fs";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { addFile, inDirectory, KeptLog, open, terms } from "./tools.ts";

/** Counts syncs and makes them fail on demand: no file system that is at hand here can be told to. */
const disk = vi.hoisted(() => ({
  broken: false,
  /** So many syncs in the background are refused. */
  refusals: 0,
  group: 0,
  atOnce: 0,
  now: 0,
  most: 0,
  message: "EIO: i/o error, fdatasync",
  badBlock: false,
}));

vi.mock("node:fs", async (importOriginal) => {
  const fs = await importOriginal<typeof FileSystem>();
  return {
    ...fs,
    fdatasync(fd: number, done: (error: Error | null) => void): void {
      disk.group += 1;
      disk.now += 1;
      disk.most = Math.max(disk.most, disk.now);
      fs.fdatasync(fd, (error) => {
        disk.now -= 1;
        done(disk.broken || disk.refusals-- > 0 ? Object.assign(new Error(disk.message), { code: "EIO" }) : error);
      });
    },
    readSync(fd: number, buffer: Buffer, offset: number, length: number, position: number | null): number {
      if (disk.badBlock && offset > 0) throw Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" });
      return fs.readSync(fd, buffer, offset, disk.badBlock ? 100 : length, position);
    },
    fdatasyncSync(fd: number): void {
      disk.atOnce += 1;
      if (disk.broken) throw Object.assign(new Error(disk.message), { code: "EIO" });
      fs.fdatasyncSync(fd);
    },
  };
});

test("generations and salts are on the disk when the call returns, the rest follows in one sync a second", () =>
  inDirectory(async (directory) => {
    const state = await open(directory);
    const file = addFile(state, "/logs/a.log");
    const cursor = state.openCursor(file, "es", 0);
    Object.assign(disk, { group: 0, atOnce: 0 });
    addFile(state, "/logs/a.log", 1);
    state.addSalt(file, cursor, 5, 1);
    expect(disk.atOnce).toBe(2);
    for (let committed = 10; committed <= 1_000; committed += 10) {
      state.commit([{ file, cursor, committed, tail: Buffer.alloc(0), lastTime: "", terms: terms({ delivered: 10 }) }]);
    }
    expect([disk.group, disk.atOnce]).toEqual([0, 2]);
    await expect.poll(() => disk.group).toBe(1);
    await setTimeout(1_200);
    expect(disk.group, "an idle journal is not synced").toBe(1);
    await Promise.all([state.sync(), state.sync(), state.sync()]);
    expect(disk.most).toBe(1);
    await state.stop();
  }));

test("a durable change behind a rotation brings the journal before it to the disk too", () =>
  inDirectory(async (directory) => {
    const state = await open(directory);
    const file = addFile(state, "/logs/a.log");
    const cursor = state.openCursor(file, "es", 0);
    const snapshot = state.snapshot();
    disk.atOnce = 0;
    state.addSalt(file, cursor, 5, 1);
    expect(disk.atOnce).toBe(2);
    await snapshot;
    await state.sync();
    disk.atOnce = 0;
    state.addSalt(file, cursor, 6, 1);
    expect(disk.atOnce).toBe(1);
    await state.stop();
  }));

test("a disk that refuses to sync: durable changes are refused, the others go on, and a new journal heals it", () =>
  inDirectory(async (directory) => {
    const log = new KeptLog();
    const state = await open(directory, { log });
    const file = addFile(state, "/logs/a.log");
    const cursor = state.openCursor(file, "es", 0);
    disk.broken = true;
    expect(() => state.addSalt(file, cursor, 5, 1)).toThrow(expect.objectContaining({ code: "state_write_failed" }));
    expect(cursor.salts.size).toBe(0);
    expect(await state.sync()).toBe(false);
    expect(await state.sync()).toBe(false);
    state.markSent([{ file, cursor, to: 10, tail: Buffer.alloc(8) }]);
    await state.snapshot();
    disk.broken = false;
    expect(log.codes.filter((code) => code === "state_sync_failed")).toHaveLength(1);
    expect(await state.sync()).toBe(true);
    await state.snapshot();
    state.addSalt(file, cursor, 5, 1);
    await state.stop();
    const again = await open(directory);
    expect(again.found).toBe("stopped");
    expect(again.files.get(1)!.cursors.get("es")).toMatchObject({ sent: 10, salts: new Map([[5, 1]]) });
    await again.stop();
  }));

test("one sync that was refused makes a new journal, also when nothing is written any more", () =>
  inDirectory(async (directory) => {
    const log = new KeptLog();
    const state = await open(directory, { log });
    addFile(state, "/logs/only-in-the-journal.log");
    disk.refusals = 1;
    await expect.poll(() => log.codes).toContain("state_sync_failed");
    const snapshot = (): string => readFileSync(join(directory, "snapshot"), "utf8");
    await expect.poll(snapshot).toContain("only-in-the-journal");
    await state.stop();
  }));

test("a bad block in the journal: what stands before it is used, the rest is damage", () =>
  inDirectory(async (directory) => {
    const first = await open(directory);
    addFile(first, "/logs/a.log");
    await first.stop();
    const log = new KeptLog();
    disk.badBlock = true;
    const state = await open(directory, { log });
    disk.badBlock = false;
    expect(state.found).toBe("damaged");
    expect(log.codes).toEqual(["state_damaged", "state_damaged"]);
    await state.stop();
  }));
