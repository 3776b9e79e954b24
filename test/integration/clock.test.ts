/**
 * The wall clock decides about nothing but times that are shown. It cannot be stepped for one process, so the real pannier runs
 * on a `Date` that steps by itself; modification times are set on the real files. Intervals use the monotonic clock, which no
 * system steps; what measures them by the wall clock would be found here all the same.
 */
import { appendFileSync, utimesSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test, type TestContext } from "vitest";
import { run } from "../servers/command.ts";
import { type AgentOptions, SHIPPED_FLAGS } from "../support/agent.ts";
import { CrashWorld } from "../support/crash-world.ts";
import { expectWhole } from "../support/expect-whole.ts";

const STEPPING = fileURLToPath(new URL("../support/stepping-clock.ts", import.meta.url));
const ON_STEPPING_CLOCK: AgentOptions = { flags: [...SHIPPED_FLAGS, "--import", STEPPING] };
const LIVES = 3;

async function openWorld({ onTestFinished }: TestContext): Promise<CrashWorld> {
  const world = new CrashWorld();
  onTestFinished(() => world.close());
  await world.open();
  return world;
}

test("the clock of these tests steps", async () => {
  const look = "setInterval(() => console.log(new Date().getFullYear()), 10); setTimeout(() => process.exit(), 1_000)";
  const years = await run(process.execPath, ["--import", STEPPING, "--eval", look]);
  expect(new Set(years.trim().split("\n")).size).toBeGreaterThan(1);
});

test("a clock that steps by hours and years all the time: rotation, truncation and kills change nothing", async (context) => {
  const world = await openWorld(context);
  for (let life = 0; life < LIVES; life++) {
    const agent = world.start(undefined, ON_STEPPING_CLOCK);
    await agent.waitForLog("started");
    for (let i = 0; i < 60; i++) {
      world.tick();
      if (i % 20 === 10) await world.truncate(agent);
      await sleep(20);
    }
    expect((await agent.get("/livez")).status).toBe(200);
    expect(agent.logs.filter(({ code }) => /conflict|damaged|failed|lost/.test(code))).toEqual([]);
    await agent.kill9();
  }
  await expectWhole(world, world.start(undefined, ON_STEPPING_CLOCK));
  expect(world.begun()).toBe(world.begins);
});

/** In seconds since 1970. */
const TIMES: readonly [what: string, seconds: number][] = [
  ["of 1901", -2_147_483_648],
  ["of 1970", 0],
  ["of 2038", 2_147_483_647],
  ["of 2100", 4_102_444_801],
  ["of 2446, the last that ext4 knows", 15_032_385_535],
];

test.for(TIMES)(
  "a file whose modification time is %s: read, followed, rotated, and its lines keep their own times",
  async ([, seconds], context) => {
    const world = await openWorld(context);
    world.refuses = false;
    const name = "old.log";
    world.write(name, 3);
    appendFileSync(world.path(name), "a line without a time\n");
    utimesSync(world.path(name), seconds, seconds);
    const agent = world.start(undefined, ON_STEPPING_CLOCK);
    await agent.waitForStatus(({ files }) => files.some(({ ledger }) => ledger.delivered > 0 && ledger.unread === 0));
    world.write(name, 3);
    utimesSync(world.path(name), seconds, seconds);
    await expect.poll(() => world.missing()).toEqual([]);
    writeFileSync(world.path("new.log"), "");
    utimesSync(world.path("new.log"), seconds, seconds);
    world.write("new.log", 3);
    await agent.kill9();
    await expectWhole(world);
    for (const { time, text } of world.destination.documents.values()) {
      expect(Date.parse(time)).toBeGreaterThanOrEqual(0);
      expect(Date.parse(time)).toBeLessThan(9_223_372_036_000);
      if (text.includes('"seq"') && (seconds < 946_684_800 || seconds > 4_102_444_800))
        expect(time).toMatch(/^2025-11-24T/);
    }
  },
);
