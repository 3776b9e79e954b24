import { Outcome } from "../core/batch.ts";
import { PannierError } from "../core/errors.ts";
import { bury } from "./desk.ts";
import type { Lane, Repair } from "./repair.ts";
import type { Settling } from "./settle.ts";
import { Backoff, pause } from "./wait.ts";

/**
 * Sends the records that a delivery has collected in their other form, until each of them has an outcome. `drain` sends what
 * stands in the repair buffer.
 */
export async function mend(delivery: Settling, drain: (lane: Lane) => Promise<unknown>): Promise<void> {
  const { batch, desk, repairs, trouble } = delivery;
  const { repairDesk } = desk;
  // Inside a repair, what is refused again is collected for the loop below, which is already running.
  if (repairs.length === 0 || batch === repairDesk.lane.load.batch) return;
  await repairDesk.turnstile.pass(async () => {
    const backoff = new Backoff(desk.times);
    try {
      while (repairs.length > 0) await mendSome(delivery, drain, backoff);
      await desk.deadLetters.sync(desk.signal, trouble);
    } finally {
      repairDesk.lane.load.batch = undefined;
    }
  });
}

async function mendSome(delivery: Settling, drain: (lane: Lane) => Promise<unknown>, backoff: Backoff): Promise<void> {
  const { batch, desk, repairs, trouble } = delivery;
  const { repairDesk } = desk;
  try {
    const count = repairDesk.fill(batch, repairs);
    if (count === 0) return await giveUp(delivery, repairs.shift()!);
    repairs.splice(0, count);
  } catch (error) {
    // A salt that cannot be journaled now can be journaled later; without it nothing may be sent.
    if (!(error instanceof PannierError)) throw error;
    trouble({ code: error.code, message: error.message });
    return pause(backoff.nextMs(), desk.signal);
  }
  await drain(repairDesk.lane);
  return undefined;
}

/** Not even the repair buffer can hold it. */
async function giveUp({ batch, desk, trouble }: Settling, repair: Repair): Promise<void> {
  const { record } = repair;
  const wire = batch.buffer.subarray(batch.starts[record], batch.ends[record]);
  const [status, reason] =
    repair.form === "text"
      ? [repair.status, repair.reason]
      : [409, "its id is taken, and it is too large to be sent anew"];
  await bury(desk, { batch, record, wire, status, reason }, trouble);
  batch.outcome[record] = Outcome.deadLettered;
}
