import { mkdirSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Follower, LogDirectory, openDescriptorsBelow } from "./follower.ts";

let logs: LogDirectory;
let follower: Follower;

beforeEach(() => {
  logs = new LogDirectory();
  mkdirSync(logs.path);
});

afterEach(async () => {
  await follower.stop();
  const leaked = openDescriptorsBelow(logs.root);
  logs.remove();
  expect(leaked).toEqual([]);
});

async function follow(path = "app.log"): Promise<void> {
  follower = await Follower.start({ root: logs.root, inputs: [{ paths: [logs.at(path)] }] });
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
