/** What an application may do between any two system calls of pannier's first look, one after the other. */
import { expect, test } from "vitest";
import type { Application } from "./application.ts";
import { simulatedStage } from "./core.ts";
import { World } from "./world.ts";

const SHORT = { json: false, repeats: 5 };
const LOG = "a/app.log";
const TEST_MS = 60_000;

/** What was there when pannier ended. */
const ENDS: Readonly<Record<string, (world: World) => Promise<void>>> = {
  "after half a line": async (world) => {
    world.application.begin(LOG, { json: false, repeats: 30 });
    await world.drain();
  },
  "after a rotation": async (world) => {
    const { application } = world;
    application.write(LOG, 3, SHORT);
    application.rotateByNumber(LOG, true);
    application.write(LOG, 2, SHORT);
    await world.settle();
    await world.kill();
    application.write(LOG, 3, SHORT);
  },
};

const DEEDS: Readonly<Record<string, (application: Application) => void>> = {
  "copied and truncated": (application) => application.copyTruncate(LOG),
  "copied, truncated and rotated": (application) => {
    application.copyTruncate(LOG);
    application.write(LOG, 1, SHORT);
    application.rotateByNumber(LOG, true);
    application.write(LOG, 1, SHORT);
  },
};

/** False when the first look was over before the deed. */
async function play(end: string, deed: string, steps: number): Promise<boolean> {
  const world = await World.create(simulatedStage, { isGentle: true });
  try {
    await world.start();
    await ENDS[end](world);
    const isInTime = await world.start([{ steps, act: DEEDS[deed] }]);
    const { lost, doubled, torn } = await world.finish();
    expect([...lost, ...doubled, ...torn], `after ${steps} steps`).toEqual([]);
    return isInTime;
  } finally {
    await world.remove();
  }
}

test.each(Object.keys(ENDS).flatMap((end) => Object.keys(DEEDS).map((deed) => [end, deed])))(
  "%s, %s at any step of the first look: every line once, and nothing is said to be lost",
  async (end, deed) => {
    let steps = 0;
    while (await play(end, deed, steps)) steps++;
    expect(steps).toBeGreaterThan(20);
  },
  TEST_MS,
);
