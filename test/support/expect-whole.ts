import { expect } from "vitest";
import type { Agent, Status } from "./agent.ts";
import type { CrashWorld } from "./crash-world.ts";

/** Lets a world come to its end and expects that everything has arrived in it, once; returns the last status. */
export async function expectWhole(world: CrashWorld, agent?: Agent): Promise<Status> {
  const { status, exit } = await world.finish(agent);
  expect(exit).toEqual({ code: 0, signal: null });
  expect(world.destination.compare(world.count, (seq) => world.refused.has(seq))).toEqual({
    missing: [],
    doubled: [],
    refusedButThere: [],
  });
  expect(status.sinks[0].unexpected_conflicts).toBe(0);
  return status;
}
