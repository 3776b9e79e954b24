/**
 * The core of pannier inside this process as the subject of a case: real files, real state on disk, real reading, batching,
 * delivering and committing, wired as in `src/agent.ts`. Simulated are the clock, the server, and the kill: the state directory
 * is copied at that very step, which is what a `kill -9` leaves, and whatever the old life still does goes nowhere.
 */
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { BatchPool } from "../../src/batches/pool.ts";
import type { InputConfig } from "../../src/core/config.ts";
import type { Log } from "../../src/core/log.ts";
import type { Sink } from "../../src/core/sink.ts";
import { createFileCatalogue, type FileCatalogue } from "../../src/files/catalogue.ts";
import { ReadBuffer } from "../../src/files/follow.ts";
import { finishPipelines } from "../../src/pipeline/finish.ts";
import { Pipeline } from "../../src/pipeline/pipeline.ts";
import { Rescue } from "../../src/pipeline/rescue.ts";
import { TurnReader } from "../../src/pipeline/turn.ts";
import { createRecordEncoder } from "../../src/records/encoder.ts";
import { DeadLetters } from "../../src/sinks/dead-letters.ts";
import { Deliverer } from "../../src/sinks/deliver.ts";
import { elasticsearchWire } from "../../src/sinks/elasticsearch/wire.ts";
import { defaultTimes } from "../../src/sinks/times.ts";
import { ledgerOf } from "../../src/state/ledger.ts";
import { openState } from "../../src/state/open.ts";
import type { Store } from "../../src/state/store.ts";
import { destinationOf, SimulatedClock, SimulatedReceiver } from "./simulated.ts";
import { cursorTerms } from "./state.ts";
import type { CursorTerms, Followed, Stage, Subject } from "./subject.ts";

const SINK = "model";
const MAX_LINE_BYTES = 65_536;
const BATCH_BYTES = 8_192;
const IN_FLIGHT = 2;
/** A drain has so many looks; it would be unfair to count time on a busy machine. */
const DRAIN_LOOKS = 120;
const STATE_FILES = ["snapshot", "journal", "journal.old"];

const encoder = createRecordEncoder({ format: "auto", timezone: "UTC", fields: {}, maxLineBytes: MAX_LINE_BYTES });
const inputs = [{ maxLineBytes: MAX_LINE_BYTES, encoder }];
const buffer = new ReadBuffer(512 * 1024);
const maxRecordBytes = encoder.maxEncodedBytes(MAX_LINE_BYTES) + elasticsearchWire.overheadBytes;

/** The core and a receiver without a network. */
export const simulatedStage: Stage = (root) => {
  const receiver = new SimulatedReceiver();
  return Promise.resolve({ receiver, subject: new PannierCore(root, receiver) });
};

class PannierCore implements Subject {
  readonly #root: string;
  readonly #receiver: SimulatedReceiver;
  readonly #clock = new SimulatedClock();
  readonly #said: string[] = [];
  readonly #log: Log;
  #lives = 0;
  #life: Life | undefined;
  #unexpected = 0;

  constructor(root: string, receiver: SimulatedReceiver) {
    this.#root = root;
    this.#receiver = receiver;
    const say = (code: string, message: string): void => {
      this.#said.push(`${code}: ${message}`);
      if (code === "unexpected_conflict") this.#unexpected++;
    };
    this.#log = { debug: () => undefined, info: say, warn: say, error: say };
  }

  get #state(): string {
    return join(this.#root, `state-${this.#lives}`);
  }

