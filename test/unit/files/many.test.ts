import { copyFileSync, mkdirSync, readFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PARKED_MISSING_MS, SWEEP_COLD_MS } from "../../../src/core/limits.ts";
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

/** The longest work during which nothing else could run, in processor time: others, and a machine that stands still, take more. */
function watchLoop(): () => number {
  let longestMs = 0;
  let lastMs = cpuMs();
  const timer = setInterval(() => {
    longestMs = Math.max(longestMs, cpuMs() - lastMs);
    lastMs = cpuMs();
  }, 1);
  return () => {
    clearInterval(timer);
    return longestMs;
  };
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** With those that come later, as many as are looked at. */
const OTHERS = 99_800;

test("a directory of 100,000 entries costs little, in slices, and hides no log", async () => {
  for (let i = 0; i < OTHERS; i++) writeFileSync(logs.at(`upload-${i}.tmp`), "");
  logs.appendToFile("app.log", "one");
  const held = watchLoop();
  // It changes also while it is listed, which makes it be listed again.
  let busy = 0;
  const changing = setInterval(() => busy++ < 50 && writeFileSync(logs.at(`busy-${busy}.tmp`), ""), 10);
  follower = await Follower.start({ root: logs.root, inputs: [{ paths: [logs.path] }] });
  clearInterval(changing);
  expect(await follower.waitForLines(1, 5_000)).toEqual(["one"]);
  expect(held()).toBeLessThan(1_000);
  // Somebody changes the directory all the time.
  const before = cpuMs();
  const startedMs = performance.now();
  for (let i = 0; i < 100; i++) {
    writeFileSync(logs.at(`more-${i}.tmp`), "");
    await sleep(40);
  }
  expect((cpuMs() - before) / (performance.now() - startedMs)).toBeLessThan(0.5);
  logs.appendToFile("app.log", "two");
  expect(await follower.waitForLines(2, 3_000)).toEqual(["one", "two"]);
  expect(follower.saidCodes()).toEqual([]);
});

test("a tree of 1,000 levels is looked into as far as it may be, and that is said", async () => {
  let path = logs.path;
  for (let depth = 0; depth < 1_000; depth++) {
    path += "/d";
    mkdirSync(path);
    if (depth % 10 === 0) writeFileSync(`${path}/app.log`, `${depth}\n`);
  }
  follower = await Follower.start({ root: logs.root, inputs: [{ paths: [logs.path] }] });
  expect((await follower.catchUp()).map(Number)).toEqual([0, 10, 20, 30]);
  expect(follower.saidCodes()).toEqual(["too_deep"]);
});

test("thousands of files, few of them open: all are read, and growth of any is found without a listing", async () => {
  const count = 2_000;
  for (let i = 0; i < count; i++) logs.appendToFile(`${i}.log`, `${i}`);
  follower = await Follower.start({ root: logs.root, inputs: [{ paths: [logs.path] }], maxOpenFiles: 200 });
  expect(await follower.waitForLines(count, 30_000)).toHaveLength(count);
  follower.letPass(300_000);
  await follower.catchUp();
  for (const name of ["7.log", "1999.log"]) logs.appendToFile(name, "again");
  expect((await follower.waitForLines(count + 2, 2 * SWEEP_COLD_MS)).slice(count)).toEqual(["again", "again"]);
  expect(follower.openNames().length).toBeLessThanOrEqual(200);
});

test("thousands of files are opened as others are finished: none gives way before its turn", async () => {
  const count = 1_000;
  for (let i = 0; i < count; i++) logs.appendToFile(`${i}.log`, `${i}`);
  follower = await Follower.prepare({ root: logs.root, inputs: [{ paths: [logs.path] }], maxOpenFiles: 50 });
  let mostFollowed = 0;
  const timer = setInterval(() => (mostFollowed = Math.max(mostFollowed, [...follower.catalogue.files].length)), 1);
  const started = follower.catalogue.start();
  expect(await follower.waitForLines(count, 30_000)).toHaveLength(count);
  clearInterval(timer);
  await started;
  expect(mostFollowed).toBeLessThanOrEqual(50);
  expect([...follower.catalogue.files].every(({ presentAtStart }) => presentAtStart)).toBe(true);
  expect(follower.saidCodes()).toEqual(["max_open_files"]);
});

test("files that no sink finishes give way to new ones after a moment", async () => {
  const count = 200;
  for (let i = 0; i < count; i++) logs.appendToFile(`${i}.log`, `${i}`);
  const options = { root: logs.root, inputs: [{ paths: [logs.path] }], maxOpenFiles: 50, holdsBack: true };
  const startedMs = performance.now();
  follower = await Follower.start(options);
  expect([...follower.catalogue.files]).toHaveLength(count);
  expect(performance.now() - startedMs).toBeLessThan(10_000);
  expect(follower.saidCodes()).toContain("max_open_files_parked");
});

test("a file without a descriptor that comes back just after it was given up for gone is followed as before", async () => {
  for (let i = 0; i < 6; i++) logs.appendToFile(`${i}.log`, `${i}`);
  const options = { root: logs.root, inputs: [{ paths: [logs.path] }], maxOpenFiles: 2, holdsBack: true };
  follower = await Follower.start(options);
  const parked = [...follower.catalogue.files].find(({ fd }) => fd < 0)!;
  const name = parked.path.slice(logs.path.length + 1);
  renameSync(logs.at(name), join(logs.root, "away"));
  await follower.catalogue.sweep();
  follower.letPass(PARKED_MISSING_MS);
  await follower.waitFor(() => parked.status === "unlinked", SWEEP_COLD_MS);
  renameSync(join(logs.root, "away"), logs.at(name));
  await follower.catalogue.sweep();
  expect(parked.status).toBe("live");
  await sleep(1_500);
  await follower.catalogue.sweep();
  expect(follower.file(name)).toBe(parked);
  expect(follower.events).not.toContain(`closed ${name}`);
});

/** Calls that read, by this process. */
function readCalls(): number {
  return Number(/^syscr: (\d+)$/m.exec(readFileSync("/proc/self/io", "latin1"))?.[1]);
}

test("what a start costs grows with the files, and not with the files times the copies and new ones among them", async () => {
  const count = 400;
  const options = { root: logs.root, inputs: [{ paths: [logs.at("app.log")] }], holdsBack: true };
  const write = (from: number, to: number): void => {
    for (let i = from; i < to; i++) {
      logs.appendToFile("app.log", `${i}`, "again");
      if (i % 2 === 0) logs.renameFile("app.log", `app.log.${i}`);
      else {
        copyFileSync(logs.at("app.log"), logs.at(`app.log.${i}`));
        truncateSync(logs.at("app.log"));
      }
    }
  };
  write(0, count);
  logs.appendToFile("app.log", `${count}`);
  follower = await Follower.start(options);
  expect(await follower.catchUp()).toHaveLength(2 * count + 1);
  await follower.stop();
  write(count, count + 60);
  const before = readCalls();
  follower = await Follower.start(options);
  expect(readCalls() - before).toBeLessThan(5 * count);
  const numbers = (await follower.catchUp()).filter((line) => line !== "again").map(Number);
  const all = [...Array.from({ length: count + 60 }, (_, i) => i), count];
  expect(numbers.toSorted((a, b) => a - b)).toEqual(all.toSorted((a, b) => a - b));
});
