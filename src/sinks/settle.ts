import { type Batch, RecordFlag } from "../core/batch.ts";
import { CONFLICT_LOOKUP_MAX } from "../core/delivery-limits.ts";
import type { PoisonWatch } from "./breakers.ts";
import type { Desk } from "./desk.ts";
import type { Conflict, LookUp, Refusal } from "./destination.ts";
import { type Exchange, type Problem, Verdict } from "./exchange.ts";
import type { Load } from "./load.ts";
import type { Lane, Repair } from "./repair.ts";

/** The delivery whose answer is read. */
export interface Settling {
  readonly desk: Desk;
  readonly batch: Batch;
  /** Its records in their first form. */
  readonly load: Load;
  readonly poison: PoisonWatch;
  /** Records that breaker one took for the document's fault: the same error in their second form is final. */
  readonly convicted: Set<number>;
  readonly repairs: Repair[];
  /** Something has to be tried again. */
  readonly trouble: (problem: Problem) => void;
  deliver(lane: Lane, position: number): void;
  reject(lane: Lane, position: number, refusal: Refusal): Promise<void>;
  /** Sends the collected repairs, to make room for more. */
  repair(): Promise<void>;
}

/**
 * Reads a complete answer: what each record of the request has come to. `at` is where the request begins in its load. Returns
 * why some of them wait.
 */
export async function settleAnswer(delivery: Settling, lane: Lane, at: number): Promise<Problem | undefined> {
  const { exchange, load } = lane;
  const passedBefore = delivery.desk.health.deliveredLines;
  settleDelivered(delivery, lane, at);
  const conflicts: number[] = [];
  let waiting: Problem | undefined;
  for (let k = 0; k < exchange.count; k++) {
    if (load.left[at + k] === 1) continue;
    const verdict = exchange.verdicts[k];
    if (verdict === Verdict.conflict) {
      conflicts.push(k);
      continue;
    }
    // The server may have stored a record and failed afterwards: a conflict is then what to expect.
    if (exchange.statuses[k] >= 500) delivery.batch.flags[load.records[at + k]] |= RecordFlag.maybeSent;
    const refused =
      verdict === Verdict.rejected ||
      verdict === Verdict.mendable ||
      (verdict !== Verdict.waiting && isGuilty(delivery, load.records[at + k], exchange, k, passedBefore));
    if (refused) await rejectOne(delivery, lane, at, k);
    else waiting ??= delivery.desk.destination.explain(exchange, k);
  }
  waiting ??= await settleConflicts(delivery, lane, at, conflicts);
  delivery.desk.health.setRefusing(delivery.desk.refusals.worst());
  return waiting;
}

/** First those that passed, so that the others are judged knowing of them; breaker two counts all of them in their order. */
function settleDelivered(delivery: Settling, lane: Lane, at: number): void {
  const { batch, desk } = delivery;
  const { exchange, load } = lane;
  let delivered = 0;
  for (let k = 0; k < exchange.count; k++) {
    const verdict = exchange.verdicts[k];
    const flags = batch.flags[load.records[at + k]];
    const firstForm = (flags & (RecordFlag.asText | RecordFlag.refused)) === 0;
    const expectsConflict = (flags & (RecordFlag.maybeSent | RecordFlag.disputed)) === RecordFlag.maybeSent;
    if (verdict === Verdict.delivered || (verdict === Verdict.conflict && expectsConflict)) {
      delivery.deliver(lane, at + k);
      delivered++;
      if (firstForm) desk.refusals.accepted();
    } else if (verdict === Verdict.rejected && firstForm && reasonOf(exchange, k) !== undefined)
      desk.refusals.rejected(typeOf(exchange, k));
  }
  if (delivered > 0) desk.health.good();
}

/**
 * An error that is not known to be about the document: it is when others passed in the same answer and its type can be
 * either's fault, or by breaker one. The second form of such a record is not given as long again.
 */
