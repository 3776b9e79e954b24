/**
 * `kill -9` at every step by which pannier changes its state or talks to its destination. Each life ends at one step and the
 * next one begins with what it left, so a crash also comes in the middle of recovering from another. PANNIER_SEED repeats the order.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, type TestContext } from "vitest";
import type { Agent, LogLine } from "../support/agent.ts";
import { CrashWorld } from "../support/crash-world.ts";
import type { DoubleOptions } from "../support/elasticsearch-double.ts";
import { seededRandom } from "../support/random.ts";

const SEED = Number(process.env["PANNIER_SEED"] ?? Date.now() % 1_000_000);

/** The tests run side by side, so each ends its own processes. */
async function openWorld({ onTestFinished }: TestContext, options?: DoubleOptions): Promise<CrashWorld> {
  const world = new CrashWorld(options);
  onTestFinished(() => world.close());
  await world.open();
  return world;
}

const around = (step: string): string[] => [`${step}.before`, `${step}.after`];
const writing = (entry: string): string[] => [`write-${entry}.before`, `write-${entry}.torn`, `write-${entry}.after`];
const times = (steps: readonly string[], time: number): string[] => steps.map((step) => `${step}:${time}`);

/** What a start does to the state directory, in its order. */
const STARTING = [
  ...around("link-lock"),
  ...writing("snapshot"),
  ...around("sync-snapshot.new"),
  ...around("rename-snapshot"),
  ...around("sync-directory"),
  ...writing("start"),
  ...around("sync-journal.new"),
  ...around("rename-journal"),
  ...around("remove-journal.old"),
  ...times(around("sync-directory"), 2),
];

/** What shipping does. */
const SHIPPING = [
  ...["file", "generation", "name", "cursor", "size", "move", "gone", "sent", "commit", "letter"].flatMap(writing),
  "request.before",
  "request.half",
  "request.sent",
  "answer.begun",
  "answer.read",
  ...around("sync-letter"),
  ...around("sync-journal"),
];

/** Once more where it has gone on for a while. */
const LATER = [
  ...times(["write-sent.after", "request.sent", "answer.read", "write-commit.before"], 4),
  "write-commit.after:9",
];

/** What a snapshot does while pannier works; a disk that refuses to sync makes it begin. */
const FOLDING = [
  ...writing("pannier"),
  ...around("rename-journal.old"),
  ...times([...around("rename-journal"), ...writing("snapshot"), ...around("rename-snapshot")], 2),
  ...times(around("remove-journal.old"), 2),
];
const SYNC_FAILS = { PANNIER_FAIL_AT: "sync-journal=EIO" };

/** What a stop does, with a line that has no end. */
const STOPPING = [
  ...writing("boundary"),
  ...["request.sent", "answer.read", "write-commit.before", "write-commit.after"].map(
    (step) => `write-boundary.after>${step}`,
  ),
  ...writing("stop"),
  ...around("sync-journal").map((step) => `write-stop.after>${step}`),
];

interface Life {
  readonly step: string;
  readonly faults: Readonly<Record<string, string>>;
}

/** Lives all these lives, each world in its turn, and expects that everything has arrived. */
async function live(worlds: number, lives: readonly Life[], open: () => Promise<CrashWorld>): Promise<void> {
  const random = seededRandom(SEED);
  const shuffled = lives
    .map((life) => ({ life, at: random.next() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ life }) => life);
  await Promise.all(
    Array.from({ length: worlds }, async () => {
      const world = await open();
      for (let life = shuffled.pop(); life !== undefined; life = shuffled.pop())
        expectCalm(await world.dieAt(life.step, life.faults), life);
      await expectWhole(world);
    }),
  );
}

/** Nothing is said but what a disk that refuses a sync, or a journal that lost its end, explains. */
function expectCalm({ logs }: Agent, { faults }: Life): void {
  const explained = [
    ...("PANNIER_FAIL_AT" in faults
      ? ["state_sync_failed", "state_write_failed", "file_not_begun", "sweep_failed", "file_check_failed"]
      : []),
    ...("PANNIER_POWER_CUT" in faults ? ["unexpected_conflict"] : []),
  ];
  // A rotated file that had arrived and was deleted before that was committed: nothing is missing, but pannier cannot know.
  // After a power cut it knows it by an older name, and not always that it was sent.
  const isDeleted = ({ code, file }: LogLine): boolean =>
    (code === "bytes_perhaps_lost" || (code === "bytes_lost" && "PANNIER_POWER_CUT" in faults)) &&
    /app\.log(\.\d)?$/.test(String(file));
  const trouble = logs.filter(({ code }) => /conflict|damaged|failed|lost|inconsistent|^$/.test(code));
  expect(trouble.filter((line) => !explained.includes(line.code) && !isDeleted(line))).toEqual([]);
}

