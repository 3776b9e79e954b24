import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SWEEP_COLD_MS, SWEEP_HOT_MS, TAIL_QUIET_ROTATED_MS } from "../../../src/core/limits.ts";
import { Directories } from "../../../src/files/directories.ts";
import { Follower, LogDirectory, leaveNothing, openDescriptorsBelow } from "./follower.ts";

let logs: LogDirectory;
let follower: Follower;

beforeEach(async () => {
  logs = new LogDirectory();
  mkdirSync(logs.path);
  logs.appendToFile("app.log", "one");
  follower = await Follower.start({ root: logs.root, inputs: [{ paths: [logs.path] }] });
});

afterEach(async () => {
  await leaveNothing(follower, logs);
});

function resources(): string[] {
  return process.getActiveResourcesInfo().filter((name) => /FSEvent|Timeout/.test(name));
}

test("a new line is noticed without being asked for", async () => {
  expect(await follower.waitForLines(1, 1_000)).toEqual(["one"]);
  logs.appendToFile("app.log", "two");
  expect(await follower.waitForLines(2, 4 * SWEEP_HOT_MS)).toEqual(["one", "two"]);
});

test("a new file is noticed without being asked for", async () => {
  logs.appendToFile("other.log", "two");
  expect((await follower.waitForLines(2, 4 * SWEEP_HOT_MS)).toSorted()).toEqual(["one", "two"]);
});

test("a notification wakes the sweep for a file that has been idle for long", async () => {
  // Right behind a look at what is idle: the next one by itself is nine seconds away.
  follower.letPass(3_600_000 + SWEEP_COLD_MS - (performance.now() % SWEEP_COLD_MS));
  await follower.catchUp();
  // A watch takes a moment to stand.
  const writing = setInterval(() => logs.appendToFile("app.log", "two"), 100);
  const lines = await follower.waitForLines(2, SWEEP_COLD_MS / 2);
  clearInterval(writing);
  expect(lines.slice(0, 2)).toEqual(["one", "two"]);
});

test("a burst of writes is a few looks, and none is missed", async () => {
  await follower.waitForLines(1, 1_000);
  const before = follower.events.length;
  for (let i = 0; i < 2_000; i++) {
    logs.appendToFile("app.log", `${i}`);
    if (i % 100 === 0) await sleep(1);
  }
  expect(await follower.waitForLines(2_001, 2_000)).toHaveLength(2_001);
  expect(follower.events.length - before).toBeLessThan(100);
});

test("a rotated file is closed by itself", async () => {
  logs.rotateFile("app.log");
  await follower.waitForLines(1, 1_000);
  await follower.waitFor(() => follower.openNames().length === 2, 1_000);
  expect(follower.openNames()).toEqual(["app.log", "app.log.1"]);
  follower.letPass(TAIL_QUIET_ROTATED_MS);
  await follower.waitFor(() => follower.openNames().length === 1, 12 * SWEEP_HOT_MS);
  expect(follower.openNames()).toEqual(["app.log"]);
});

test("after stop there is no timer, no watch and no descriptor (invariant 10)", async () => {
  await follower.catalogue.stop();
  const before = resources();
  await sleep(2 * SWEEP_HOT_MS);
  // The test runner has timers of its own, which end.
  await follower.waitFor(() => resources().length <= before.length, 2_000);
  expect(resources().length).toBeLessThanOrEqual(before.length);
  expect(before.filter((name) => name.includes("FSEvent"))).toEqual([]);
  // A watch that is put up lists its directory in a thread of Node's for a moment.
  await follower.waitFor(() => openDescriptorsBelow(logs.path).length === 0, 10_000);
  expect(openDescriptorsBelow(logs.path)).toEqual([]);
  const events = follower.events.length;
  logs.appendToFile("app.log", "two");
  await sleep(2 * SWEEP_HOT_MS);
  expect(follower.events.length).toBe(events);
});

test("sweeps that are asked for at once run one after another", async () => {
  logs.appendToFile("app.log", "two");
  await Promise.all([follower.catalogue.sweep(), follower.catalogue.sweep(), follower.catalogue.sweep()]);
  expect(follower.events.filter((event) => event === "grown app.log")).toHaveLength(1);
});

test("a content that is gone, and that some sink is still sending, is not looked at all the time", async () => {
  const other = new LogDirectory();
  mkdirSync(other.path);
  other.appendToFile("app.log", "one");
  const held = await Follower.start({ root: other.root, inputs: [{ paths: [other.path] }], holdsBack: true });
  try {
    await held.waitForLines(1, 1_000);
    other.truncateFile("app.log");
    await held.waitFor(() => held.events.includes("lost app.log"), 4_000);
    await sleep(2 * SWEEP_HOT_MS);
    const passes = vi.spyOn(Directories.prototype, "beginSweep");
    await sleep(2 * SWEEP_HOT_MS);
    expect([...held.catalogue.files].map(({ status }) => status)).toContain("replaced");
    expect(passes.mock.calls.length).toBeLessThan(20);
    passes.mockRestore();
  } finally {
    await leaveNothing(held, other);
  }
});
