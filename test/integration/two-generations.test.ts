/**
 * Two generations of pannier meet on one state directory: the old one drains, hangs or dies while the new one starts, in one
 * container or in two. One works at a time, and nothing is lost or sent twice when the other takes over.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test, type TestContext } from "vitest";
import type { Agent } from "../support/agent.ts";
import { CrashWorld } from "../support/crash-world.ts";
import { expectWhole } from "../support/expect-whole.ts";
import { isRoot } from "../support/mounts.ts";

/** As a container does: process numbers and mounts of its own. It ends with the process that made it. */
const CONTAINER = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];

async function openWorld({ onTestFinished }: TestContext): Promise<CrashWorld> {
  const world = new CrashWorld();
  onTestFinished(() => world.close());
  await world.open();
  return world;
}

async function write(world: CrashWorld, ticks: number): Promise<void> {
  for (let i = 0; i < ticks; i++) {
    world.tick();
    await sleep(20);
  }
}

async function expectRefused(agent: Agent, holder: string): Promise<void> {
  expect(await agent.end()).toEqual({ code: 74, signal: null });
  const said = agent.logs.map(({ msg }) => msg).join("\n");
  expect(said).toContain("another pannier runs on the state directory");
  expect(said).toContain(holder);
}

test("the old one still drains: the new one ends with 74 each time, and takes over when the old one is gone", async (context) => {
  const world = await openWorld(context);
  const old = world.start();
  await old.waitForLog("started");
  await write(world, 10);
  world.destination.delayMs = 1_500;
  await write(world, 10);
  const stopping = old.stop();
  await expectRefused(world.start(), `process ${old.pid}`);
  await write(world, 5);
  await stopping;
  world.destination.delayMs = 5;
  await expectWhole(world);
});

test("the old one hangs: 74 while it does; killed while the new one waits, it is succeeded at once", async (context) => {
  const world = await openWorld(context);
  const old = world.start();
  await old.waitForLog("started");
  await write(world, 10);
  old.kill("SIGSTOP");
  await write(world, 5);
  await expectRefused(world.start(), "it did not tell its process number");
  const next = world.start();
  await sleep(600);
  old.kill("SIGKILL");
  await next.waitForLog("started");
  await write(world, 5);
  await expectWhole(world, next);
});

test("kill -9 and start, as a supervisor does, ten times without a pause", async (context) => {
  const world = await openWorld(context);
  for (let round = 0; round < 10; round++) {
    const agent = world.start();
    await agent.waitForLog(round % 2 === 0 ? "started" : "memory_plan");
    await write(world, 3);
    agent.kill("SIGKILL");
  }
  await expectWhole(world);
});

test.for([
  ["a disk", "/tmp"],
  ["memory", "/dev/shm"],
] as const)("two containers share a volume on %s: one works at a time", async ([, at], context) => {
  if (!isRoot) context.skip("containers need root");
  const world = await openWorld(context);
  const volume = mkdtempSync(`${at}/pannier-generations-`);
  context.onTestFinished(() => rmSync(volume, { recursive: true, force: true }));
  world.state = `${volume}/state`;
  world.configure();
  const old = world.start(undefined, { through: CONTAINER });
  await old.waitForLog("started");
  await write(world, 10);
  await expectRefused(world.start(undefined, { through: CONTAINER }), "process 1");
  await old.kill9();
  const next = world.start(undefined, { through: CONTAINER });
  await next.waitForLog("started");
  await write(world, 10);
  await next.kill9();
  await expectWhole(world);
});

test("somebody deletes the state and another pannier begins there: the first one ends with 74", async (context) => {
  const world = await openWorld(context);
  world.refuses = false;
  // As in every manifest; without it, ids begin with what the state directory calls itself, and that is gone.
  const env = { POD_UID: "4f1c6c1e-9a53-4d0e-8a55-5ad1d6f3a001" };
  const first = world.start(undefined, { env });
  await first.waitForLog("started");
  await write(world, 10);
  first.kill("SIGSTOP");
  rmSync(world.state, { recursive: true });
  const second = world.start(undefined, { env });
  await second.waitForLog("started");
  first.kill("SIGCONT");
  await write(world, 10);
  expect(await first.end()).toEqual({ code: 74, signal: null });
  await write(world, 10);
  const { exit } = await world.finish(second);
  expect(exit).toEqual({ code: 0, signal: null });
  expect(world.destination.compare(world.count)).toMatchObject({ missing: [], doubled: [] });
});
