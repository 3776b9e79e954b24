import { REPLAY_REQUEST_LETTERS, REPLAY_ROUND_LETTERS } from "../core/delivery-limits.ts";
import { REASONS_MAX } from "../core/limits.ts";
import type { Line, RecordEncoder } from "../core/record.ts";
import type { Desk } from "./desk.ts";
import { type Problem, Verdict } from "./exchange.ts";
import type { Letter } from "./letter.ts";

/** Makes the records of letters anew. The caller knows how lines become records. */
export interface LetterEncoder {
  encoderOf(letter: Letter): RecordEncoder;
  lineOf(letter: Letter): Line;
}

export interface ReplayRun {
  readonly encoder: LetterEncoder;
  /** Reads and counts, sends and changes nothing. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

export interface ReplayResult {
  /** Letters found, each id once. */
  readonly letters: number;
  readonly delivered: number;
  /** They stay in the file. */
  readonly refused: number;
  /** The first few reasons. */
  readonly reasons: readonly string[];
  /** Why the rest was not sent: the server could not be reached or would not take anything. */
  readonly stopped: Problem | undefined;
}

/**
 * Sends the dead letters of a sink again, under the same ids. What is delivered leaves the file, for a whole round at once.
 * It works in the memory of the repairs, which is planned, and waits for its turn there.
 */
export async function replayDeadLetters(desk: Desk, run: ReplayRun): Promise<ReplayResult> {
  const { deadLetters } = desk;
  const replay = new Replay(desk, run);
  await deadLetters.load();
  let left = deadLetters.count;
  // Letters at the front of the file that were refused again.
  let kept = 0;
  while (left > 0 && replay.stopped === undefined && !run.signal.aborted) {
    const round = await replay.round(kept, Math.min(left, REPLAY_ROUND_LETTERS));
    left -= round.read;
    kept += round.kept;
    if (!run.dryRun) await deadLetters.remove(round.delivered);
    if (round.read === 0) break;
  }
  return replay.result();
}

interface Round {
  read: number;
  kept: number;
  readonly delivered: Set<string>;
}

/** A letter whose document stands in the repair buffer at [start, end). */
interface Framed {
  readonly id: string;
  /** Where its line was, for messages. */
  readonly place: string;
  readonly start: number;
  readonly end: number;
}

class Replay {
  stopped: Problem | undefined;
  readonly #desk: Desk;
  readonly #run: ReplayRun;
  readonly #signal: AbortSignal;
  readonly #reasons: string[] = [];
  #letters = 0;
  #delivered = 0;

  constructor(desk: Desk, run: ReplayRun) {
    this.#desk = desk;
    this.#run = run;
    this.#signal = AbortSignal.any([desk.signal, run.signal]);
  }

  /** Goes through that many letters behind those that are kept. */
  async round(skip: number, letters: number): Promise<Round> {
    const round: Round = { read: 0, kept: 0, delivered: new Set() };
    const ids: string[] = [];
    const source = this.#desk.deadLetters.letters();
    try {
      const unseen = this.#unseen(source, skip, letters, ids);
      let waiting: Letter | undefined;
      do {
        if (this.#run.dryRun) waiting = (await unseen.next()).value;
        // The documents stand in the one repair buffer: until they are sent, nothing else may be written there.
        else waiting = await this.#desk.repairDesk.turnstile.pass(() => this.#request(waiting, unseen, round));
      } while (waiting !== undefined && this.stopped === undefined);
    } finally {
      await source.return(undefined);
    }
    round.read = ids.length;
    round.kept = ids.filter((id) => !round.delivered.has(id)).length;
    return round;
  }

  /** The letters of a round, each id once; all their ids go into the list. */
  async *#unseen(
    source: AsyncGenerator<Letter>,
    skip: number,
    letters: number,
    ids: string[],
  ): AsyncGenerator<Letter, undefined> {
    const seen = new Set<string>();
    let position = 0;
    for await (const letter of source) {
      if (position++ < skip) continue;
      ids.push(letter.id);
      if (!seen.has(letter.id)) {
        seen.add(letter.id);
        this.#letters++;
        yield letter;
      }
      if (ids.length === letters) return undefined;
    }
    return undefined;
  }

  /** Sends as many letters as fit; returns the first that did not. */
  async #request(
    first: Letter | undefined,
    letters: AsyncGenerator<Letter, undefined>,
    round: Round,
  ): Promise<Letter | undefined> {
    const { buffer } = this.#desk.repairDesk;
    const { encoder } = this.#run;
    const framed: Framed[] = [];
    let letter = first ?? (await letters.next()).value;
    for (let at = 0; letter !== undefined; letter = (await letters.next()).value) {
      const { wire } = this.#desk.destination;
      const place = `${letter.file}@${letter.offset}`;
      const recordEncoder = encoder.encoderOf(letter);
      const neededBytes = recordEncoder.maxEncodedBytes(letter.line.length) + wire.overheadBytes;
      if (neededBytes > buffer.length) {
        this.#refused(place, "it is longer than `max_line_bytes` allows for; replay it while no agent runs");
        continue;
      }
      if (at + neededBytes > buffer.length || framed.length === REPLAY_REQUEST_LETTERS) break;
      const id = Buffer.from(letter.id);
      const start = at;
      at = wire.write(encoder.lineOf(letter), recordEncoder, id, id.length, buffer, at);
      framed.push({ id: letter.id, place, start, end: at });
    }
    await this.#send(framed, round);
    return letter;
  }

  /** Sends letters with one request; one that fails whole for what is in it is sent in halves. */
  async #send(letters: readonly Framed[], round: Round): Promise<void> {
    if (letters.length === 0 || this.stopped !== undefined) return;
    const { destination, repairDesk } = this.#desk;
    const { exchange } = repairDesk.lane;
    exchange.begin(repairDesk.buffer, letters[0].start, letters.at(-1)!.end, letters.length);
    const reply = await destination.send(exchange.lane, exchange, this.#signal);
    if (reply.kind === "halve") {
      if (letters.length === 1) return this.#refused(letters[0].place, reply.problem.message);
      const middle = letters.length >> 1;
      await this.#send(letters.slice(0, middle), round);
      return this.#send(letters.slice(middle), round);
    }
    if (reply.kind !== "answered") {
      this.stopped = reply.problem;
      return undefined;
    }
    for (const [k, { id, place }] of letters.entries()) {
      const verdict = exchange.verdicts[k];
      // Its id is taken: an earlier replay got through, and nobody heard of it.
      if (verdict === Verdict.delivered || verdict === Verdict.conflict) {
        round.delivered.add(id);
        this.#delivered++;
      } else this.#refused(place, exchange.reasons.get(k) ?? exchange.types.get(k) ?? "");
    }
    return undefined;
  }

  #refused(place: string, reason: string): void {
    if (this.#reasons.length < REASONS_MAX) this.#reasons.push(`${place}: ${reason}`);
  }

  result(): ReplayResult {
    const { stopped } = this;
    const refused = this.#run.dryRun ? 0 : this.#letters - this.#delivered;
    return { letters: this.#letters, delivered: this.#delivered, refused, reasons: this.#reasons, stopped };
  }
}
