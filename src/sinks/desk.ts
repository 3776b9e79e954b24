import type { Batch } from "../core/batch.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { RecordSource } from "../core/sink.ts";
import type { RefusalWindow } from "./breakers.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { Destination } from "./destination.ts";
import type { Exchange, Problem } from "./exchange.ts";
import type { Health } from "./health.ts";
import type { Leftovers } from "./leftovers.ts";
import type { RepairDesk } from "./repair.ts";
import type { RequestSize } from "./request-size.ts";
import type { Shelf } from "./shelf.ts";
import type { DeliveryTimes } from "./times.ts";
import type { Naps } from "./wait.ts";

/** What all requests of one sink share. */
export interface Desk {
  readonly name: string;
  readonly destination: Destination;
  readonly source: RecordSource;
  readonly deadLetters: DeadLetters;
  readonly health: Health;
  readonly refusals: RefusalWindow;
  readonly requestSize: RequestSize;
  readonly repairDesk: RepairDesk;
  /** One for each request in flight. */
  readonly exchanges: Shelf<Exchange>;
  readonly leftovers: Leftovers;
  readonly naps: Naps;
  readonly times: DeliveryTimes;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts when the sink stops. */
  readonly signal: AbortSignal;
}

/** A record that was refused twice, its wire bytes, and why. */
export interface Refused {
  readonly batch: Batch;
  readonly record: number;
  readonly wire: Buffer;
  readonly status: number;
  readonly reason: string;
}

/** Writes a record to the dead letters; it counts once they are synced. */
export async function bury(desk: Desk, refused: Refused, onTrouble: (problem: Problem) => void): Promise<void> {
  const { batch, record, wire, status, reason } = refused;
  const original = desk.source.original(batch, record);
  // When the file no longer holds the line, its text is in the record that was refused.
  const { time, text } = desk.destination.contentsOf(wire);
  const line = original.bytes ?? Buffer.from(text);
  const droppedBefore = desk.deadLetters.dropped.letters;
  await desk.deadLetters.write(
    {
      time,
      id: desk.source.id(batch, record),
      status,
      reason,
      file: original.path,
      offset: original.offset,
      length: original.length,
      line,
      fileKey: original.fileKey,
      flags: original.flags,
      cut: original.cut,
    },
    desk.signal,
    onTrouble,
  );
  if (desk.deadLetters.dropped.letters > droppedBefore)
    desk.log.error(
      "dead_letters_dropped",
      `${desk.name}: the oldest dead letters were dropped to make room (\`dead_letters.when_full: drop_oldest\`); they are lost`,
      { sink: desk.name, ...desk.deadLetters.dropped },
    );
}
