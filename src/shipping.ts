import type { DrainSoon } from "./admin/drain-soon.ts";
import { GzipCompressor } from "./batches/compress.ts";
import { BatchPool } from "./batches/pool.ts";
import { fingerprint } from "./config/fingerprint.ts";
import type { Clock } from "./core/clock.ts";
import { collect } from "./core/collect.ts";
import type { Config, MemoryPlan, SinkConfig } from "./core/config.ts";
import type { Log } from "./core/log.ts";
import type { Sink } from "./core/sink.ts";
import type { Place, SourceFile } from "./core/source.ts";
import type { StateStore } from "./core/state.ts";
import type { FileCatalogue, FileEvents } from "./files/catalogue.ts";
import { ReadBuffer } from "./files/follow.ts";
import { Pipeline } from "./pipeline/pipeline.ts";
import { Rescue } from "./pipeline/rescue.ts";
import type { TurnInput } from "./pipeline/input.ts";
import { TurnReader } from "./pipeline/turn.ts";
import { createRecordEncoder } from "./records/encoder.ts";
import { type LetterSink, letterEncoder, letterSinks, OTHER_FILES } from "./replay.ts";
import { createSink } from "./sinks/create.ts";
import type { LetterEncoder } from "./sinks/replay.ts";
import type { DrainFile } from "./telemetry/drain-record.ts";

export interface ShippingOptions {
  readonly state: StateStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly serviceName: string | undefined;
  readonly podName: string | undefined;
  readonly drainSoon: DrainSoon;
  /** Asked for late: the catalogue tells of its files to this object. */
  catalogue(): FileCatalogue;
  /** Nobody reads standard output any more. */
  onOutputClosed(): void;
  /** Makes the sinks; a simulation brings its own. */
  readonly createSink?: typeof createSink;
}

/** A pipeline and the settings that it was made with, as a text to compare. */
interface Channel {
  readonly pipeline: Pipeline;
  readonly settings: string;
}

/**
 * Everything that sends: a pipeline per sink, and the read buffer and the encoders that they share. A change of the
 * configuration makes anew what it is about; a sink whose settings are the same goes on as if nothing had happened.
 */
export class Shipping {
  config!: Config;
  plan!: MemoryPlan;
  readonly #o: ShippingOptions;
  readonly #buffer: ReadBuffer;
  /** One list for all pipelines, so that they see what a change puts into it. */
  readonly #inputs: TurnInput[] = [];
  #channels: ReadonlyMap<string, Channel> = new Map();
  /** Makes documents of dead letters anew. */
  #letters!: LetterEncoder;
  /** Pipelines are being exchanged: a file may be needed by one that is not there yet. */
  #isChanging = false;

  constructor(options: ShippingOptions, config: Config, plan: MemoryPlan) {
    this.#o = options;
    this.#buffer = new ReadBuffer(0, options.log);
    this.change(config, plan);
  }

