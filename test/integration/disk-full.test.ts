/**
 * The volume of the state directory fails while pannier runs: full, read-only, out of descriptors, taken away. It waits, says
 * so, and goes on when it can; nothing is lost, nothing arrives twice, also when it is killed meanwhile.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test, type TestContext } from "vitest";
import type { Agent } from "../support/agent.ts";
import type { DoubleOptions } from "../support/elasticsearch-double.ts";
import { CrashWorld } from "../support/crash-world.ts";
import { expectWhole } from "../support/expect-whole.ts";
import { insideOf, isRoot, needMounts, onTmpfs } from "../support/mounts.ts";

async function openWorld({ onTestFinished }: TestContext, options?: DoubleOptions): Promise<CrashWorld> {
  const world = new CrashWorld(options);
  onTestFinished(() => world.close());
  await world.open();
  return world;
}

/** Not ready while the state cannot be written, alive all the time. */
async function expectNotReady(agent: Agent): Promise<void> {
  // One answer at a time: where a long entry finds no room, a short one still may.
  const text = async (): Promise<string> => {
    const answer = await agent.get("/readyz");
    return `${answer.status} ${await answer.text()}`;
  };
  await expect.poll(text, { timeout: 60_000 }).toMatch(/^503 .*the state directory cannot be written/);
  expect((await agent.get("/livez")).status).toBe(200);
}

async function expectReady(agent: Agent): Promise<void> {
  await expect.poll(async () => (await agent.get("/readyz")).status, { timeout: 90_000 }).toBe(200);
}

async function expectNothingLost(world: CrashWorld, agent?: Agent): Promise<void> {
  const status = await expectWhole(world, agent);
  // A rotated file goes as soon as it has arrived; a kill before that is journaled leaves what pannier cannot know.
  for (const { ledger, perhaps_lost: unknown = 0 } of status.files) expect(ledger.lost).toBe(unknown);
}

/** The application goes on meanwhile. */
async function write(world: CrashWorld, ticks: number): Promise<void> {
  for (let i = 0; i < ticks; i++) {
    world.tick();
    await sleep(20);
  }
}

async function writeUntil(world: CrashWorld, something: Promise<unknown>): Promise<void> {
  const progress = { over: false };
  const watched = something.finally(() => (progress.over = true));
  while (!progress.over) await write(world, 1);
  await watched;
}

/** Writes are refused again and again, in the middle of an entry as well; what comes behind must not be hidden by it. */
test("full again and again, and restarted from what was written in between", { timeout: 500_000 }, async (context) => {
  const world = await openWorld(context);
  needMounts(context, world.directory);
  mkdirSync(world.state);
  const agent = world.start(undefined, { through: onTmpfs(world.state, "size=256k") });
  await agent.waitForLog("started");
  const volume = insideOf(agent.pid, world.state);
  const filler = join(volume, "filler");
  world.refuses = false;
  for (let round = 0; round < 3; round++) {
    await write(world, 10);
    expect(() => writeFileSync(filler, Buffer.alloc(1 << 20))).toThrow("ENOSPC");
    await writeUntil(world, expectNotReady(agent));
    rmSync(filler);
    await expectReady(agent);
  }
  expect(agent.logs.filter(({ code }) => code === "state_recovered").length).toBeGreaterThan(0);
  // The volume ends with its process, so the next one begins with a copy of it, taken while nothing moves.
  await write(world, 5);
  agent.kill("SIGSTOP");
  cpSync(volume, world.state, { recursive: true, filter: (path) => !path.includes("lock") });
  await agent.kill9();
  await expectNothingLost(world);
});

test.concurrent.for<[what: string, faults: Record<string, string>]>([
  ["the disk refuses every sync", { PANNIER_FAIL_AT: "sync-journal:*=EIO" }],
  ["commits cannot be written: no space", { PANNIER_FAIL_AT: "write-commit:*=ENOSPC" }],
  ["sent-marks cannot be written: read-only", { PANNIER_FAIL_AT: "write-sent:*=EROFS" }],
  ["new files cannot be journaled: quota", { PANNIER_FAIL_AT: "write-file:*=EDQUOT" }],
  ["new content cannot be journaled: bad disk", { PANNIER_FAIL_AT: "write-generation:*=EIO" }],
  ["dead letters cannot be written: no space", { PANNIER_FAIL_AT: "write-letter:*=ENOSPC" }],
  ["keys cannot be journaled: bad disk", { PANNIER_FAIL_AT: "write-name:*=EIO" }],
])(
  "%s, for good: nothing arrives twice, nothing is lost when it is healed by the next start",
  async ([, faults], context) => {
    const world = await openWorld(context);
    const agent = world.start(faults);
    await agent.waitForLog("started");
    await write(world, 25);
    await sleep(1_000);
    expect((await agent.get("/livez")).status).toBe(200);
    await agent.kill9();
    await expectNothingLost(world);
  },
);

