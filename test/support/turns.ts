/** Measures speeds against each other on a machine that does other things, too. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Agent } from "./agent.ts";

/**
 * How much each of these gets done in a millisecond of its own. They run by turns, all others stopped meanwhile: what disturbs
 * a measurement lasts longer than a turn, and so hits all of them alike. (Run after run of a second or two each, the same thing
 * was measured to differ by a third.)
 */
export async function speedsByTurns(
  runners: readonly { readonly agent: Agent; readonly done: () => number }[],
  turnMs: number,
  isOver: (rounds: number) => boolean,
): Promise<number[]> {
  for (const { agent } of runners) agent.kill("SIGSTOP");
  const turns = runners.map((runner) => ({ ...runner, before: runner.done(), ranMs: 0 }));
  for (let rounds = 0; !isOver(rounds); rounds++) {
    for (const turn of turns) {
      const startMs = performance.now();
      turn.agent.kill("SIGCONT");
      await sleep(turnMs);
      turn.agent.kill("SIGSTOP");
      turn.ranMs += performance.now() - startMs;
    }
  }
  return turns.map(({ done, before, ranMs }) => (done() - before) / ranMs);
}
