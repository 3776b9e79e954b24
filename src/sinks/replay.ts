import type { Clock } from "../core/clock.ts";
import type { ElasticsearchConfig } from "../core/config.ts";
import { REASONS_MAX, REPLAY_REQUEST_BYTES, REPLAY_REQUEST_LETTERS, REPLAY_ROUND_LETTERS } from "../core/limits.ts";
import type { Log } from "../core/log.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { BulkDestination } from "./elasticsearch/bulk.ts";
import { Carrier } from "./elasticsearch/carrier.ts";
import { Template } from "./elasticsearch/template.ts";
import { elasticsearchWire } from "./elasticsearch/wire.ts";
import { Exchange, type Problem, Verdict } from "./exchange.ts";
import type { Letter } from "./letter.ts";

export interface ReplayOptions {
  readonly config: ElasticsearchConfig;
  /** Of the running agent, if there is one: it goes on writing letters meanwhile. */
  readonly deadLetters: DeadLetters;
  /** Makes the document of a letter: JSON on one line. The caller knows how lines become records. */
  readonly encode: (letter: Letter) => string;
  /** Reads and counts, sends and changes nothing. */
  readonly dryRun: boolean;
  readonly log: Log;
  readonly clock: Clock;
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

/** Sends the dead letters of a sink again, under the same ids. What is delivered leaves the file, for a whole round at once. */
export async function replayDeadLetters(options: ReplayOptions): Promise<ReplayResult> {
  const { config, clock, deadLetters, dryRun, log, signal } = options;
  const carrier = new Carrier(config, clock);
  const template = new Template({ ...config, manageTemplate: false }, carrier, log);
  const destination = new BulkDestination({ config, carrier, template, clock, compressors: [] });
  const replay = new Replay(options, destination);
  try {
    await deadLetters.load();
    let left = deadLetters.count;
    // Letters at the front of the file that were refused again.
    let kept = 0;
    while (left > 0 && replay.stopped === undefined && !signal.aborted) {
      const round = await replay.round(kept, Math.min(left, REPLAY_ROUND_LETTERS));
      left -= round.read;
      kept += round.kept;
      if (!dryRun) await deadLetters.remove(round.delivered);
      if (round.read === 0) break;
    }
    return replay.result();
  } finally {
    carrier.close();
  }
}

interface Round {
  read: number;
  kept: number;
  readonly delivered: Set<string>;
}

class Replay {
  stopped: Problem | undefined;
  readonly #options: ReplayOptions;
  readonly #destination: BulkDestination;
  readonly #exchange = new Exchange(0);
  readonly #reasons: string[] = [];
  #letters = 0;
  #delivered = 0;

  constructor(options: ReplayOptions, destination: BulkDestination) {
    this.#options = options;
    this.#destination = destination;
  }

  /** Goes through that many letters behind those that are kept. */
  async round(skip: number, letters: number): Promise<Round> {
    const round: Round = { read: 0, kept: 0, delivered: new Set() };
    const seen = new Set<string>();
    const ids: string[] = [];
    let request: Letter[] = [];
    let bytes = 0;
    let position = 0;
    for await (const letter of this.#options.deadLetters.letters()) {
      if (position++ < skip) continue;
      if (round.read === letters || this.stopped !== undefined) break;
      round.read++;
      ids.push(letter.id);
      if (seen.has(letter.id)) continue;
      seen.add(letter.id);
      request.push(letter);
      bytes += letter.line.length;
      if (bytes < REPLAY_REQUEST_BYTES && request.length < REPLAY_REQUEST_LETTERS) continue;
      await this.#send(request, round);
      request = [];
      bytes = 0;
    }
    await this.#send(request, round);
    this.#letters += seen.size;
    round.kept = ids.filter((id) => !round.delivered.has(id)).length;
    return round;
  }

  /** Sends letters with one request; one that fails whole for what is in it is sent in halves. */
  async #send(letters: readonly Letter[], round: Round): Promise<void> {
    if (letters.length === 0 || this.#options.dryRun || this.stopped !== undefined) return;
    const body = Buffer.concat(letters.map((letter) => this.#frame(letter)));
    this.#exchange.begin(body, 0, body.length, letters.length);
    const reply = await this.#destination.send(0, this.#exchange, this.#options.signal);
    if (reply.kind === "halve") {
      if (letters.length === 1) return this.#refused(letters[0], reply.problem.message);
      const middle = letters.length >> 1;
      await this.#send(letters.slice(0, middle), round);
      return this.#send(letters.slice(middle), round);
    }
    if (reply.kind !== "answered") {
      this.stopped = reply.problem;
      return undefined;
    }
    for (const [k, letter] of letters.entries()) this.#settle(letter, k, round);
    return undefined;
  }

  #frame(letter: Letter): Buffer {
    const id = Buffer.from(letter.id);
    const document = Buffer.from(this.#options.encode(letter));
    const out = Buffer.alloc(elasticsearchWire.overheadBytes + id.length + document.length);
    const start = elasticsearchWire.begin(out, 0, id, id.length);
    document.copy(out, start);
    return out.subarray(0, elasticsearchWire.end(out, start + document.length));
  }

  #settle(letter: Letter, k: number, round: Round): void {
    const verdict = this.#exchange.verdicts[k];
    // Its id is taken: an earlier replay got through, and nobody heard of it.
    if (verdict === Verdict.delivered || verdict === Verdict.conflict) {
      round.delivered.add(letter.id);
      this.#delivered++;
    } else this.#refused(letter, this.#exchange.reasons.get(k) ?? this.#exchange.types.get(k) ?? "");
  }

  #refused(letter: Letter, reason: string): void {
    if (this.#reasons.length < REASONS_MAX) this.#reasons.push(`${letter.file}@${letter.offset}: ${reason}`);
  }

  result(): ReplayResult {
    const { stopped } = this;
    const refused = this.#options.dryRun ? 0 : this.#letters - this.#delivered;
    return { letters: this.#letters, delivered: this.#delivered, refused, reasons: this.#reasons, stopped };
  }
}
