import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Follower, type FollowerOptions, LogDirectory, leaveNothing } from "./follower.ts";

let logs: LogDirectory;
let follower: Follower;

beforeEach(() => {
  logs = new LogDirectory();
  mkdirSync(logs.path);
});

afterEach(async () => {
  await leaveNothing(follower, logs);
});

/** Runs until everything is read, and leaves. */
async function runOnce(options: Partial<FollowerOptions> = {}): Promise<string[]> {
  follower = await Follower.start({ root: logs.root, inputs: [{ paths: [logs.at("app.log")] }], ...options });
  const lines = await follower.catchUp();
  await follower.stop();
  return lines;
}

/** Starts and stays. */
async function restart(options: Partial<FollowerOptions> = {}): Promise<string[]> {
  follower = await Follower.start({ root: logs.root, inputs: [{ paths: [logs.at("app.log")] }], ...options });
  return follower.catchUp();
}

test("goes on where it stopped", async () => {
  logs.appendToFile("app.log", "one");
  expect(await runOnce()).toEqual(["one"]);
  logs.appendToFile("app.log", "two");
  expect(await restart()).toEqual(["two"]);
});

test("a file that was renamed while nobody looked keeps its key, and is finished first", async () => {
  logs.appendToFile("app.log", "one");
  await runOnce();
  const { key } = [...follower.state.files.values()][0];
  logs.appendToFile("app.log", "two");
  logs.rotateFile("app.log");
  logs.appendToFile("app.log", "three");
  logs.rotateFile("app.log");
  logs.appendToFile("app.log", "four");
  expect(await restart()).toEqual(["two", "three", "four"]);
  expect(follower.file("app.log.2")?.record.key).toBe(key);
});

test("a file that was truncated while nobody looked is new content", async () => {
  logs.appendToFile("app.log", "one", "two");
  await runOnce();
  logs.writeFile("app.log", "one\n");
  expect(await restart()).toEqual(["one"]);
  expect(follower.file("app.log")?.record.generation).toBe(1);
});

test("other content of the same size while nobody looked is new content", async () => {
  logs.appendToFile("app.log", "one");
  await runOnce();
  logs.writeFile("app.log", "eno\n");
  expect(await restart()).toEqual(["eno"]);
  expect(follower.file("app.log")?.record.generation).toBe(0);
});

test("the same first line and another second one: the tail check sees it", async () => {
  logs.appendToFile("app.log", "# header", "one");
  await runOnce();
  logs.writeFile("app.log", "# header\nuno\ndue\n");
  expect(await restart()).toEqual(["# header", "uno", "due"]);
  expect(follower.file("app.log")?.record.generation).toBe(1);
});

test("a file that vanished is marked as gone, and no longer when it is back", async () => {
  logs.appendToFile("app.log", "one");
  await runOnce();
  logs.renameFile("app.log", "hidden");
  await runOnce();
  expect([...follower.state.files.values()][0].goneAtMs).toBeGreaterThan(0);
  logs.appendToFile("hidden", "two");
  logs.renameFile("hidden", "app.log");
  expect(await restart()).toEqual(["two"]);
  expect(follower.file("app.log")!.record.goneAtMs).toBe(0);
});

test("a journal that cannot be written just when a file is found to be gone stops nothing, and is asked again", async () => {
  logs.appendToFile("app.log", "one");
  logs.appendToFile("old.log", "two");
  const inputs = [{ paths: [logs.path] }];
  await runOnce({ inputs });
  logs.deleteFile("old.log");
  logs.appendToFile("app.log", "three");
  follower = await Follower.prepare({ root: logs.root, inputs });
  const full = vi.spyOn(follower.state, "markGone").mockImplementation(() => {
    throw new Error("ENOSPC: no space left on device, write");
  });
  await follower.catalogue.start();
  expect(await follower.catchUp()).toEqual(["three"]);
  expect(follower.said).toMatchObject([{ level: "error", code: "sweep_failed", path: logs.at("old.log") }]);
  full.mockRestore();
  const gone = (): string[] =>
    [...follower.state.files.values()].filter(({ goneAtMs }) => goneAtMs > 0).map(({ lastPath }) => lastPath);
  expect(gone()).toEqual([]);
  follower.letPass(3_600_000);
  await follower.catchUp();
  expect(gone()).toEqual([logs.at("old.log")]);
});

