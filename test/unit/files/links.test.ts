import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SWEEP_WARM_MS, TAIL_QUIET_ROTATED_MS } from "../../../src/core/limits.ts";
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

async function follow(paths: string[], allowLinksInto: string[] = []): Promise<string[]> {
  follower = await Follower.start({ root: logs.root, inputs: [{ paths }], allowLinksInto });
  return (await follower.catchUp()).toSorted();
}

/** A path beside the watched directory. */
function outside(name: string): string {
  return `${logs.root}/${name}`;
}

test("a link that stays inside is followed, under its own name", async () => {
  logs.appendToFile("app-1.txt", "one");
  symlinkSync("app-1.txt", logs.at("app.log"));
  expect(await follow([logs.at("*.log")])).toEqual(["one"]);
  expect(follower.openNames()).toEqual(["app.log"]);
  logs.appendToFile("app-1.txt", "two");
  expect(await follower.catchUp()).toEqual(["one", "two"]);
});

test("a link to a file that is followed anyway adds nothing", async () => {
  logs.appendToFile("app-1.log", "one");
  symlinkSync("app-1.log", logs.at("app.log"));
  expect(await follow([logs.path])).toEqual(["one"]);
  expect(follower.openNames()).toEqual(["app-1.log"]);
});

test("a link that is turned to the next file: the one before is read to its end first", async () => {
  logs.appendToFile("1.txt", "one");
  symlinkSync("1.txt", logs.at("app.log"));
  await follow([logs.at("app.log")]);
  logs.appendToFile("1.txt", "two");
  logs.appendToFile("2.txt", "three");
  symlinkSync("2.txt", logs.at("new"));
  renameSync(logs.at("new"), logs.at("app.log"));
  expect(await follower.catchUp()).toEqual(["one", "two", "three"]);
  expect(follower.state.files.size).toBe(2);
});

test.each(["absolute", "relative"])(
  "a link that leads out is followed only into allow_links_into (%s)",
  async (how) => {
    mkdirSync(outside("pods"));
    mkdirSync(outside("other"));
    writeFileSync(outside("pods/0.txt"), "allowed\n");
    writeFileSync(outside("other/0.txt"), "not allowed\n");
    const to = (path: string): string => (how === "absolute" ? outside(path) : `../${path}`);
    symlinkSync(to("pods/0.txt"), logs.at("a.log"));
    symlinkSync(to("other/0.txt"), logs.at("b.log"));
    symlinkSync(to("pods/../other/0.txt"), logs.at("c.log"));
    symlinkSync(to("pods2/0.txt"), logs.at("d.log"));
    expect(await follow([logs.path], [outside("pods")])).toEqual(["allowed"]);
    expect(follower.saidCodes().filter((code) => code === "not_a_regular_file")).toHaveLength(3);
  },
);

test("a chain of links is followed as long as every one of them stays where it may", async () => {
  mkdirSync(outside("pods"));
  mkdirSync(outside("docker"));
  writeFileSync(outside("docker/json.log"), "one\n");
  writeFileSync(outside("secret"), "secret\n");
  symlinkSync(outside("docker/json.log"), outside("pods/0.log"));
  symlinkSync(outside("secret"), outside("pods/1.log"));
  symlinkSync(outside("pods/0.log"), logs.at("a.log"));
  symlinkSync(outside("pods/1.log"), logs.at("b.log"));
  expect(await follow([logs.path], [outside("pods"), outside("docker")])).toEqual(["one"]);
});

test("containers' logs: what the runtime rotated beside the target, also while pannier was down, is read in order", async () => {
  mkdirSync(outside("pods/uid/app"), { recursive: true });
  const target = outside("pods/uid/app/0.log");
  writeFileSync(target, "one\n");
  symlinkSync(target, logs.at("app.log"));
  await follow([logs.path], [outside("pods")]);
  renameSync(target, `${target}.20260101-100000`);
  writeFileSync(target, "two\n");
  follower.letPass(SWEEP_WARM_MS);
  expect(await follower.catchUp()).toEqual(["one", "two"]);
  await follower.stop();

  renameSync(target, `${target}.20260101-110000`);
  writeFileSync(`${target}.20260101-110000`, "two\nthree\n");
  writeFileSync(target, "four\n");
  follower = await Follower.start({
    root: logs.root,
    inputs: [{ paths: [logs.path] }],
    allowLinksInto: [outside("pods")],
  });
  expect(await follower.catchUp()).toEqual(["three", "four"]);
});

test("a link to a directory is entered if it may be, and its files are found under the link's path", async () => {
  mkdirSync(outside("data/2026"), { recursive: true });
  mkdirSync(outside("secrets"));
  writeFileSync(outside("data/2026/a.log"), "one\n");
  writeFileSync(outside("secrets/b.log"), "secret\n");
  symlinkSync(outside("data/2026"), logs.at("current"));
  symlinkSync(outside("secrets"), logs.at("escape"));
  expect(await follow([logs.path], [outside("data")])).toEqual(["one"]);
  expect([...follower.catalogue.files].map(({ path }) => path)).toEqual([logs.at("current/a.log")]);
});

test("loops of links end, and every file is read once", async () => {
  mkdirSync(logs.at("a/b"), { recursive: true });
  mkdirSync(outside("data"));
  logs.appendToFile("a/b/app.log", "one");
  writeFileSync(outside("data/more.log"), "two\n");
  symlinkSync("..", logs.at("a/up"));
  symlinkSync(logs.path, logs.at("a/b/top"));
  symlinkSync(outside("data"), logs.at("data"));
  symlinkSync(".", outside("data/self"));
  symlinkSync("self", outside("data/self-again"));
  symlinkSync(logs.path, outside("data/back"));
  symlinkSync("x.log", logs.at("y.log"));
  symlinkSync("y.log", logs.at("x.log"));
  expect(await follow([logs.path], [outside("data")])).toEqual(["one", "two"]);
  expect(await follower.catchUp()).toHaveLength(2);
});

test("the directory that the user names may be a link, and have links on its way", async () => {
  logs.appendToFile("a.log", "one");
  mkdirSync(logs.at("sub"));
  logs.appendToFile("sub/b.log", "two");
  symlinkSync(logs.path, outside("link"));
  symlinkSync(logs.root, outside("up"));
  expect(await follow([outside("link"), `${outside("up")}/logs/sub/*.log`])).toEqual(["one", "two"]);
});

test("what the user named as a file never becomes a directory by a link", async () => {
  mkdirSync(outside("secrets"));
  writeFileSync(outside("secrets/b.log"), "secret\n");
  logs.appendToFile("app.log", "one");
  await follow([logs.at("app.log")]);
  rmSync(logs.at("app.log"));
  symlinkSync(outside("secrets"), logs.at("app.log"));
  follower.letPass(10_000);
  expect(await follower.catchUp()).toEqual(["one"]);
  follower.letPass(10_000 + TAIL_QUIET_ROTATED_MS);
  expect(await follower.catchUp()).toEqual(["one"]);
});

test("a directory that is swapped for a link is left, not followed", async () => {
  mkdirSync(outside("secrets"));
  writeFileSync(outside("secrets/app.log"), "secret\n");
  mkdirSync(logs.at("sub"));
  logs.appendToFile("sub/app.log", "one");
  await follow([logs.path]);
  renameSync(logs.at("sub"), logs.at("sub2"));
  symlinkSync(outside("secrets"), logs.at("sub"));
  logs.appendToFile("sub2/app.log", "two");
  expect(await follower.catchUp()).toEqual(["one", "two"]);
});
