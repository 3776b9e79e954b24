import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";

const leash = pathToFileURL(path.resolve(import.meta.dirname, "../../../src/demo/leash.ts")).href;
const run = (script: string): ReturnType<typeof spawn> =>
  spawn(process.execPath, ["--import", leash, "-e", script], { stdio: ["ignore", "pipe", "inherit", "ipc"] });

test("the leash ends the agent when the demo is gone", async () => {
  const child = run('setInterval(() => {}, 1000); process.stdout.write("up")');
  await once(child.stdout!, "data");
  const exited = once(child, "exit");
  child.disconnect();
  expect(await exited).toEqual([null, "SIGTERM"]);
});

test("the leash keeps no process alive that is done", async () => {
  expect(await once(run("0"), "exit")).toEqual([0, null]);
});