test("a salt that cannot be journaled: the event waits, and is there once", async (context) => {
  const world = await openWorld(context, { isTaken: (text) => text.includes("/salted") });
  const agent = world.start({ PANNIER_FAIL_AT: "write-salt:1=ENOSPC" });
  await agent.waitForLog("started");
  world.write("salted.log", 3);
  const { exit } = await world.finish(agent);
  expect(exit).toEqual({ code: 0, signal: null });
  expect(agent.logs.some(({ msg }) => msg?.includes("ENOSPC: made to fail, write-salt") === true)).toBe(true);
  expect(world.destination.compare(world.count)).toMatchObject({ missing: [], doubled: [] });
});

test("too many open files: the journal that is open goes on", async (context) => {
  const world = await openWorld(context);
  const agent = world.start({ PANNIER_FAIL_AT: "open-journal.new:*=EMFILE" });
  // A start that cannot open its journal says so and ends.
  expect(await agent.end()).toEqual({ code: 74, signal: null });
  expect(agent.logs.at(-1)?.msg).toContain("EMFILE");
  const later = world.start({ PANNIER_FAIL_AT: "open-journal.new:2=EMFILE" });
  await later.waitForLog("started");
  await write(world, 20);
  await expectNothingLost(world, later);
});

test.for<[what: string, take: (world: CrashWorld) => void]>([
  ["the directory", (world) => rmSync(world.state, { recursive: true })],
  ["the journal", (world) => rmSync(join(world.state, "journal"))],
])(
  "%s is deleted while it runs: made anew, and a kill later nothing is missing or doubled",
  async ([, take], context) => {
    const world = await openWorld(context);
    // Dead letters go with the directory; that is what deleting them means.
    world.refuses = false;
    const agent = world.start();
    await agent.waitForLog("started");
    await write(world, 20);
    take(world);
    await write(world, 20);
    await agent.waitForLog("state_gone");
    await expect.poll(() => existsSync(join(world.state, "snapshot"))).toBe(true);
    await write(world, 20);
    await expectReady(agent);
    await agent.kill9();
    await expectNothingLost(world);
  },
);

/** A file system that meets an error makes itself read-only; a repaired one is mounted again at the same place. */
test("the volume becomes read-only in flight, and is mounted again", async (context) => {
  const world = await openWorld(context);
  const volume = needLoopMount(context, world.directory);
  const agent = world.start();
  await agent.waitForLog("started");
  await write(world, 20);
  writeFileSync(`/sys/fs/ext4/${volume.device}/trigger_fs_error`, "a test");
  expect(() => writeFileSync(join(world.state, "probe"), "x")).toThrow("EROFS");
  await writeUntil(world, expectNotReady(agent));
  volume.mountAgain();
  await expectReady(agent);
  await write(world, 20);
  await agent.kill9();
  await expectNothingLost(world);
});

/** Mounts a small ext4 at the place of the state directory. */
function needLoopMount(context: TestContext, directory: string): { device: string; mountAgain(): void } {
  const state = join(directory, "state");
  const image = join(directory, "image");
  const run = (...command: string[]): string =>
    execFileSync(command[0], command.slice(1), { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
  try {
    if (!isRoot) throw new Error("that needs root");
    mkdirSync(state);
    writeFileSync(image, "");
    run("truncate", "-s", "16M", image);
    run("mkfs.ext4", "-q", image);
    run("mount", "-o", "loop,errors=remount-ro", image, state);
    const device = run("findmnt", "-no", "SOURCE", state).replace("/dev/", "");
    if (!existsSync(`/sys/fs/ext4/${device}/trigger_fs_error`)) throw new Error("this kernel cannot be told to fail");
    context.onTestFinished(() => void run("umount", "-l", state));
    return {
      device,
      mountAgain() {
        run("umount", "-l", state);
        run("cp", image, `${image}.repaired`);
        try {
          run("e2fsck", "-fy", `${image}.repaired`);
        } catch (error) {
          // 1: it was repaired.
          if ((error as { status?: number }).status !== 1) throw error;
        }
        run("mount", "-o", "loop", `${image}.repaired`, state);
      },
    };
  } catch (error) {
    const reason = `no ext4 can be mounted here: ${String(error)}`;
    if (
      process.env["PANNIER_REQUIRE_ALL"] === "1" &&
      isRoot &&
      statSync("/dev/loop-control", { throwIfNoEntry: false }) !== undefined
    )
      throw new Error(reason, { cause: error });
    return context.skip(reason);
  }
}
