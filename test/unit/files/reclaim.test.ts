import {
  chmodSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeSync,
  closeSync,
} from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { InputConfig } from "../../../src/core/config.ts";
import { RECLAIM_QUIET_MS, SWEEP_COLD_MS, TAIL_QUIET_ROTATED_MS } from "../../../src/core/limits.ts";
import { Patterns } from "../../../src/files/patterns.ts";
import { Reports } from "../../../src/files/reports.ts";
import { Roots } from "../../../src/files/roots.ts";
import { Volume } from "../../../src/files/volume.ts";
import { Follower, type FollowerOptions, INPUT, LogDirectory, SILENT, leaveNothing } from "./follower.ts";

let logs: LogDirectory;
let follower: Follower;

beforeEach(() => {
  logs = new LogDirectory();
  mkdirSync(logs.path);
});

afterEach(async () => {
  await leaveNothing(follower, logs);
});

async function start(input: Partial<InputConfig> = {}, options: Partial<FollowerOptions> = {}): Promise<void> {
  const inputs = [{ paths: [logs.path], reclaim: "rotated" as const, ...input }];
  follower = await Follower.start({ root: logs.root, inputs, ...options });
  await follower.catchUp();
}

/** As long as it takes until what can be deleted is deleted, and its descriptor closed. */
async function waitLong(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    follower.letPass(Math.max(RECLAIM_QUIET_MS, SWEEP_COLD_MS));
    await follower.catchUp();
    await follower.state.sync();
  }
}

function names(): string[] {
  return readdirSync(logs.path).toSorted();
}

test("a rotated file goes once it is delivered and quiet, and is counted; the live one stays", async () => {
  await start();
  logs.appendToFile("app.log", "one");
  await follower.catchUp();
  logs.rotateFile("app.log");
  logs.appendToFile("app.log", "two");
  await follower.catchUp();
  expect(names()).toEqual(["app.log", "app.log.1"]);
  await waitLong();
  expect(names()).toEqual(["app.log"]);
  expect(follower.catalogue.reclaimed).toMatchObject({ files: 1, bytes: 4 });
  expect(follower.said).toMatchObject([{ code: "no_match" }, { code: "file_reclaimed", level: "info" }]);
  logs.appendToFile("app.log", "three");
  expect(await follower.catchUp()).toEqual(["one", "two", "three"]);
  expect(follower.openNames()).toEqual(["app.log"]);
});

test("without the setting nothing goes", async () => {
  logs.appendToFile("app.log.1", "one");
  logs.appendToFile("app.log", "two");
  await start({ reclaim: "never" });
  await waitLong();
  expect(names()).toEqual(["app.log", "app.log.1"]);
});

test("files that were rotated before the start go as well, also those of an earlier run", async () => {
  for (const name of ["app.log.3", "app.log-20260101", "app.log.1", "app.log"]) logs.appendToFile(name, name);
  await start({ reclaim: "never" });
  await follower.stop();
  await start();
  await waitLong();
  expect(names()).toEqual(["app.log"]);
  expect(follower.lines).toEqual([]);
});

test("not before it was quiet, and not while the application has written nothing to its next file", async () => {
  logs.appendToFile("app.log.1", "one");
  logs.writeFile("app.log", "");
  await start();
  await waitLong();
  expect(names()).toEqual(["app.log", "app.log.1"]);
  logs.appendToFile("app.log.1", "late");
  logs.appendToFile("app.log", "two");
  await follower.catchUp();
  follower.letPass(TAIL_QUIET_ROTATED_MS + 1_000);
  await follower.catchUp();
  await follower.catchUp();
  expect(names()).toEqual(["app.log", "app.log.1"]);
  await waitLong();
  expect(names()).toEqual(["app.log"]);
  expect(follower.lines.toSorted()).toEqual(["late", "one", "two"]);
});

test("the only file of its name stays, whatever it is called", async () => {
  logs.appendToFile("app.log.1", "one");
  logs.appendToFile("app.log.2026-01-01", "two");
  await start({ paths: [logs.at("app.log*")] });
  await waitLong();
  expect(names()).toHaveLength(2);
});

test("what one sink has not committed stays", async () => {
  logs.appendToFile("app.log.1", "one");
  logs.appendToFile("app.log", "two");
  await start({}, { sinks: ["test", "other"] });
  const [first] = [...follower.state.files.values()].filter(({ path }) => path.endsWith(".1"));
  await waitLong();
  expect(names()).toHaveLength(2);
  const cursor = follower.state.openCursor(first, "other", 0);
  await waitLong();
  expect(names()).toHaveLength(2);
  const terms = { delivered: 4, filtered: 0, deadLettered: 0, cut: 0, lost: 0 };
  follower.state.commit([{ file: first, cursor, committed: 4, tail: Buffer.from("one\n"), lastTime: "", terms }]);
  await waitLong();
  expect(names()).toEqual(["app.log"]);
});