  async start(): Promise<void> {
    const input: InputConfig = {
      paths: [join(this.#root, "a"), join(this.#root, "b")],
      exclude: [],
      startAt: "beginning",
      format: "auto",
      maxLineBytes: MAX_LINE_BYTES,
      timezone: "UTC",
      fields: {},
      reclaim: "never",
    };
    const state = await openState({ directory: this.#state, podUid: "pod-1", clock: this.#clock, log: this.#log });
    this.#life = new Life(state, input, this.#receiver, this.#clock, this.#log);
    await this.#life.catalogue.start();
  }

  async kill(): Promise<void> {
    const life = this.#life!;
    const from = this.#state;
    this.#lives++;
    mkdirSync(this.#state);
    for (const name of STATE_FILES)
      if (existsSync(join(from, name))) copyFileSync(join(from, name), join(this.#state, name));
    this.#said.push("-- killed");
    await life.clearAway();
    this.#life = undefined;
  }

  async drain(): Promise<boolean> {
    const life = this.#life!;
    const isComplete = await life.finish();
    await life.clearAway();
    this.#life = undefined;
    this.#said.push(`-- drained, ${isComplete ? "complete" : "deadline"}`);
    return isComplete;
  }

  async pass(ms: number): Promise<void> {
    this.#clock.letPass(ms);
    await this.#life?.step(ms);
  }

  look(): Promise<readonly Followed[]> {
    return Promise.resolve(this.#life!.look());
  }

  terms(): readonly CursorTerms[] {
    return cursorTerms(this.#state);
  }

  unexpectedConflicts(): number {
    return this.#unexpected;
  }

  async end(): Promise<string> {
    await this.#life?.clearAway();
    return this.#said.join("\n");
  }
}

/** From one start to its end. */
class Life {
  readonly catalogue: FileCatalogue;
  readonly #state: Store;
  readonly #pipeline: Pipeline;
  readonly #clock: SimulatedClock;
  #isDead = false;

  constructor(state: Store, input: InputConfig, receiver: SimulatedReceiver, clock: SimulatedClock, log: Log) {
    this.#state = state;
    this.#clock = clock;
    const source: Rescue = new Rescue({
      buffer,
      inputs,
      wire: () => elasticsearchWire,
      state,
      cursorOf: (batch, record) => this.#pipeline.cursorOf(batch, record),
      cursors: () => this.#pipeline.cursors.values(),
      sink: SINK,
    });
    const deliverer = new Deliverer({
      name: SINK,
      type: "simulated",
      inFlight: IN_FLIGHT,
      maxRecordBytes,
      destination: destinationOf(
        receiver,
        () => this.#isDead,
        () => undefined,
      ),
      source,
      deadLetters: new DeadLetters({ directory: "/nowhere", sink: SINK, config: { maxBytes: 0, whenFull: "stop" } }),
      log,
      clock,
      times: { ...defaultTimes, backoffFirstMs: 1, backoffMaxMs: 2 },
    });
    const sink: Sink = {
      name: SINK,
      type: "simulated",
      wire: elasticsearchWire,
      start: () => undefined,
      deliver: (batch) => deliverer.deliver(batch),
      status: () => deliverer.status(),
      stop: () => deliverer.stop(),
    };
    this.#pipeline = new Pipeline({
      sink,
      state,
      pool: new BatchPool(IN_FLIGHT + 1, maxRecordBytes),
      reader: new TurnReader({
        buffer,
        inputs,
        wire: elasticsearchWire,
        batchMaxBytes: BATCH_BYTES,
        addBoundary: (cursor, boundary) => state.addBoundary(cursor.file.record, cursor.record, boundary),
      }),
      maxAgeMs: 1,
      clock,
      log,
      ensureKey: (file, force) => this.catalogue.ensureKey(file, force),
      reopen: (file) => this.catalogue.reopen(file),
      replace: (file) => void this.catalogue.replace(file),
      isHurried: () => false,
    });
    const pipeline = this.#pipeline;
    this.catalogue = createFileCatalogue({
      inputs: [input],
      state,
      maxOpenFiles: 1_024,
      allowLinksInto: [],
      sinks: [SINK],
      sync: () => state.sync(),
      clock,
      log,
      isNeeded: (file) => pipeline.needs(file),
      events: {
        opened: (file) => pipeline.addFile(file),
        grown: (file) => pipeline.wake(file),
        statusChanged: (file) => pipeline.wake(file),
        closed: (file) => pipeline.removeFile(file),
        replaced: (old, next) => {
          pipeline.abandonFile(old);
          pipeline.addFile(next);
        },
      },
    });
    pipeline.start();
  }

  /** A short time is some turns of the loop; a longer one also a look at the files. */
  async step(ms: number): Promise<void> {
    if (ms >= 5) await this.catalogue.sweep();
    this.#pipeline.endQuietTails();
    await nextTurn();
    await nextTurn();
    if (ms >= 5) await sleep(1);
  }

  look(): readonly Followed[] {
    return [...this.catalogue.files].map((file) => {
      const cursor = this.#pipeline.cursors.get(file.ordinal)!;
      const { unread, inFlight } = ledgerOf(cursor.record, file.size, cursor.read);
      return { path: file.path, unread, inFlight };
    });
  }

  finish(): Promise<boolean> {
    let looks = 0;
    return finishPipelines({
      pipelines: [this.#pipeline],
      sweep: () => this.catalogue.sweep(),
      clock: this.#clock,
      deadlineMs: () => (looks++ < DRAIN_LOOKS ? Infinity : 0),
      signal: new AbortController().signal,
      lookMs: 1,
    });
  }

  async clearAway(): Promise<void> {
    this.#isDead = true;
    await this.#pipeline.stop();
    await this.catalogue.stop();
    await this.#state.stop();
  }
}