function isGuilty(
  delivery: Settling,
  record: number,
  exchange: Exchange,
  position: number,
  passedBefore: number,
): boolean {
  const { batch, convicted, desk, poison } = delivery;
  const passedNow = desk.health.deliveredLines;
  if ((batch.flags[record] & RecordFlag.asText) !== 0 && convicted.has(record)) return true;
  const isSuspect = exchange.verdicts[position] === Verdict.suspect && passedNow > passedBefore;
  if (!isSuspect && !poison.failed(record, passedBefore, passedNow)) return false;
  convicted.add(record);
  if ((batch.flags[record] & RecordFlag.refused) === 0) desk.refusals.rejected(typeOf(exchange, position));
  return true;
}

/** A record whose reason did not fit into what is kept of one answer stays, is sent again and gets it then. */
async function rejectOne(delivery: Settling, lane: Lane, at: number, position: number): Promise<void> {
  const { exchange } = lane;
  const reason = reasonOf(exchange, position);
  if (reason === undefined) return;
  const type = typeOf(exchange, position);
  await delivery.reject(lane, at + position, { status: exchange.statuses[position], type, reason });
}

function typeOf(exchange: Exchange, position: number): string {
  return exchange.types.get(position) ?? `status ${exchange.statuses[position]}`;
}

/** The server's words, or the type when it gave none; undefined when they did not fit. */
function reasonOf(exchange: Exchange, position: number): string | undefined {
  const ofType = exchange.reasonsOfTypes.get(typeOf(exchange, position));
  return (
    exchange.reasons.get(position) ?? ofType ?? (exchange.hasRoomForReason() ? typeOf(exchange, position) : undefined)
  );
}

/**
 * Conflicts of records that were never sent before. The same event is there already (the state was lost, or somebody else
 * sent it): delivered. Another event has the id: this one goes out under a salted id, unless this start cannot tell, because
 * it found no proper end of the last one. Returns why some of them wait: a server that does not answer is asked again when
 * they are sent again, and found in conflict again. A guess would double or lose an event.
 */
async function settleConflicts(
  delivery: Settling,
  lane: Lane,
  at: number,
  positions: readonly number[],
): Promise<Problem | undefined> {
  const { batch, desk } = delivery;
  const { load } = lane;
  noteConflicts(
    delivery,
    positions.map((k) => load.records[at + k]),
  );
  const unknown = positions.filter((k) => {
    if (!desk.source.toleratesConflict(batch, load.records[at + k])) return true;
    delivery.deliver(lane, at + k);
    return false;
  });
  while (unknown.length > 0) {
    const asked = unknown.splice(0, CONFLICT_LOOKUP_MAX);
    const result = await lookUp(delivery, lane, at, asked);
    if (result.kind === "retry") return result.problem;
    for (const k of asked) {
      if (result.same.has(k)) delivery.deliver(lane, at + k);
      else {
        load.left[at + k] = 1;
        delivery.repairs.push({ form: "salted", record: load.records[at + k] });
      }
    }
    await delivery.repair();
  }
  return undefined;
}

/** Counts and says each once, however often it is sent until somebody can be asked. */
function noteConflicts({ batch, desk }: Settling, records: readonly number[]): void {
  const fresh = records.filter((record) => (batch.flags[record] & RecordFlag.disputed) === 0);
  if (fresh.length === 0) return;
  for (const record of fresh) batch.flags[record] |= RecordFlag.disputed;
  desk.health.unexpectedConflicts += fresh.length;
  desk.log.warn(
    "unexpected_conflict",
    `${desk.name}: ids exist already that this agent has not sent before: an event that is the same counts as delivered, ` +
      `another one is kept beside this one. Was \`state_dir\` lost, or does another agent read the same files?`,
    { sink: desk.name, records: fresh.length },
  );
}

function lookUp(
  { batch, desk }: Settling,
  { exchange, load }: Lane,
  at: number,
  positions: readonly number[],
): Promise<LookUp> {
  const conflicts = positions.map((position): Conflict => {
    const i = at + position;
    return {
      position,
      id: desk.source.id(batch, load.records[i]),
      place: exchange.places.get(position),
      document: desk.destination.documentOf(load.buffer.subarray(load.starts[i], load.ends[i])),
    };
  });
  return desk.destination.lookUp(conflicts, desk.signal);
}
