/** What the first look does not find is said to be lost only when nothing moved meanwhile. */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Follower, LogDirectory, leaveNothing } from "./follower.ts";

/** Looks at so many names take several slices, between which something else can happen. */
const OTHERS = 400;
const STARTS = 12;
const LONG_MS = 20_000;

let logs: LogDirectory;
let follower: Follower;

beforeEach(() => {
  logs = new LogDirectory();
  for (const name of ["a", "b"]) mkdirSync(logs.at(name), { recursive: true });
});

afterEach(async () => {
  await leaveNothing(follower, logs);
});

function prepare(): Promise<Follower> {
  const inputs = [{ paths: [logs.at("a"), logs.at("b")] }];
  return Follower.prepare({ root: logs.root, inputs, holdsBack: true });
}

/** A run that reads what is there, commits nothing, and ends. */
async function seeOnce(): Promise<void> {
  follower = await prepare();
  await follower.catalogue.start();
  await follower.catchUp();
  await follower.stop();
}

test("a file that is moved to and fro while it is looked for is not said to be lost", async () => {
  for (let i = 0; i < OTHERS; i++) for (const name of ["a", "b"]) writeFileSync(logs.at(join(name, `${i}.log`)), "");
  logs.appendToFile("a/app.log", "one");
  await seeOnce();
  let from = "a";
  for (let start = 0; start < STARTS; start++) {
    follower = await prepare();
    const moves = new AbortController();
    const started = follower.catalogue.start().finally(() => moves.abort());
    while (!moves.signal.aborted) {
      const to = from === "a" ? "b" : "a";
      renameSync(logs.at(`${from}/app.log`), logs.at(`${to}/app.log`));
      from = to;
      await nextTurn();
    }
    await started;
    follower.letPass(LONG_MS);
    expect(await follower.catchUp()).toEqual(["one"]);
    expect(follower.saidCodes()).not.toContain("bytes_lost");
    expect(follower.file("app.log")?.record.goneAtMs).toBe(0);
    await follower.stop();
  }
});

test("a file that is gone is said to be lost at once where nothing moves", async () => {
  logs.appendToFile("a/app.log", "one");
  await seeOnce();
  logs.deleteFile("a/app.log");
  follower = await prepare();
  await follower.catalogue.start();
  expect(follower.saidCodes()).toContain("bytes_lost");
});

test("a file that is gone from a directory that is never still is said to be lost after a while, once", async () => {
  for (let i = 0; i < OTHERS; i++) writeFileSync(logs.at(`b/${i}.log`), "");
  logs.appendToFile("a/app.log", "one");
  await seeOnce();
  logs.deleteFile("a/app.log");
  follower = await prepare();
  // Names come and go each turn of the loop, until this is over.
  const mover = setInterval(() => {
    renameSync(logs.at("b/0.log"), logs.at("b/moved.log"));
    renameSync(logs.at("b/moved.log"), logs.at("b/0.log"));
  }, 0);
  try {
    await follower.catalogue.start();
    expect(follower.saidCodes()).not.toContain("bytes_lost");
    follower.letPass(LONG_MS);
    await follower.catalogue.sweep();
    expect(follower.saidCodes()).toContain("bytes_lost");
    await follower.catalogue.sweep();
    expect(follower.saidCodes().filter((code) => code === "bytes_lost")).toHaveLength(1);
  } finally {
    clearInterval(mover);
  }
});
