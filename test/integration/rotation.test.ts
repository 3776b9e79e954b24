/** Every other way a file changes, live and while pannier is down: the real process, real files, a receiver that counts. */
import {
  appendFileSync,
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Agent, isCommitted, killAgents, startAgent } from "../support/agent.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { RotatingLog } from "../support/rotating-log.ts";

let directory: string;
let logs: string;
let receiver: Receiver;
let log: RotatingLog;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "pannier-rotation-"));
  logs = join(directory, "logs");
  mkdirSync(logs);
  log = new RotatingLog(join(logs, "app.log"));
  receiver = await startReceiver({ ids: true, sequences: true });
});

afterEach(async () => {
  await killAgents();
  await receiver.close();
  rmSync(directory, { recursive: true });
});

function start(...more: string[]): Agent {
  const to = `elasticsearch+${receiver.url}/logs-rotation-default`;
  return startAgent(["run", logs, "--to", to, "--state-dir", join(directory, "state"), ...more]);
}

const NOTHING_WRONG = { missing: 0, doubled: 0, firstMissing: [], firstDoubled: [] };

/** Ships what is left in a run of its own and holds what arrived to what was written. */
async function expectEveryLineOnce(): Promise<void> {
  const agent = start("--once");
  expect(await agent.end()).toEqual({ code: 0, signal: null });
  expect(receiver.sequences.compare(log.count)).toEqual(NOTHING_WRONG);
}

/** A line with the next number, in whatever file. */
function line(): string {
  return `{"seq":${log.count++},"msg":"elsewhere"}\n`;
}

test("twenty rotations in a second, with kills in between", async () => {
  for (let round = 0; round < 3; round++) {
    const agent = start();
    if (round > 0) await agent.waitForLog("started");
    for (let i = 0; i < 20; i++) {
      log.write(40);
      log.rename(i % 2 === 0);
      if (i % 4 === 0) log.write(3);
      await sleep(40);
    }
    log.write(1);
    await agent.kill9();
  }
  await expectEveryLineOnce();
});

const CHANGES: Readonly<Record<string, () => Promise<void> | void>> = {
  "dated names": () => {
    for (const name of ["app.log-20261121", "app.log.2026-11-22", "app.log-20261123T1200"]) {
      log.write(30);
      renameSync(log.path, join(logs, name));
    }
    log.write(5);
  },
  "moved to another watched directory, and written to there": () => {
    log.write(20);
    mkdirSync(join(logs, "archive"));
    renameSync(log.path, join(logs, "archive", "old.log"));
    appendFileSync(join(logs, "archive", "old.log"), line());
    log.write(20);
  },
  "hard links, in and beside the family": () => {
    linkSync(log.path, `${log.path}.1`);
    linkSync(log.path, join(logs, "other.log"));
    log.write(20);
    rmSync(log.path);
    appendFileSync(join(logs, "other.log"), line());
  },
  "names with spaces, line feeds, quotes and bytes that are no UTF-8": () => {
    for (const name of ["a b.log", "line\nfeed.log", 'quo"te.log', "ünïcode.log"])
      appendFileSync(join(logs, name), line());
    const bytes = Buffer.concat([Buffer.from(`${logs}/`), Buffer.from([0x62, 0xff, 0xfe, 0x2e, 0x6c, 0x6f, 0x67])]);
    appendFileSync(bytes, line());
    renameSync(bytes, Buffer.concat([bytes, Buffer.from(".1")]));
    appendFileSync(bytes, line());
  },
  "files that share their first 4 KiB": () => {
    const shared = `# ${"the same in all ".repeat(256)}\n`;
    for (const name of ["one.log", "two.log", "three.log"]) writeFileSync(join(logs, name), shared + line());
    for (const name of ["one.log", "two.log", "three.log"]) appendFileSync(join(logs, name), line());
  },
  "a file that was empty": async () => {
    writeFileSync(join(logs, "empty.log"), "");
    await sleep(400);
    appendFileSync(join(logs, "empty.log"), line());
  },
  "a line that is written in pieces, with a rotation in between": async () => {
    const fd = openSync(log.path, "a");
    const text = line();
    for (let at = 0; at < text.length; at += 12) {
      writeSync(fd, text.slice(at, at + 12));
      await sleep(60);
      if (at === 12) log.rename();
    }
    closeSync(fd);
    log.write(5);
  },
  "truncated by one who writes on at the old offset: a hole": () => {
    const path = join(logs, "holes.log");
    const fd = openSync(path, "w");
    writeSync(fd, "gone before anybody saw it\n");
    ftruncateSync(fd, 0);
    writeSync(fd, line(), 400_000);
    writeSync(fd, line(), statSync(path).size);
    closeSync(fd);
  },
};

