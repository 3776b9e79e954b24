import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { once } from "node:events";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Agent, killAgents, startAgent } from "../support/agent.ts";

const SWAPPER = fileURLToPath(new URL("../support/swapper.ts", import.meta.url));
const ATTACK_MS = 6_000;
/** From the write to the output: a look, the age of a batch, and processors that others keep busy. */
const LATE_MS = 15_000;

let directory: string;
let logs: string;
let outside: string;
const attackers: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), "pannier-untrusted-"));
  logs = path.join(directory, "logs");
  outside = path.join(directory, "outside");
  mkdirSync(path.join(logs, "sub"), { recursive: true });
  mkdirSync(outside);
  writeFileSync(path.join(outside, "app.log"), "canary: nobody may read this\n".repeat(100));
  writeFileSync(path.join(logs, "sub", "app.log"), "inside\n");
});

afterEach(async () => {
  for (const attacker of attackers.splice(0)) {
    attacker.kill("SIGKILL");
    await once(attacker, "exit");
  }
  await killAgents();
  rmSync(directory, { recursive: true });
});

function run(...args: string[]): Agent {
  return startAgent(["run", logs, "--to", "stdout:", "--state-dir", path.join(directory, "state"), ...args]);
}

function victimsIn(agent: Agent): number {
  return new Set(agent.stdout().match(/"message":"victim \d+"/g)).size;
}

/** Directories about which it is notified. */
function watchesOf(agent: Agent): number {
  const infos = `/proc/${agent.pid}/fdinfo`;
  const lines = readdirSync(infos).flatMap((fd) => {
    try {
      return readFileSync(path.join(infos, fd), "latin1").split("\n");
    } catch {
      return [];
    }
  });
  return lines.filter((line) => line.startsWith("inotify ")).length;
}

test("paths that are swapped all the time never lead out, and other files are followed meanwhile (invariant 8)", async () => {
  writeFileSync(path.join(logs, "victim.log"), "");
  for (const what of ["directory", "file", "link"]) {
    const attacker = spawn(process.execPath, [SWAPPER, what, logs, outside], { stdio: ["ignore", "pipe", "inherit"] });
    attackers.push(attacker);
    await once(attacker.stdout, "data");
  }
  const agent = run();
  await agent.waitForLog("started");
  const until = performance.now() + ATTACK_MS;
  const writtenMs: number[] = [];
  let latestMs = 0;
  for (let arrived = 0; arrived < writtenMs.length || performance.now() < until; await sleep(50)) {
    if (performance.now() < until) {
      appendFileSync(path.join(logs, "victim.log"), `victim ${writtenMs.length}\n`);
      writtenMs.push(performance.now());
    }
    // Node reads notifications until there are none: where they come that fast, it would do nothing else.
    expect(watchesOf(agent)).toBe(0);
    for (const seen = victimsIn(agent); arrived < seen; arrived++)
      latestMs = Math.max(latestMs, performance.now() - writtenMs[arrived]);
    if (performance.now() > until + LATE_MS) break;
  }
  expect(victimsIn(agent)).toBe(writtenMs.length);
  expect(latestMs).toBeLessThan(LATE_MS);
  expect(agent.stdout()).not.toContain("canary");
  expect(agent.stdout()).toContain('"message":"inside"');
});

test("FIFOs and devices do not block, links that lead out are not followed, and no descriptor leads out (invariant 8)", async () => {
  execFileSync("mkfifo", [path.join(logs, "fifo.log")]);
  symlinkSync("/dev/zero", path.join(logs, "zero.log"));
  symlinkSync(path.join(outside, "app.log"), path.join(logs, "canary.log"));
  symlinkSync(outside, path.join(logs, "linked"));
  symlinkSync(logs, path.join(logs, "sub", "loop"));
  const agent = run();
  await agent.waitForStatus(({ files }) => files.length === 1 && files[0].lag_bytes === 0);
  const open = (): string[] =>
    readdirSync(`/proc/${agent.pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${agent.pid}/fd/${fd}`);
      } catch {
        return "";
      }
    });
  for (let i = 0; i < 100; i++) expect(open().filter((target) => target.startsWith(outside))).toEqual([]);
  // A directory is held for the moment in which it is looked at.
  await expect
    .poll(() => open().filter((target) => target.startsWith(directory) && !target.includes("/state")))
    .toEqual([path.join(logs, "sub", "app.log")]);
  expect(agent.stdout()).not.toContain("canary");
  expect((await agent.stop()).code).toBe(0);
});

test("links lead where allow_links_into says, and their files survive a restart", async () => {
  const config = path.join(directory, "pannier.yaml");
  writeFileSync(
    config,
    JSON.stringify({ allow_links_into: [outside], inputs: [{ paths: [logs] }], sinks: [{ type: "stdout" }] }),
  );
  symlinkSync(path.join(outside, "app.log"), path.join(logs, "canary.log"));
  const args = ["run", "--config", config, "--state-dir", path.join(directory, "state")];
  const first = startAgent(args);
  await first.waitForStatus(({ files }) => files.length === 2 && files.every(({ lag_bytes }) => lag_bytes === 0));
  expect(first.stdout().match(/canary/g)?.length).toBeGreaterThanOrEqual(100);
  await first.kill9();
  appendFileSync(path.join(outside, "app.log"), "one more\n");
  const second = startAgent(args);
  await second.waitForStatus(({ files }) => files.length === 2 && files.every(({ lag_bytes }) => lag_bytes === 0));
  expect(second.stdout().match(/"message":"[^"]*"/g)).toEqual(['"message":"one more"']);
});

test("a password on the command line is warned of once, and stands in no output", async () => {
  const to = "elasticsearch+http://someone:hunter2secret@127.0.0.1:9/logs-untrusted-default";
  const agent = startAgent([
    "run",
    logs,
    "--to",
    to,
    "--drain-deadline",
    "2s",
    "--state-dir",
    path.join(directory, "state"),
  ]);
  const warning = await agent.waitForLog("password_in_arguments");
  expect(warning.msg).toMatch(/password_file=PATH.*PANNIER_TO/);
  await agent.waitForStatus(({ sinks }) => sinks.some(({ last_error }) => last_error !== null));
  const status = await (await agent.get("/status")).text();
  await agent.stop();
  expect(agent.logs.filter(({ code }) => code === "password_in_arguments")).toHaveLength(1);
  const written = readdirSync(path.join(directory, "state"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(path.join(entry.parentPath, entry.name), "latin1"));
  for (const text of [status, JSON.stringify(agent.logs), agent.stdout(), ...written]) {
    expect(text).not.toContain("hunter2secret");
    expect(text).not.toContain(Buffer.from("someone:hunter2secret").toString("base64"));
  }
});
