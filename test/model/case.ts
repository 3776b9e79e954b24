import { asyncModelRun } from "fast-check";
import type { Story } from "./commands.ts";
import type { Stage } from "./subject.ts";
import type { Verdict } from "./verify.ts";
import { World } from "./world.ts";

/** Whether the stories of a seed are gentle: every third. In those pannier may not say that anything is lost, either. */
export function isGentle(seed: number): boolean {
  return seed % 3 === 0;
}

/** Plays one story from a running pannier to the last check; what goes wrong is thrown, with what pannier said. */
export async function play(stage: Stage, seed: number, story: Story): Promise<Verdict> {
  const world = await World.create(stage, { seed, isGentle: isGentle(seed) });
  try {
    await world.start();
    await asyncModelRun(() => ({ model: world.model, real: world }), story);
    const verdict = await world.finish();
    await world.remove();
    return verdict;
  } catch (error) {
    const last = await world.remove();
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${last}`, { cause: error });
  }
}