  /** In the order of the configuration. */
  get pipelines(): readonly Pipeline[] {
    return Array.from(this.#channels.values(), ({ pipeline }) => pipeline);
  }

  /** What the catalogue tells. */
  readonly events: FileEvents = {
    opened: (file) => this.#each((pipeline) => pipeline.addFile(file)),
    grown: (file) => this.#each((pipeline) => pipeline.wake(file)),
    statusChanged: (file) => this.#each((pipeline) => pipeline.wake(file)),
    closed: (file) => this.#each((pipeline) => pipeline.removeFile(file)),
    replaced: (_old, next) => this.#each((pipeline) => pipeline.addFile(next)),
    moved: (file) =>
      this.#each((pipeline) => {
        pipeline.cursors.get(file.ordinal)?.rescan();
        pipeline.wake(file);
      }),
    lost: (file) => this.#each((pipeline) => pipeline.abandonFile(file)),
    gone: (file) => this.#each((pipeline) => pipeline.losses.gone(file)),
  };

  /** Some sink may still want bytes of this file. */
  needs(file: SourceFile): boolean {
    // Asked of thousands of files at a time, so no list is made.
    for (const { pipeline } of this.#channels.values()) if (pipeline.needs(file)) return true;
    return this.#isChanging;
  }

  /** Where the sinks are in a file. */
  places(file: SourceFile): Place[] {
    return this.pipelines.flatMap(({ cursors }) => [...(cursors.get(file.ordinal)?.places() ?? [])]);
  }

  hurry(): void {
    this.#each((pipeline) => pipeline.hurry());
  }

  /** Files as the drain record tells of them. */
  drainFiles(): DrainFile[] {
    return [...this.#o.catalogue().files].map((file) => ({
      path: file.path,
      size: file.size,
      committed: new Map(this.pipelines.map((pipeline) => [pipeline.sink.name, pipeline.committed(file)])),
    }));
  }

  /** The pipelines that this configuration has no use for, or only with other settings. */
  outdatedBy(config: Config, plan: MemoryPlan): Pipeline[] {
    const wanted = new Map(config.sinks.map((sink, index) => [sink.name, settingsOf(sink, config, plan, index)]));
    const outdated = [...this.#channels].filter(([name, { settings }]) => wanted.get(name) !== settings);
    return outdated.map(([, { pipeline }]) => pipeline);
  }

  /** Ends pipelines and lets go of their memory. What they have in flight is read again from the last commit. */
  async retire(pipelines: readonly Pipeline[]): Promise<void> {
    this.#isChanging = true;
    await Promise.all(pipelines.map((pipeline) => pipeline.stop()));
    this.#channels = new Map([...this.#channels].filter(([, { pipeline }]) => !pipelines.includes(pipeline)));
  }

  /** Takes over a configuration for which all that is outdated was retired. New pipelines still have to be told of the files. */
  change(config: Config, plan: MemoryPlan): void {
    const { serviceName } = this.#o;
    this.config = config;
    this.plan = plan;
    this.#freeMemory();
    const name = serviceName === undefined ? {} : { serviceName };
    const inputs = config.inputs.map((input) => ({
      maxLineBytes: input.maxLineBytes,
      encoder: createRecordEncoder({ ...input, ...name }),
    }));
    this.#inputs.push(...inputs);
    const encoders = inputs.map(({ encoder }) => encoder);
    this.#letters = letterEncoder(config.inputs, encoders, createRecordEncoder({ ...OTHER_FILES, ...name }));
    this.#buffer.resize(plan.readBufferBytes);
    const channels = config.sinks.map((sink, index): [string, Channel] => {
      const settings = settingsOf(sink, config, plan, index);
      const kept = this.#channels.get(sink.name);
      return [sink.name, kept ?? { settings, pipeline: this.#build(sink, index) }];
    });
    this.#channels = new Map(channels);
    this.#isChanging = false;
  }

  /** What a change no longer needs goes before new memory is taken; V8 would hold both until it thinks of it. */
  #freeMemory(): void {
    if (this.#inputs.length === 0) return;
    this.#inputs.length = 0;
    this.#buffer.resize(0);
    this.#each((pipeline) => pipeline.forgetLine());
    collect("major");
  }

  /** Begins what has not begun yet. */
  start(): void {
    this.#each((pipeline) => pipeline.start());
  }

  /** What `replay` works with. */
  forReplay(): { sinks: readonly LetterSink[]; encoder: LetterEncoder } {
    return { sinks: letterSinks(this.pipelines.map(({ sink }) => sink)), encoder: this.#letters };
  }

  #each(action: (pipeline: Pipeline) => void): void {
    for (const { pipeline } of this.#channels.values()) action(pipeline);
  }

  /** One sink with its pool, its reader and its way back to the lines. */
  #build(config: SinkConfig, index: number): Pipeline {
    const { state, clock, log, drainSoon, serviceName, podName } = this.#o;
    const { batches, batchBufferBytes } = this.plan.sinks[index];
    const shared = { buffer: this.#buffer, inputs: this.#inputs };
    const source = new Rescue({
      ...shared,
      wire: () => sink.wire,
      state,
      cursorOf: (batch, record) => pipeline.cursorOf(batch, record),
      cursors: () => pipeline.cursors.values(),
      sink: config.name,
      leaving: (batch) => pipeline.leaving(batch),
    });
    const sink: Sink = (this.#o.createSink ?? createSink)({
      config,
      surroundings: { inputs: this.config.inputs, serviceName, podName },
      stateDir: this.config.stateDir,
      source,
      onOutputClosed: () => this.#o.onOutputClosed(),
      createCompressor: (outputBytes) => new GzipCompressor(outputBytes),
      maxRecordBytes: this.plan.maxRecordBytes,
      log,
      clock,
    });
    const reader = new TurnReader({
      ...shared,
      wire: sink.wire,
      batchMaxBytes: config.batch.maxBytes,
      addBoundary: (cursor, boundary) => state.addBoundary(cursor.file.record, cursor.record, boundary),
      addPlacement: (cursor, placement) => state.addPlacement(cursor.file.record, cursor.record, placement),
    });
    const pipeline: Pipeline = new Pipeline({
      sink,
      state,
      pool: new BatchPool(batches, batchBufferBytes),
      reader,
      maxAgeMs: config.batch.maxAgeMs,
      clock,
      log,
      ensureKey: (file, force) => this.#o.catalogue().ensureKey(file, force),
      reopen: (file) => this.#o.catalogue().reopen(file),
      replace: (file) => void this.#o.catalogue().replace(file),
      isHurried: () => drainSoon.active(),
    });
    return pipeline;
  }
}

/** What a pipeline is made of: with the same text it is the same. `was` only matters to the state. */
function settingsOf(sink: SinkConfig, { inputs }: Config, plan: MemoryPlan, index: number): string {
  const { was: _, ...settings } = sink;
  // Labels are made of the inputs, too.
  const labels = sink.type === "loki" ? inputs.map(({ paths, fields }) => [paths, fields]) : [];
  return fingerprint([settings, labels, plan.sinks[index], plan.maxRecordBytes]);
}
