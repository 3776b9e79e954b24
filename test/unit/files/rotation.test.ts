import { mkdirSync, statSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TAIL_QUIET_ROTATED_MS } from "../../../src/core/limits.ts";
import { Follower, LogDirectory, leaveNothing } from "./follower.ts";

let logs: LogDirectory;
let follower: Follower;

beforeEach(() => {
  logs = new LogDirectory();
  mkdirSync(logs.path);
});

afterEach(async () => {
  await leaveNothing(follower, logs);
});

async function follow(path = "app.log", options: { holdsBack?: boolean } = {}): Promise<void> {
  follower = await Follower.start({ root: logs.root, inputs: [{ paths: [logs.at(path)] }], ...options });
}

test("a file that grows is read on", async () => {
  logs.appendToFile("app.log", "one");
  await follow();
  expect(await follower.catchUp()).toEqual(["one"]);
  logs.appendToFile("app.log", "two");
  expect(await follower.catchUp()).toEqual(["one", "two"]);
});

test("a rotated file is read to its end before the new one", async () => {
  logs.appendToFile("app.log", "one");
  await follow();
  await follower.catchUp();
  logs.appendToFile("app.log", "two");
  logs.rotateFile("app.log");
  logs.appendToFile("app.log", "three");
  expect(await follower.catchUp()).toEqual(["one", "two", "three"]);
  expect(follower.file("app.log.1")?.status).toBe("rotated");
  expect(follower.file("app.log")?.predecessor).toBe(follower.file("app.log.1"));
  expect(follower.state.files.size).toBe(2);
});

test("a rotated file keeps the path under which it was first seen, and its new one is journaled", async () => {
  logs.appendToFile("app.log", "one");
  await follow();
  logs.rotateFile("app.log");
  await follower.catchUp();
  const { record } = follower.file("app.log.1")!;
  expect(record.path).toBe(logs.at("app.log"));
  expect(record.lastPath).toBe(logs.at("app.log.1"));
});

test("what a file gets after its rotation is journaled as seen, although it is little", async () => {
  logs.appendToFile("app.log", "one");
  await follow("app.log", { holdsBack: true });
  logs.rotateFile("app.log");
  await follower.catchUp();
  logs.appendToFile("app.log.1", "two");
  await follower.catchUp();
  expect(follower.file("app.log.1")?.record.seenBytes).toBe("one\ntwo\n".length);
});

test("a file that is renamed without a successor is rotated, and precedes the one that is made later", async () => {
  logs.appendToFile("app.log", "one");
  await follow();
  logs.rotateFile("app.log", false);
  await follower.catchUp();
  expect(follower.file("app.log.1")?.status).toBe("rotated");
  logs.appendToFile("app.log", "two");
  expect(await follower.catchUp()).toEqual(["one", "two"]);
  expect(follower.file("app.log")?.predecessor).toBe(follower.file("app.log.1"));
});

test("what is written into a rotated file is read", async () => {
  logs.appendToFile("app.log", "one");
  await follow();
  logs.rotateFile("app.log");
  await follower.catchUp();
  logs.appendToFile("app.log.1", "late");
  logs.appendToFile("app.log", "two");
  expect(await follower.catchUp()).toEqual(["one", "late", "two"]);
});

test("twenty rotations between two sweeps lose nothing and keep the order", async () => {
  logs.appendToFile("app.log", "line 0");
  await follow();
  await follower.catchUp();
  const expected = ["line 0"];
  for (let i = 1; i <= 20; i++) {
    logs.rotateFile("app.log");
    logs.appendToFile("app.log", `line ${i}`);
    expected.push(`line ${i}`);
  }
  expect(await follower.catchUp()).toEqual(expected);
});

test("a file that is renamed to a name outside the family is read to its end", async () => {
  logs.appendToFile("app.log", "one");
  await follow();
  logs.appendToFile("app.log", "two");
  logs.renameFile("app.log", "old-app.bak");
  logs.appendToFile("app.log", "three");
  expect(await follower.catchUp()).toEqual(["one", "two", "three"]);
  expect(follower.state.files.size).toBe(2);
});

test("a file that is renamed to another name of the same pattern stays one file", async () => {
  logs.appendToFile("app.log", "one");
  await follow("*.log");
  await follower.catchUp();
  logs.appendToFile("app.log", "two");
  logs.renameFile("app.log", "app.1.log");
  logs.appendToFile("app.log", "three");
  expect((await follower.catchUp()).toSorted()).toEqual(["one", "three", "two"]);
  expect(follower.file("app.1.log")?.status).toBe("rotated");
  expect(follower.state.files.size).toBe(2);
});

test("a sibling that the pattern matches itself is not a second file", async () => {
  logs.appendToFile("app.log", "one");
  await follow("*.log*");
  logs.rotateFile("app.log");
  logs.appendToFile("app.log", "two");
  logs.rotateFile("app.log");
  logs.appendToFile("app.log", "three");
  expect(await follower.catchUp()).toEqual(["one", "two", "three"]);
  expect(follower.state.files.size).toBe(3);
  expect(follower.file("app.log.2")?.status).toBe("rotated");
  expect(follower.file("app.log")?.status).toBe("live");
});

test("a deleted file is read to its end, then closed (invariant 4)", async () => {
  logs.appendToFile("app.log", "one");
  await follow();
  logs.appendToFile("app.log", "two");
  logs.deleteFile("app.log");
  expect(await follower.catchUp()).toEqual(["one", "two"]);
  const file = follower.file("app.log")!;
  expect(file.status).toBe("unlinked");
  follower.letPass(TAIL_QUIET_ROTATED_MS);
  await follower.catchUp();
  expect(file.fd).toBe(-1);
  expect(follower.openNames()).toEqual([]);
  expect(file.record.goneAtMs).toBeGreaterThan(0);
});

