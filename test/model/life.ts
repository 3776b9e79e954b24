/** The parts of pannier between files and server, wired as in `src/agent.ts`, from one start to its end. */
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { BatchPool } from "../../src/batches/pool.ts";
import type { InputConfig } from "../../src/core/config.ts";
import type { Log } from "../../src/core/log.ts";
import type { Sink } from "../../src/core/sink.ts";
import type { StateStore } from "../../src/core/state.ts";
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
import type { Store } from "../../src/state/store.ts";
import { destinationOf, type SimulatedClock, type SimulatedReceiver } from "./simulated.ts";
import type { Followed } from "./subject.ts";

const SINK = "model";
export const MAX_LINE_BYTES = 8_192;
const BATCH_BYTES = 8_192;
const IN_FLIGHT = 2;
/** A drain has so many looks; it would be unfair to count time on a busy machine. */
const DRAIN_LOOKS = 120;
/** A crash may come before any of these. */
const STEPS: ReadonlySet<PropertyKey> = new Set([
  "addFile",
  "nameFile",
  "moveFile",
  "markGone",
  "openCursor",
  "markSent",
  "addBoundary",
  "addSalt",
  "commit",
]);
const encoder = createRecordEncoder({ format: "auto", timezone: "UTC", fields: {}, maxLineBytes: MAX_LINE_BYTES });
const inputs = [{ maxLineBytes: MAX_LINE_BYTES, encoder }];
const buffer = new ReadBuffer(512 * 1024);
const maxRecordBytes = encoder.maxEncodedBytes(MAX_LINE_BYTES) + elasticsearchWire.overheadBytes;

export interface LifeOptions {
  readonly state: Store;
  readonly input: InputConfig;
  readonly receiver: SimulatedReceiver;
  readonly clock: SimulatedClock;
  readonly log: Log;
  /** Something is about to happen that the world can see. */
  readonly step: () => void;
}

/** From one start to its end. */
export class Life {
  readonly catalogue: FileCatalogue;
  isDead = false;
  readonly #state: Store;
  readonly #pipeline: Pipeline;
  readonly #clock: SimulatedClock;

  constructor({ state: store, input, receiver, clock, log, step }: LifeOptions) {
    this.#state = store;
    this.#clock = clock;
    const state = watchSteps(store, step);
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
      destination: destinationOf(receiver, () => this.isDead, step),
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
      replace: (file) => void this.catalogue.replace(file),
      reopen: (file) => this.catalogue.reopen(file),
      isHurried: () => false,
    });
    const pipeline = this.#pipeline;
    this.catalogue = createFileCatalogue({
      inputs: [input],
      state,
      maxOpenFiles: 1_024,
      allowLinksInto: [],
      sinks: [SINK],
      sync: () => store.sync(),
      clock,
      log,
      isNeeded: (file) => pipeline.needs(file),
      isIntact: (file) => pipeline.cursors.get(file.ordinal)?.isIntact(buffer) !== false,
      events: {
        opened: (file) => pipeline.addFile(file),
        grown: (file) => pipeline.wake(file),
        statusChanged: (file) => pipeline.wake(file),
        closed: (file) => pipeline.removeFile(file),
        replaced: (_old, next) => pipeline.addFile(next),
        moved: (file) => {
          pipeline.cursors.get(file.ordinal)?.rescan();
          pipeline.wake(file);
        },
        lost: (file) => pipeline.abandonFile(file),
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
      return { path: file.path, size: file.size, unread, inFlight };
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
    this.isDead = true;
    await this.#pipeline.stop();
    await this.catalogue.stop();
    await this.#state.stop();
  }
}

/** Tells of each change before it is written. */
function watchSteps(store: Store, step: () => void): StateStore {
  return new Proxy<StateStore>(store, {
    get(_, property) {
      const value: unknown = Reflect.get(store, property, store);
      if (typeof value !== "function") return value;
      return (...values: unknown[]): unknown => {
        if (STEPS.has(property)) step();
        return Reflect.apply(value, store, values);
      };
    },
  });
}
