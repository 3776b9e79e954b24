import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Directory, newDirectory } from "../../../src/files/directory.ts";
import { Hints } from "../../../src/files/hints.ts";
import { SILENT } from "./follower.ts";

let path: string;
let directory: Directory;
let hinted: Directory[];

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "pannier-hints-"));
  directory = newDirectory(path, true, 0, 0);
  hinted = [];
});

afterEach(() => {
  rmSync(path, { recursive: true, force: true });
});

/** Writes until a hint comes: a watch takes a moment to stand. */
async function writeUntilHinted(times: number): Promise<void> {
  await vi.waitFor(
    () => {
      appendFileSync(join(path, "a.log"), "line\n");
      expect(hinted).toHaveLength(times);
    },
    { timeout: 30_000, interval: 20 },
  );
}

test("a busy directory is named once, and again after it was armed again", async () => {
  const hints = new Hints(SILENT, (one) => hinted.push(one));
  hints.add(directory);
  await hints.start();
  hints.arm(directory);
  await writeUntilHinted(1);
  for (let i = 0; i < 50; i++) appendFileSync(join(path, "a.log"), "line\n");
  await sleep(100);
  expect(hinted).toEqual([directory]);
  hints.arm(directory);
  await writeUntilHinted(2);
  expect(hinted).toEqual([directory, directory]);
  hints.stop();
});

test("a directory that does not exist is no failure, and watched once it does", async () => {
  const said: string[] = [];
  const log = { ...SILENT, info: (code: string) => void said.push(code) };
  const hints = new Hints(log, (one) => hinted.push(one));
  rmSync(path, { recursive: true });
  await hints.start();
  hints.add(directory);
  hints.arm(directory);
  await sleep(100);
  expect(said).toEqual([]);
  mkdirSync(path);
  hints.arm(directory);
  await writeUntilHinted(1);
  hints.stop();
});

test("without notifications it says so once and asks no more", async () => {
  const said: string[] = [];
  let asked = 0;
  const exhausted = (): never => {
    asked++;
    throw Object.assign(new Error("EMFILE: too many open files, watch"), { code: "EMFILE" });
  };
  const log = { ...SILENT, info: (code: string) => void said.push(code) };
  const hints = new Hints(log, (one) => hinted.push(one), exhausted);
  const other = newDirectory(`${path}/other`, false, 1, 0);
  hints.add(directory);
  await hints.start();
  hints.arm(directory);
  hints.add(other);
  hints.arm(directory);
  hints.arm(other);
  expect(asked).toBe(1);
  expect(said).toEqual(["hints_unavailable"]);
});