test("a deleted file stays open while a sink needs it (invariant 4)", async () => {
  logs.appendToFile("app.log", "one");
  await follow("app.log", { holdsBack: true });
  await follower.catchUp();
  logs.deleteFile("app.log");
  await follower.catchUp();
  follower.letPass(100 * TAIL_QUIET_ROTATED_MS);
  await follower.catchUp();
  expect(follower.openNames()).toEqual(["app.log"]);
  follower.release();
  await follower.catchUp();
  expect(follower.openNames()).toEqual([]);
});

test("a rotated file is closed when it is quiet and committed, and opened again when it grows", async () => {
  logs.appendToFile("app.log", "one");
  await follow();
  logs.rotateFile("app.log");
  await follower.catchUp();
  follower.letPass(TAIL_QUIET_ROTATED_MS);
  await follower.catchUp();
  expect(follower.openNames()).toEqual(["app.log"]);
  expect(follower.file("app.log")?.predecessor).toBeUndefined();
  logs.appendToFile("app.log.1", "late");
  expect(await follower.catchUp()).toEqual(["one", "late"]);
  expect(follower.file("app.log.1")?.status).toBe("rotated");
  expect(follower.state.files.size).toBe(2);
});

test("a closed rotated file that is renamed on and deleted is marked as gone", async () => {
  logs.appendToFile("app.log", "one");
  await follow();
  logs.rotateFile("app.log");
  await follower.catchUp();
  follower.letPass(TAIL_QUIET_ROTATED_MS);
  await follower.catchUp();
  const record = [...follower.state.files.values()].find(({ lastPath }) => lastPath === logs.at("app.log.1"))!;
  logs.renameFile("app.log.1", "app.log.2");
  await follower.catchUp();
  expect(record.lastPath).toBe(logs.at("app.log.2"));
  expect(record.goneAtMs).toBe(0);
  logs.deleteFile("app.log.2");
  await follower.catchUp();
  expect(record.goneAtMs).toBeGreaterThan(0);
});

test("a file that is replaced by renaming another over it: the old one is finished, the new one read", async () => {
  logs.appendToFile("app.log", "one");
  await follow();
  logs.appendToFile("app.log", "two");
  logs.appendToFile("app.log.tmp", "three");
  logs.renameFile("app.log.tmp", "app.log");
  expect(await follower.catchUp()).toEqual(["one", "two", "three"]);
});

test("deleted and made again under the same inode: a new file, however alike", async () => {
  logs.appendToFile("app.log", "same");
  await follow();
  await follower.catchUp();
  const { ino } = statSync(logs.at("app.log"));
  logs.deleteFile("app.log");
  await follower.catchUp();
  follower.letPass(TAIL_QUIET_ROTATED_MS);
  await follower.catchUp();
  // The inode is free now; make files until one has it.
  for (let i = 0; i < 200; i++) {
    logs.appendToFile(`other-${i}`, "same", "more");
    if (statSync(logs.at(`other-${i}`)).ino !== ino) continue;
    logs.renameFile(`other-${i}`, "app.log");
    break;
  }
  if (statSync(logs.at("app.log"), { throwIfNoEntry: false })?.ino !== ino) return;
  expect(await follower.catchUp()).toEqual(["same", "same", "more"]);
  expect(follower.file("app.log")?.record.generation).toBe(1);
});

test("a truncated file is new content; what was not read of the old one is lost", async () => {
  logs.appendToFile("app.log", "one", "two");
  await follow();
  await follower.catchUp();
  const old = follower.file("app.log")!;
  logs.appendToFile("app.log", "three");
  await follower.catalogue.sweep();
  logs.truncateFile("app.log");
  logs.appendToFile("app.log", "x");
  expect(await follower.catchUp()).toEqual(["one", "two", "x"]);
  follower.letPass(2_000);
  await follower.catchUp();
  expect(follower.lostBytes).toBe(6);
  expect(old.status).toBe("replaced");
  const next = follower.file("app.log")!;
  expect(next.record.key).not.toBe(old.record.key);
  await follower.catchUp();
  expect(follower.events).toContain("closed app.log");
});

test("truncated and grown beyond the old end between two sweeps: the tail check sees it", async () => {
  logs.appendToFile("app.log", "one");
  await follow();
  await follower.catchUp();
  logs.writeFile("app.log", "another one\nand more\n");
  expect(await follower.catchUp()).toEqual(["one", "another one", "and more"]);
});

test("a file that is truncated and begins with the same line again gets a raised generation", async () => {
  logs.appendToFile("app.log", "# header", "one");
  await follow();
  await follower.catchUp();
  const { key } = follower.file("app.log")!.record;
  logs.truncateFile("app.log");
  await follower.catchUp();
  logs.appendToFile("app.log", "# header", "two");
  expect(await follower.catchUp()).toEqual(["# header", "one", "# header", "two"]);
  const { record } = follower.file("app.log")!;
  expect(record.generation).toBe(1);
  expect(record.key).not.toBe(key);
  expect(follower.lostBytes).toBe(0);
});

test("truncated again and again: every content has a key of its own", async () => {
  logs.appendToFile("app.log", "# header", "0");
  await follow();
  for (let i = 1; i <= 5; i++) {
    await follower.catchUp();
    logs.writeFile("app.log", `# header\n`);
    await follower.catchUp();
    logs.appendToFile("app.log", `${i}`);
  }
  expect(await follower.catchUp()).toHaveLength(12);
  const keys = [...follower.state.files.values()].map(({ key }) => key).filter((key) => key !== "");
  expect(new Set(keys).size).toBe(keys.length);
});