test("a file of which a part was never asked for stays", async () => {
  logs.appendToFile("app.log", "before the start");
  await start({ startAt: "end" });
  logs.appendToFile("app.log", "one");
  logs.rotateFile("app.log");
  logs.appendToFile("app.log", "two");
  await waitLong();
  expect(follower.lines).toEqual(["one", "two"]);
  expect(names()).toEqual(["app.log", "app.log.1"]);
});

test("what exclude names, what is compressed and what only looks similar stays", async () => {
  for (const name of ["app.log.1", "app.log.2.gz", "app.log.bak", "app.txt.1", "app.log.2", "app.log"]) {
    logs.appendToFile(name, name);
  }
  await start({ exclude: ["app.log.2"] });
  await waitLong();
  expect(names()).toEqual(["app.log", "app.log.2", "app.log.2.gz", "app.log.bak", "app.txt.1"]);
});

test("what a link leads to stays", async () => {
  mkdirSync(`${logs.root}/pods`);
  const target = `${logs.root}/pods/0.txt`;
  const write = (path: string, text: string): void => {
    const fd = openSync(path, "a");
    writeSync(fd, text);
    closeSync(fd);
  };
  write(`${target}.1`, "one\n");
  write(target, "two\n");
  write(`${logs.root}/pods/old`, "zero\n");
  symlinkSync(target, logs.at("app.log"));
  symlinkSync(`${logs.root}/pods/old`, logs.at("app.log.1"));
  await start({}, { allowLinksInto: [`${logs.root}/pods`] });
  await waitLong();
  expect(follower.lines.toSorted()).toEqual(["one", "two", "zero"]);
  expect(names()).toEqual(["app.log", "app.log.1"]);
  expect(existsSync(`${target}.1`)).toBe(true);
});

test("who still writes to a file in the moment of its deletion is read to the end", async () => {
  logs.appendToFile("app.log.1", "one");
  logs.appendToFile("app.log", "two");
  await start();
  const late = openSync(logs.at("app.log.1"), "a");
  for (let i = 0; existsSync(logs.at("app.log.1")); i++) {
    follower.letPass(i < 4 ? RECLAIM_QUIET_MS : 0);
    await follower.catchUp();
    await follower.state.sync();
  }
  writeSync(late, "late\n");
  closeSync(late);
  expect(await follower.catchUp()).toEqual(["one", "two", "late"]);
});

test("an unterminated end that is not delivered yet keeps its file", async () => {
  logs.writeFile("app.log.1", "one\ntw");
  logs.appendToFile("app.log", "three");
  await start({}, { holdsBack: true });
  await waitLong();
  expect(names()).toHaveLength(2);
  follower.release();
  await waitLong();
  expect(names()).toEqual(["app.log"]);
});

test("a directory that may not be written to is reported once, and tried again", async () => {
  logs.appendToFile("app.log.1", "one");
  logs.appendToFile("app.log", "two");
  await start();
  const isRoot = process.geteuid!() === 0;
  chmodSync(logs.root, 0o755);
  chmodSync(logs.path, 0o555);
  if (isRoot) process.setegid!(65_534);
  if (isRoot) process.seteuid!(65_534);
  try {
    await waitLong();
  } finally {
    if (isRoot) process.seteuid!(0);
    if (isRoot) process.setegid!(0);
    chmodSync(logs.path, 0o755);
  }
  expect(names()).toHaveLength(2);
  for (let i = 0; i < 10; i++) await waitLong();
  expect(names()).toEqual(["app.log"]);
  expect(follower.saidCodes()).toEqual(["reclaim_failed", "file_reclaimed"]);
});

test("a name that another file has taken in the meantime is given back untouched", async () => {
  await start();
  logs.appendToFile("app.log.1", "old");
  const roots = new Roots(new Patterns([{ ...INPUT, paths: [logs.path] }]), []);
  roots.refresh();
  const volume = new Volume(roots, new Reports(SILENT));
  const look = volume.lookAt(logs.at("app.log.1"))!;
  renameSync(logs.at("app.log.1"), logs.at("app.log.2"));
  logs.appendToFile("app.log.1", "new");
  expect(volume.remove(look, "app.log.999")).toBe(false);
  expect(names()).toEqual(["app.log.1", "app.log.2"]);
  expect(volume.remove(volume.lookAt(logs.at("app.log.2"))!, "app.log.999")).toBe(true);
  expect(names()).toEqual(["app.log.1"]);
});
