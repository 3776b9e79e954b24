import { mkdirSync, utimesSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SWEEP_HOT_MS, TAIL_QUIET_ROTATED_MS } from "../../../src/core/limits.ts";
import type { StateStore } from "../../../src/core/state.ts";
import { Follower, LogDirectory, leaveNothing, openDescriptorsBelow } from "./follower.ts";

let logs: LogDirectory;
let follower: Follower;

beforeEach(async () => {
  logs = new LogDirectory();
  mkdirSync(logs.path);
  follower = await Follower.prepare({ root: logs.root, inputs: [{ paths: [logs.path] }] });
});

afterEach(async () => {
  await leaveNothing(follower, logs);
});

/** The journal cannot be written by this call, until the returned function is called. */
function fail(call: keyof StateStore & ("addFile" | "openCursor" | "nameFile" | "moveFile" | "markGone")): () => void {
  const { state } = follower;
  const works = state[call];
  Object.defineProperty(state, call, {
    configurable: true,
    value: () => {
      throw new Error("the disk is full");
    },
  });
  return () => Object.defineProperty(state, call, { configurable: true, value: works });
}

test("a file that cannot be journaled is not begun, and begun when it can", async () => {
  logs.appendToFile("app.log", "one");
  const heal = fail("addFile");
  await follower.catalogue.start();
  expect(await follower.catchUp()).toEqual([]);
  // A watch that is put up lists its directory in a thread of Node's for a moment.
  await follower.waitFor(() => openDescriptorsBelow(logs.path).length === 0, 10_000);
  expect(openDescriptorsBelow(logs.path)).toEqual([]);
  expect(follower.saidCodes()).toEqual(["sweep_failed"]);
  heal();
  expect(await follower.catchUp()).toEqual(["one"]);
});

test("a cursor that cannot be journaled is opened later", async () => {
  logs.appendToFile("app.log", "one");
  const heal = fail("openCursor");
  await follower.catalogue.start();
  expect(await follower.catchUp()).toEqual([]);
  expect(follower.saidCodes()).toEqual(["file_not_begun"]);
  heal();
  expect(await follower.catchUp()).toEqual(["one"]);
  expect(follower.state.files.size).toBe(1);
});

test("new content whose cursor cannot be journaled is read later, and the old one is let go", async () => {
  logs.appendToFile("app.log", "one");
  await follower.catalogue.start();
  await follower.catchUp();
  const heal = fail("openCursor");
  logs.truncateFile("app.log");
  await follower.catchUp();
  logs.appendToFile("app.log", "two");
  await follower.catchUp();
  heal();
  expect(await follower.catchUp()).toEqual(["one", "two"]);
  await follower.catchUp();
  expect(follower.openNames()).toEqual(["app.log"]);
});

test("new content whose record cannot be journaled is read later", async () => {
  logs.appendToFile("app.log", "one");
  await follower.catalogue.start();
  await follower.catchUp();
  const heal = fail("addFile");
  logs.writeFile("app.log", "2\n");
  expect(await follower.catchUp()).toEqual(["one"]);
  heal();
  expect(await follower.catchUp()).toEqual(["one", "2"]);
});

test("a rename that cannot be journaled is journaled later", async () => {
  logs.appendToFile("app.log", "one");
  await follower.catalogue.start();
  await follower.catchUp();
  const heal = fail("moveFile");
  logs.rotateFile("app.log");
  logs.appendToFile("app.log", "two");
  await follower.catchUp();
  heal();
  expect(await follower.catchUp()).toEqual(["one", "two"]);
  expect([...follower.state.files.values()].map(({ lastPath }) => lastPath)).toEqual([
    logs.at("app.log.1"),
    logs.at("app.log"),
  ]);
});

test("a file that vanishes while that cannot be journaled stays until it can", async () => {
  logs.appendToFile("app.log", "one");
  await follower.catalogue.start();
  await follower.catchUp();
  logs.deleteFile("app.log");
  await follower.catchUp();
  const heal = fail("markGone");
  follower.letPass(TAIL_QUIET_ROTATED_MS);
  await follower.catchUp();
  expect(follower.openNames()).toEqual(["app.log"]);
  heal();
  await follower.catchUp();
  expect(follower.openNames()).toEqual([]);
});

test("overwritten with as many bytes right before it would be closed: the tail is compared first", async () => {
  logs.appendToFile("app.log", "one");
  await follower.catalogue.start();
  logs.rotateFile("app.log", false);
  await follower.catchUp();
  follower.letPass(TAIL_QUIET_ROTATED_MS);
  logs.writeFile("app.log.1", "two\n");
  expect(await follower.catchUp()).toEqual(["one", "two"]);
});

test("a file with a time in the future is followed like any other", async () => {
  logs.appendToFile("app.log", "one");
  utimesSync(logs.at("app.log"), 4e9, 4e9);
  utimesSync(logs.path, 4e9, 4e9);
  await follower.catalogue.start();
  await follower.catchUp();
  logs.appendToFile("app.log", "two");
  expect(await follower.waitForLines(2, 2_000)).toEqual(["one", "two"]);
});

test("a file that waits for a descriptor at the start and is deleted meanwhile is not waited for", async () => {
  await follower.stop();
  logs.appendToFile("a.log", "one");
  logs.appendToFile("b.log", "two");
  follower = await Follower.prepare({ root: logs.root, inputs: [{ paths: [logs.path] }], maxOpenFiles: 1 });
  let isStarted = false;
  const started = follower.catalogue.start().then(() => (isStarted = true));
  await follower.waitFor(() => follower.openNames().length === 1, 1_000);
  await sleep(SWEEP_HOT_MS);
  expect(isStarted).toBe(false);
  logs.deleteFile(follower.openNames()[0] === "a.log" ? "b.log" : "a.log");
  await follower.waitFor(() => isStarted, 5_000);
  expect(isStarted).toBe(true);
  await started;
});