/** Each change in a directory of its own; the log that is written to goes from one to the next and keeps on counting. */
async function inEach(act: (change: () => Promise<void> | void) => Promise<void> | void): Promise<void> {
  const root = logs;
  for (const [i, change] of Object.values(CHANGES).entries()) {
    logs = join(root, String(i));
    mkdirSync(logs, { recursive: true });
    const { count } = log;
    log = new RotatingLog(join(logs, "app.log"));
    log.count = count;
    await act(change);
  }
  logs = root;
}

/** Live: it happens while pannier runs, which is then killed. Down: it happens while nobody looks. */
test.each(["live", "while pannier is down"])(
  "whatever an application does to its files, %s: every line once",
  async (when) => {
    await inEach(() => log.write(50));
    const agent = start();
    await agent.waitForStatus((status) => status.files.length === Object.keys(CHANGES).length && isCommitted(status));
    if (when !== "live") await agent.kill9();
    await inEach((change) => change());
    if (when === "live") {
      await sleep(700);
      await agent.kill9();
    }
    await expectEveryLineOnce();
  },
);

test("replaced by an atomic rename: the old file is read to its end", async () => {
  const agent = start();
  log.write(50);
  await agent.waitForStatus(isCommitted);
  log.write(20);
  writeFileSync(`${log.path}.tmp`, line());
  renameSync(`${log.path}.tmp`, log.path);
  await sleep(500);
  expect((await agent.stop()).code).toBe(0);
  await expectEveryLineOnce();
});

test("deleted while the application writes on: read to its end, then gone", async () => {
  const agent = start();
  log.write(50);
  await agent.waitForStatus(isCommitted);
  const fd = openSync(log.path, "a");
  rmSync(log.path);
  for (let i = 0; i < 5; i++) {
    writeSync(fd, line());
    await sleep(100);
  }
  closeSync(fd);
  log.write(10);
  await agent.waitForStatus((status) => isCommitted(status) && status.files.some(({ path }) => path === log.path));
  await sleep(500);
  await agent.waitForStatus(isCommitted);
  await agent.stop();
  await expectEveryLineOnce();
});

test("deleted and made again with the same inode number and the same first line, over a restart: two documents", async () => {
  writeFileSync(log.path, "the same\n");
  const inode = statSync(log.path).ino;
  const first = start("--once");
  await first.end();
  rmSync(log.path);
  for (let i = 0; i < 200 && statSync(log.path, { throwIfNoEntry: false })?.ino !== inode; i++) {
    writeFileSync(join(directory, `other-${i}`), "the same\n");
    if (statSync(join(directory, `other-${i}`)).ino === inode) renameSync(join(directory, `other-${i}`), log.path);
  }
  if (statSync(log.path, { throwIfNoEntry: false })?.ino !== inode) writeFileSync(log.path, "the same\n");
  await start("--once").end();
  expect(receiver.stats()).toMatchObject({ documents: 2, conflicts: 0 });
});

test("truncated and begun with the same line again: two documents", async () => {
  writeFileSync(log.path, "the same\n");
  const agent = start();
  await agent.waitForStatus(isCommitted);
  writeFileSync(log.path, "");
  await agent.waitForStatus(({ files }) => files.some(({ size }) => size === 0));
  appendFileSync(log.path, "the same\n");
  await agent.waitForStatus((status) => isCommitted(status) && status.files.some(({ size }) => size > 0));
  await sleep(500);
  await agent.waitForStatus(isCommitted);
  await agent.stop();
  expect(receiver.stats()).toMatchObject({ documents: 2, conflicts: 0 });
});
