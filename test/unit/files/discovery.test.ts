import { execFileSync } from "node:child_process";
import { chmodSync, linkSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { InputConfig } from "../../../src/core/config.ts";
import { SWEEP_COLD_MS } from "../../../src/core/limits.ts";
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

async function follow(...inputs: Partial<InputConfig>[]): Promise<string[]> {
  follower = await Follower.start({ root: logs.root, inputs });
  return (await follower.catchUp()).toSorted();
}

test("a directory: all *.log files in it and below", async () => {
  mkdirSync(logs.at("sub/deep"), { recursive: true });
  for (const name of ["a.log", "sub/b.log", "sub/deep/c.log", "d.txt", "sub/e.log.bak"]) logs.appendToFile(name, name);
  expect(await follow({ paths: [logs.path] })).toEqual(["a.log", "sub/b.log", "sub/deep/c.log"]);
});

test("a glob walks from its static part, and no further down than it has segments", async () => {
  mkdirSync(logs.at("pods/one/app"), { recursive: true });
  mkdirSync(logs.at("pods/two/db"), { recursive: true });
  for (const name of ["pods/one/app/0.log", "pods/two/db/0.log", "pods/one/0.log"]) logs.appendToFile(name, name);
  expect(await follow({ paths: [logs.at("pods/*/app/*.log")] })).toEqual(["pods/one/app/0.log"]);
});

test("excluded files are not found", async () => {
  for (const name of ["a.log", "debug.log", "c.log"]) logs.appendToFile(name, name);
  expect(await follow({ paths: [logs.at("*.log")], exclude: ["debug.log"] })).toEqual(["a.log", "c.log"]);
});

test("a file belongs to the first input that matches it", async () => {
  logs.appendToFile("a.log", "a");
  logs.appendToFile("b.log", "b");
  await follow({ paths: [logs.at("b.log")] }, { paths: [logs.at("*.log")] });
  expect(follower.file("a.log")?.input).toBe(1);
  expect(follower.file("b.log")?.input).toBe(0);
  expect(follower.openNames()).toEqual(["a.log", "b.log"]);
});

test("a file and a directory that appear later are found", async () => {
  await follow({ paths: [logs.path] });
  logs.appendToFile("a.log", "a");
  mkdirSync(logs.at("sub"));
  logs.appendToFile("sub/b.log", "b");
  expect((await follower.catchUp()).toSorted()).toEqual(["a", "b"]);
});

test("a directory that is removed takes its files with it, and may come back", async () => {
  mkdirSync(logs.at("sub"));
  logs.appendToFile("sub/b.log", "one");
  await follow({ paths: [logs.path] });
  rmSync(logs.at("sub"), { recursive: true });
  await follower.catchUp();
  expect(follower.file("b.log")?.status).toBe("unlinked");
  mkdirSync(logs.at("sub"));
  logs.appendToFile("sub/b.log", "two");
  expect(await follower.catchUp()).toEqual(["one", "two"]);
});

test("a directory that is renamed keeps its files", async () => {
  mkdirSync(logs.at("sub"));
  logs.appendToFile("sub/b.log", "one");
  await follow({ paths: [logs.path] });
  renameSync(logs.at("sub"), logs.at("sub2"));
  logs.appendToFile("sub2/b.log", "two");
  expect(await follower.catchUp()).toEqual(["one", "two"]);
  expect(follower.state.files.size).toBe(1);
});

test("a missing directory is reported once, and found when it is there", async () => {
  logs.remove();
  await follow({ paths: [logs.at("*.log")] });
  await follower.catchUp();
  expect(follower.saidCodes()).toEqual(["directory_missing", "no_match"]);
  mkdirSync(logs.path, { recursive: true });
  logs.appendToFile("a.log", "a");
  expect(await follower.catchUp()).toEqual(["a"]);
});

test("a directory that comes later is looked at instead of its parent, which is not missing", async () => {
  await follow({ paths: [logs.at("later")] });
  expect(follower.saidCodes()).toEqual(["no_match"]);
  mkdirSync(logs.at("later"));
  logs.appendToFile("later/a.log", "a");
  expect(await follower.catchUp()).toEqual(["a"]);
  follower.letPass(SWEEP_COLD_MS);
  await follower.catchUp();
  expect(follower.saidCodes()).toEqual(["no_match"]);
  // Gone again: now the parent is where to look.
  rmSync(logs.at("later"), { recursive: true });
  await follower.catchUp();
  mkdirSync(logs.at("later"));
  logs.appendToFile("later/a.log", "b");
  expect(await follower.catchUp()).toEqual(["a", "b"]);
});

test("a missing file is reported once", async () => {
  await follow({ paths: [logs.at("app.log")] });
  await follower.catchUp();
  expect(follower.said).toMatchObject([{ level: "warn", code: "no_match", path: logs.at("app.log") }]);
});

test("an unreadable file is reported once, and read when it may be", async () => {
  logs.appendToFile("app.log", "one");
  chmodSync(logs.root, 0o755);
  chmodSync(logs.at("app.log"), 0);
  follower = await Follower.prepare({ root: logs.root, inputs: [{ paths: [logs.at("app.log")] }] });
  await withoutPrivileges(async () => {
    await follower.catalogue.start();
    await follower.catchUp();
  });
  expect(follower.saidCodes()).toEqual(["file_unreadable"]);
  chmodSync(logs.at("app.log"), 0o644);
  expect(await follower.catchUp()).toEqual(["one"]);
});

test("a directory that may not be read is reported once, and read when it may be", async () => {
  logs.appendToFile("app.log", "one");
  chmodSync(logs.root, 0o755);
  chmodSync(logs.path, 0o711);
  follower = await Follower.prepare({ root: logs.root, inputs: [{ paths: [logs.at("*.log")] }] });
  await withoutPrivileges(async () => {
    await follower.catalogue.start();
    await follower.catchUp();
  });
  expect(follower.saidCodes()).toEqual(["directory_unreadable", "no_match"]);
  chmodSync(logs.path, 0o755);
  expect(await follower.catchUp()).toEqual(["one"]);
});

/** Root may read everything, so as root the action runs as nobody. */
async function withoutPrivileges(action: () => Promise<void>): Promise<void> {
  const isRoot = process.geteuid!() === 0;
  if (isRoot) process.seteuid!(65_534);
  try {
    await action();
  } finally {
    if (isRoot) process.seteuid!(0);
  }
}

test("links, FIFOs, sockets and directories of a matching name are not opened (invariant 8)", async () => {
  writeFileSync(`${logs.root}/secret`, "secret\n");
  symlinkSync(`${logs.root}/secret`, logs.at("link.log"));
  symlinkSync(logs.root, logs.at("linked-directory"));
  execFileSync("mkfifo", [logs.at("fifo.log")]);
  mkdirSync(logs.at("directory.log"));
  const server = createServer().listen(logs.at("socket.log"));
  try {
    expect(await follow({ paths: [logs.path] })).toEqual([]);
    await follower.catchUp();
    expect(follower.said.map(({ code, path }) => `${code} ${String(path)}`).toSorted()).toEqual([
      `no_match ${logs.path}`,
      `not_a_regular_file ${logs.at("fifo.log")}`,
      `not_a_regular_file ${logs.at("link.log")}`,
      `not_a_regular_file ${logs.at("socket.log")}`,
    ]);
  } finally {
    server.close();
  }
});

test("a file whose place is taken by a link is not followed to the link's target (invariant 8)", async () => {
  logs.appendToFile("app.log", "one");
  writeFileSync(`${logs.root}/secret`, "secret\n");
  await follow({ paths: [logs.at("app.log")] });
  logs.deleteFile("app.log");
  symlinkSync(`${logs.root}/secret`, logs.at("app.log"));
  expect(await follower.catchUp()).toEqual(["one"]);
  expect(follower.saidCodes()).toContain("not_a_regular_file");
});

test("hard links are one file", async () => {
  logs.appendToFile("a.log", "one");
  linkSync(logs.at("a.log"), logs.at("b.log"));
  expect(await follow({ paths: [logs.path] })).toEqual(["one"]);
  logs.deleteFile("a.log");
  logs.appendToFile("b.log", "two");
  expect(await follower.catchUp()).toEqual(["one", "two"]);
  expect(follower.state.files.size).toBe(1);
});

test("names that are not UTF-8 are followed as well", async () => {
  const name = Buffer.concat([Buffer.from(`${logs.path}/caf`), Buffer.of(0xe9), Buffer.from(".log")]);
  writeFileSync(name, "one\n");
  logs.appendToFile("größe.log", "two");
  expect(await follow({ paths: [logs.path] })).toEqual(["one", "two"]);
});

test("rotated siblings are read whether the pattern or exclude matches them or not; compressed ones are not", async () => {
  for (const name of ["app.log.2", "app.log-20260101", "app.log.2026-02-01", "app.log.1.gz", "app.log.bak"]) {
    logs.appendToFile(name, name);
  }
  logs.appendToFile("app.log", "app.log");
  const lines = await follow({ paths: [logs.at("app.log")], exclude: ["*.2"] });
  expect(lines).toEqual(["app.log", "app.log-20260101", "app.log.2", "app.log.2026-02-01"]);
  expect(follower.saidCodes()).toEqual(["compressed_sibling"]);
});

test("files with dates in their names and no current one: the newest is live", async () => {
  logs.appendToFile("app.log.2026-01-01", "one");
  logs.appendToFile("app.log.2026-01-02", "two");
  await follow({ paths: [logs.at("app.log*")] });
  expect(follower.file("app.log.2026-01-01")?.status).toBe("rotated");
  expect(follower.file("app.log.2026-01-02")?.status).toBe("live");
  logs.appendToFile("app.log.2026-01-03", "three");
  expect(await follower.catchUp()).toEqual(["one", "two", "three"]);
  expect(follower.file("app.log.2026-01-02")?.status).toBe("rotated");
});

test("beyond max_open_files, idle files are closed and opened again when they grow", async () => {
  for (let i = 0; i < 40; i++) logs.appendToFile(`${i}.log`, `${i}`);
  follower = await Follower.start({ root: logs.root, inputs: [{ paths: [logs.path] }], maxOpenFiles: 8 });
  const lines = await follower.catchUp();
  await follower.catchUp();
  expect(lines.toSorted()).toEqual(Array.from({ length: 40 }, (_, i) => `${i}`).toSorted());
  expect(follower.openNames().length).toBeLessThanOrEqual(8);
  for (let i = 0; i < 40; i++) logs.appendToFile(`${i}.log`, `again ${i}`);
  for (let i = 0; i < 20; i++) await follower.catchUp();
  expect(lines).toHaveLength(80);
  expect(follower.state.files.size).toBe(40);
  expect(follower.saidCodes()).toEqual(["max_open_files_parked", "max_open_files"]);
});
