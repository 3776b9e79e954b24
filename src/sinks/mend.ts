import { Outcome, RecordFlag } from "../core/batch.ts";
import { PannierError } from "../core/errors.ts";
import { bury } from "./desk.ts";
import type { Lane, Repair } from "./repair.ts";
import type { Settling } from "./settle.ts";
import { Backoff, pause } from "./wait.ts";

/** Sends what stands in the repair buffer, and returns how long to wait with what several tries were in vain for. */
type Drain = (lane: Lane) => Promise<number>;

/**
 * Sends the records that a delivery has collected in their other form, until each of them has an outcome or has stepped aside:
 * there is one repair buffer for all deliveries, and what nobody takes must not keep the others from it.
 */
export async function mend(delivery: Settling, drain: Drain): Promise<void> {
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

async function mendSome(delivery: Settling, drain: Drain, backoff: Backoff): Promise<void> {
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
  const { lane } = repairDesk;
  while (lane.load.count > 0) {
    const waitMs = await drain(lane);
    stepAside(delivery, lane);
    if (lane.load.count > 0) await pause(waitMs, desk.signal);
  }
  return undefined;
}

/**
 * Back in their first form, records wait as any other that nobody takes, and are refused once more before they are tried as
 * text again. Under a salt there is no way back: the first form has the id of another event.
 */
function stepAside({ batch: { flags }, load: own }: Settling, { load }: Lane): void {
  for (let i = 0; i < load.count; i++) {
    const record = load.records[i];
    if ((flags[record] & RecordFlag.salted) !== 0) continue;
    flags[record] &= ~RecordFlag.asText;
    own.takeBack(record);
    load.left[i] = 1;
  }
  load.compact();
}

/** Not even the repair buffer can hold it. */
async function giveUp({ batch, desk, trouble }: Settling, repair: Repair): Promise<void> {
  const { record } = repair;
  const wire = batch.buffer.subarray(batch.starts[record], batch.ends[record]);
  const [status, reason] =
    repair.form === "text"
      ? [repair.refusal.status, repair.refusal.reason]
      : [409, "its id is taken, and it is too large to be sent anew"];
  await bury(desk, { batch, record, wire, status, reason }, trouble);
  batch.outcome[record] = Outcome.deadLettered;
}
