/** The parts of pannier between files and server, put together by its own `Shipping`, from one start to its end. */
import { fstatSync } from "node:fs";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { DrainSoon } from "../../src/admin/drain-soon.ts";
import type { Config, MemoryPlan } from "../../src/core/config.ts";
import type { Log } from "../../src/core/log.ts";
import type { Sink } from "../../src/core/sink.ts";
import type { StateStore } from "../../src/core/state.ts";
import { createFileCatalogue, type FileCatalogue } from "../../src/files/catalogue.ts";
import { finishPipelines } from "../../src/pipeline/finish.ts";
import { Shipping } from "../../src/shipping.ts";
import { followed } from "../../src/take-over.ts";
import type { CreateSinkOptions } from "../../src/sinks/create.ts";
import { DeadLetters } from "../../src/sinks/dead-letters.ts";
import { Deliverer } from "../../src/sinks/deliver.ts";
import { elasticsearchWire } from "../../src/sinks/elasticsearch/wire.ts";
import { defaultTimes } from "../../src/sinks/times.ts";
import { ledgerOf } from "../../src/state/ledger.ts";
import type { Store } from "../../src/state/store.ts";
import { destinationOf, type SimulatedClock, type SimulatedReceiver } from "./simulated.ts";
import type { Followed } from "./subject.ts";

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

export interface LifeOptions {
  readonly state: Store;
  readonly config: Config;
  readonly plan: MemoryPlan;
  readonly receiver: SimulatedReceiver;
  readonly clock: SimulatedClock;
  readonly log: Log;
  /** Something is about to happen that the world can see. */
  readonly step: () => void;
}

export class Life {
  readonly catalogue: FileCatalogue;
  isDead = false;
  readonly #o: LifeOptions;
  readonly #shipping: Shipping;

  constructor(options: LifeOptions) {
    this.#o = options;
    const { config, plan, clock, log, state: store } = options;
    const state = watchSteps(store, options.step);
    this.#shipping = new Shipping(
      {
        state,
        clock,
        log,
        serviceName: undefined,
        podName: undefined,
        drainSoon: new DrainSoon(() => config.drainDeadlineMs, clock),
        catalogue: () => this.catalogue,
        onOutputClosed: () => undefined,
        createSink: (wanted) => this.#createSink(wanted),
      },
      config,
      plan,
    );
    this.catalogue = createFileCatalogue({
      state,
      clock,
      log,
      events: this.#shipping.events,
      ...followed(config),
      sync: () => store.sync(),
      isNeeded: (file) => this.#shipping.needs(file),
      places: (file) => this.#shipping.places(file),
    });
    this.#shipping.start();
  }

  #createSink({ config, source, maxRecordBytes, log, clock }: CreateSinkOptions): Sink {
    const { name, batch } = config;
    const deliverer = new Deliverer({
      name,
      type: config.type,
      inFlight: batch.inFlight,
      maxRecordBytes,
      destination: destinationOf(this.#o.receiver, () => this.isDead, this.#o.step),
      source,
      deadLetters: new DeadLetters({ directory: "/nowhere", sink: name, config: { maxBytes: 0, whenFull: "stop" } }),
      log,
      clock,
      times: { ...defaultTimes, backoffFirstMs: 1, backoffMaxMs: 2 },
    });
    return {
      name,
      type: config.type,
      wire: elasticsearchWire,
      start: () => undefined,
      deliver: (sealed) => deliverer.deliver(sealed),
      status: () => deliverer.status(),
      stop: () => deliverer.stop(),
    };
  }

  /** A short time is some turns of the loop; a longer one also a look at the files. */
  async step(ms: number): Promise<void> {
    if (ms >= 5) await this.catalogue.sweep();
    for (const pipeline of this.#shipping.pipelines) pipeline.endQuietTails();
    await nextTurn();
    await nextTurn();
    if (ms >= 5) await sleep(1);
  }

  look(): readonly Followed[] {
    return [...this.catalogue.files].flatMap((file) =>
      this.#shipping.pipelines.flatMap(({ cursors }) => {
        const cursor = cursors.get(file.ordinal);
        if (cursor === undefined) return [];
        const { unread, inFlight } = ledgerOf(cursor.record, file.size, cursor.read);
        return [{ path: file.path, size: file.size, unread, inFlight }];
      }),
    );
  }

  openInodes(): ReadonlySet<number> {
    const open = [...this.catalogue.files].filter(({ fd }) => fd >= 0);
    return new Set(open.map(({ fd }) => fstatSync(fd).ino));
  }

  finish(): Promise<boolean> {
    let looks = 0;
    return finishPipelines({
      pipelines: this.#shipping.pipelines,
      sweep: () => this.catalogue.sweep(),
      clock: this.#o.clock,
      deadlineMs: () => (looks++ < DRAIN_LOOKS ? Infinity : 0),
      signal: new AbortController().signal,
      lookMs: 1,
    });
  }

  async clearAway(): Promise<void> {
    this.isDead = true;
    await Promise.all(this.#shipping.pipelines.map((pipeline) => pipeline.stop()));
    await this.catalogue.stop();
    await this.#o.state.stop();
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
