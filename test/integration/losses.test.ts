/** What is gone at a restart: bytes that nobody sent are lost; of those that were sent before a kill, only their receiver knows. */
import { appendFileSync, renameSync, rmSync, statSync } from "node:fs";
import { expect, test, type TestContext } from "vitest";
import type { Agent, Status, StatusFile, StatusSink } from "../support/agent.ts";
import { CrashWorld } from "../support/crash-world.ts";

const HALF_A_LINE = '{"msg":"half';

interface Losses {
  readonly files: readonly StatusFile[];
  readonly sinks: readonly (StatusSink & { readonly lost_bytes: number; readonly perhaps_lost_bytes: number })[];
}

async function openWorld({ onTestFinished }: TestContext): Promise<CrashWorld> {
  const world = new CrashWorld();
  onTestFinished(() => world.close());
  await world.open();
  world.refuses = false;
  return world;
}

/** Starts anew after the file was deleted, and returns what is said of it. */
async function restart(world: CrashWorld, path: string): Promise<{ agent: Agent; status: Losses }> {
  rmSync(path);
  const agent = world.start();
  await agent.waitForLog("started");
  const status: Status = await agent.status();
  return { agent, status: status as unknown as Losses };
}

const about = ({ logs }: Agent): (readonly [string, unknown, unknown])[] =>
  logs
    .filter(({ code }) => code.startsWith("bytes_"))
    .map((line) => [line.code, line["lost_bytes"], line["perhaps_lost_bytes"]]);

test("delivered, and killed before that was journaled: perhaps lost, not counted as lost", async (context) => {
  const world = await openWorld(context);
  await world.dieOf("write-commit.before", () => world.write("app.log", 10));
  const path = world.path("app.log");
  const { size } = statSync(path);
  const { agent, status } = await restart(world, path);
  expect(world.missing()).toEqual([]);
  expect(about(agent)).toEqual([["bytes_perhaps_lost", undefined, size]]);
  expect(status.sinks[0]).toMatchObject({ lost_bytes: 0, perhaps_lost_bytes: size });
  const nothing = { unread: 0, in_flight: 0, delivered: 0, filtered: 0, dead_lettered: 0, cut: 0 };
  const file = { path, status: "gone", size, read: size, perhaps_lost: size, ledger: { ...nothing, lost: size } };
  expect(status.files).toMatchObject([file]);
  // Said once, and shown as long as the journal knows of it.
  await agent.kill9();
  const later = world.start();
  await later.waitForLog("started");
  expect(about(later)).toEqual([]);
  const { files, sinks } = (await later.status()) as unknown as Losses;
  expect(files).toMatchObject([file]);
  expect(sinks[0]).toMatchObject({ lost_bytes: 0, perhaps_lost_bytes: 0 });
});

test("never sent: lost, and counted for the sink", async (context) => {
  const world = await openWorld(context);
  const agent = world.start();
  await agent.waitForLog("started");
  const path = world.path("app.log");
  world.write("app.log", 10, `\n${HALF_A_LINE}`);
  const { size } = statSync(path);
  await agent.waitForStatus(({ files }) => files[0]?.ledger.delivered === size - HALF_A_LINE.length);
  await agent.kill9();
  const { agent: next, status } = await restart(world, path);
  expect(about(next)).toEqual([["bytes_lost", HALF_A_LINE.length, undefined]]);
  expect(status.sinks[0]).toMatchObject({ lost_bytes: HALF_A_LINE.length, perhaps_lost_bytes: 0 });
  const ledger = { unread: 0, in_flight: 0, delivered: size - HALF_A_LINE.length, lost: HALF_A_LINE.length };
  expect(status.files).toMatchObject([{ status: "gone", size, read: size - 12, perhaps_lost: 0, ledger }]);
});

test("some sent and some not: both are said, apart", async (context) => {
  const world = await openWorld(context);
  const path = world.path("app.log");
  const agent = world.start({ PANNIER_CRASH_AT: "write-commit.before:2" });
  await agent.waitForLog("started");
  world.write("app.log", 10, `\n${HALF_A_LINE}`);
  const committed = statSync(path).size - HALF_A_LINE.length;
  await agent.waitForStatus(({ files }) => files[0]?.ledger.delivered === committed);
  // While the end of the line is on its way, the file is rotated: then the journal learns of its size.
  // Five seconds later its tail would be sent as it is.
  world.destination.delayMs = 2_500;
  appendFileSync(path, `"}\n${HALF_A_LINE}`);
  const { size } = statSync(path);
  await agent.waitForStatus(({ files }) => files[0]?.size === size);
  renameSync(path, `${path}.1`);
  expect(await agent.exited).toMatchObject({ signal: "SIGKILL" });
  const sent = HALF_A_LINE.length + 3;
  const { agent: next, status } = await restart(world, `${path}.1`);
  expect(about(next)).toEqual([["bytes_lost", HALF_A_LINE.length, sent]]);
  expect(status.sinks[0]).toMatchObject({ lost_bytes: HALF_A_LINE.length, perhaps_lost_bytes: sent });
  const ledger = { delivered: committed, lost: HALF_A_LINE.length + sent };
  expect(status.files).toMatchObject([{ perhaps_lost: sent, ledger }]);
});

test.for<[when: string, delivered: number]>([
  ["since before the start", 0],
  ["after a while", 10],
])("tried again and again at a destination that is down %s: never sent, so lost", async ([, delivered], context) => {
  const world = await openWorld(context);
  const path = world.path("app.log");
  if (delivered === 0) await world.destination.close();
  const agent = world.start();
  await agent.waitForLog("started");
  if (delivered > 0) {
    world.write("app.log", delivered);
    await agent.waitForStatus(({ files }) => (files[0]?.ledger.delivered ?? 0) > 0);
    await world.destination.close();
  }
  const before = delivered === 0 ? 0 : statSync(path).size;
  world.write("app.log", 10);
  const { size } = statSync(path);
  await agent.waitForStatus(
    ({ files, sinks }) => files[0]?.ledger.in_flight === size - before && (sinks[0]?.retries ?? 0) >= 3,
  );
  await agent.kill9();
  const { agent: next, status } = await restart(world, path);
  expect(about(next)).toEqual([["bytes_lost", size - before, undefined]]);
  expect(status.sinks[0]).toMatchObject({ lost_bytes: size - before, perhaps_lost_bytes: 0 });
  expect(status.files).toMatchObject([{ status: "gone", size, perhaps_lost: 0, ledger: { lost: size - before } }]);
});