test("start_at end: only what comes after the first start, also over a restart", async () => {
  const inputs = [{ paths: [logs.at("app.log")], startAt: "end" as const }];
  logs.appendToFile("app.log", "before");
  logs.rotateFile("app.log");
  logs.appendToFile("app.log", "also before");
  expect(await runOnce({ inputs })).toEqual([]);
  logs.appendToFile("app.log", "one");
  logs.rotateFile("app.log");
  logs.appendToFile("app.log", "two");
  logs.rotateFile("app.log");
  logs.appendToFile("app.log", "three");
  expect(await restart({ inputs })).toEqual(["one", "two", "three"]);
  logs.rotateFile("app.log");
  logs.appendToFile("app.log", "four");
  expect((await follower.catchUp()).slice(3)).toEqual(["four"]);
});

test("start_at end and a damaged state: what it still knows goes on, what it forgot begins at its end", async () => {
  const inputs = [{ paths: [logs.path], startAt: "end" as const }];
  for (const name of ["known.log", "forgotten.log"]) logs.appendToFile(name, "before");
  await runOnce({ inputs });
  for (const name of ["known.log", "forgotten.log"]) logs.appendToFile(name, `${name} while down`);
  for (const file of ["journal", "snapshot"]) {
    const path = join(logs.root, "state", file);
    writeFileSync(path, readFileSync(path, "utf8").replaceAll("forgotten.log", "forgotten!log"));
  }
  expect(await restart({ inputs })).toEqual(["known.log while down"]);
  logs.appendToFile("forgotten.log", "after");
  expect((await follower.catchUp()).slice(1)).toEqual(["after"]);
});

test("start_at end: a file that appears after the start is read from its beginning", async () => {
  await restart({ inputs: [{ paths: [logs.at("*.log")], startAt: "end" }] });
  logs.appendToFile("new.log", "one");
  expect(await follower.catchUp()).toEqual(["one"]);
});

test("without state and with start_at beginning, siblings are read first, oldest first", async () => {
  for (const line of ["one", "two", "three"]) {
    logs.appendToFile("app.log", line);
    logs.rotateFile("app.log");
  }
  logs.appendToFile("app.log", "four");
  expect(await restart()).toEqual(["one", "two", "three", "four"]);
  expect([...follower.catalogue.files].every((file) => file.presentAtStart)).toBe(true);
});

test("siblings that the state knows wholly are not read again", async () => {
  logs.appendToFile("app.log", "one");
  logs.rotateFile("app.log");
  logs.appendToFile("app.log", "two");
  expect(await runOnce()).toEqual(["one", "two"]);
  expect(await restart()).toEqual([]);
});

test("a half-written first line gets its key once it is complete, and the same after a restart", async () => {
  logs.writeFile("app.log", '{"half');
  await runOnce();
  expect([...follower.state.files.values()][0].key).toBe("");
  logs.appendToFile("app.log", '":1}');
  expect(await runOnce()).toEqual(['{"half":1}']);
  const { key } = [...follower.state.files.values()][0];
  expect(key).toMatch(/^[0-9a-f]{32}$/);
  logs.appendToFile("app.log", "two");
  expect(await restart()).toEqual(["two"]);
  expect(follower.file("app.log")?.record.key).toBe(key);
});

test("an empty file is followed, and known again", async () => {
  logs.writeFile("app.log", "");
  await runOnce();
  logs.appendToFile("app.log", "one");
  expect(await restart()).toEqual(["one"]);
  expect(follower.state.files.size).toBe(1);
});

test("without any state the same file gets the same key", async () => {
  logs.appendToFile("app.log", "one");
  await runOnce();
  const { key } = [...follower.state.files.values()][0];
  const path = logs.at("app.log");
  follower = await Follower.start({ root: `${logs.root}/other`, inputs: [{ paths: [path] }] });
  await follower.catchUp();
  expect(follower.file("app.log")?.record.key).toBe(key);
});