/** Everything has arrived, once; nothing was unexpected; every byte is accounted for. */
async function expectWhole(world: CrashWorld): Promise<void> {
  const { status, exit } = await world.finish();
  expect(exit).toEqual({ code: 0, signal: null });
  const found = world.destination.compare(world.count, (seq) => world.refused.has(seq));
  expect(found).toEqual({ missing: [], doubled: [], refusedButThere: [] });
  expect(world.letters()).toEqual(world.refused);
  expect(world.begun()).toBe(world.begins);
  for (const { path, size, status: fileStatus, ledger } of status.files) {
    const { unread, in_flight: inFlight, delivered, filtered, dead_lettered: deadLettered, cut, lost } = ledger;
    const sum = unread + inFlight + delivered + filtered + deadLettered + cut + lost;
    // What a deleted file leaves can be said to be lost; see expectCalm.
    expect({ path, sum, lost }).toEqual({ path, sum: size, lost: fileStatus === "gone" ? lost : 0 });
  }
}

describe.concurrent(`seed ${SEED}`, { timeout: 600_000 }, () => {
  test("kill -9 at each step: nothing lost, nothing twice, no conflict that was not expected", async (context) => {
    const lives = [
      ...[...STARTING, ...SHIPPING, ...LATER].map((step) => ({ step, faults: {} })),
      ...FOLDING.map((step) => ({ step, faults: SYNC_FAILS })),
    ];
    await live(2, lives, () => openWorld(context));
  });

  test("a power cut takes what was not synced: nothing lost, nothing twice", async (context) => {
    const cut = { PANNIER_POWER_CUT: "1" };
    const shipping = ["write-commit.after:9", "request.sent:6", "answer.read:5", "write-sent.after:7"];
    const syncing = [...around("sync-journal"), ...around("rename-journal")];
    const folding = ["rename-journal.old.after", "remove-journal.old.after:2"];
    const lives = [
      ...[...shipping, ...syncing].map((step) => ({ step, faults: cut })),
      ...folding.map((step) => ({ step, faults: { ...cut, ...SYNC_FAILS } })),
    ];
    await live(1, lives, async () => {
      const world = await openWorld(context);
      world.truncates = false;
      return world;
    });
  });

  test("kill -9 in the drain, with a line that has no end yet: what follows goes on behind it", async (context) => {
    const world = await openWorld(context);
    for (const step of STOPPING) {
      const agent = await world.dieOf(step, (running) => {
        world.write("app.log", 4, "");
        running.kill("SIGTERM");
      });
      expectCalm(agent, { step, faults: {} });
    }
    await expectWhole(world);
  });

  test("kill -9 once a salt is journaled: the event whose id another has is there once, beside it", async (context) => {
    const world = await openWorld(context, { isTaken: (text) => text.includes("/salted-") });
    const salted = "write-salt.after";
    const behind = [...around("sync-journal"), "request.sent", "answer.read", "write-commit.after"];
    const steps = [salted, ...behind.map((step) => `${salted}>${step}`)];
    for (const [i, step] of steps.entries()) await world.dieOf(step, () => world.write(`salted-${i}.log`, 1));
    const { status } = await world.finish();
    expect(status.sinks[0].unexpected_conflicts).toBe(0);
    expect(world.destination.compare(world.count)).toMatchObject({ missing: [], doubled: [] });
  });

  test("every step that changes something has its crash above", async (context) => {
    const world = await openWorld(context);
    const path = join(world.directory, "steps");
    const agent = world.start({ PANNIER_STEPS: path });
    await agent.waitForLog("started");
    world.tick();
    await world.finish(agent);
    const all = [...STARTING, ...SHIPPING, ...FOLDING, ...STOPPING];
    const known = new Set(all.map((step) => step.replace(/^.*>|:\d+$/g, "")));
    const reached = readFileSync(path, "utf8").trim().split("\n");
    expect(reached.length).toBeGreaterThan(30);
    expect(reached.filter((step) => !known.has(step) && !step.startsWith("open-"))).toEqual([]);
  });

  test("the release has no switch that ends it: the faults are in what the test loads before it", async (context) => {
    const world = await openWorld(context);
    world.tick();
    const env = { PANNIER_CRASH_AT: "write-commit.after", PANNIER_FAIL_AT: "write-sent=ENOSPC" };
    const { exit } = await world.finish(world.start(undefined, { env }));
    expect(exit).toEqual({ code: 0, signal: null });
  });
});
