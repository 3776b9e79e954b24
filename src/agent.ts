import { DrainSoon } from "./admin/drain-soon.ts";
import { GzipCompressor } from "./batches/compress.ts";
import { BatchPool } from "./batches/pool.ts";
import { systemClock } from "./core/clock.ts";
import type { Config, MemoryPlan, SinkConfig } from "./core/config.ts";
import { ExitCode } from "./core/errors.ts";
import { DRAIN_REPORT_RESERVE_MS } from "./core/limits.ts";
import type { Sink } from "./core/sink.ts";
import { createFileCatalogue } from "./files/catalogue.ts";
import { ReadBuffer } from "./files/follow.ts";
import { openListeners } from "./listeners.ts";
import { finishPipelines } from "./pipeline/finish.ts";
import { Pipeline } from "./pipeline/pipeline.ts";
import { Rescue } from "./pipeline/rescue.ts";
import { TurnReader } from "./pipeline/turn.ts";
import { createRecordEncoder } from "./records/encoder.ts";
import { letterEncoder, letterSinks, OTHER_FILES, replayHandler } from "./replay.ts";
import type { StopSignals } from "./signals.ts";
import { createSink } from "./sinks/create.ts";
import { openState } from "./state/open.ts";
import type { Store } from "./state/store.ts";
import { type AgentState, describeStatus } from "./status.ts";
import { type DrainFile, startDrainRecord } from "./telemetry/drain-record.ts";
import type { ProcessLog } from "./telemetry/log.ts";

export interface AgentOptions {
  readonly config: Config;
  readonly plan: MemoryPlan;
  /** Ship what is there to its end, then stop. */
  readonly once: boolean;
  readonly log: ProcessLog;
  readonly serviceName: string | undefined;
  readonly podUid: string | undefined;
  /** When to stop. */
  readonly signals: StopSignals;
}

/**
 * Follows and ships until SIGTERM or SIGINT (with `once`: until all is committed), then drains and stops. Returns the exit
 * code of contract §2; throws PannierError when it cannot start.
 */
export async function runAgent(options: AgentOptions): Promise<ExitCode> {
  const { config, log, podUid } = options;
  const state = await openState({ directory: config.stateDir, podUid, clock: systemClock, log });
  try {
    return await follow(options, state);
  } finally {
    await state.stop();
  }
}

async function follow(options: AgentOptions, state: Store): Promise<ExitCode> {
  const { config, plan, log, once, signals } = options;
  const clock = systemClock;
  const startedAt = new Date(clock.nowMs()).toISOString();
  const drainSoon = new DrainSoon(config.drainDeadlineMs, clock);
  let phase: AgentState = "starting";

  for (const { was, name } of config.sinks) if (was !== undefined) state.renameSink(was, name);
  const readBuffer = new ReadBuffer(plan.readBufferBytes, log);
  const serviceName = options.serviceName === undefined ? {} : { serviceName: options.serviceName };
  const inputs = config.inputs.map((input) => ({
    maxLineBytes: input.maxLineBytes,
    encoder: createRecordEncoder({ ...input, ...serviceName }),
  }));
  const pipelines = config.sinks.map((sinkConfig, index) => buildPipeline(sinkConfig, index));
  const catalogue = createFileCatalogue({
    inputs: config.inputs,
    state,
    maxOpenFiles: config.maxOpenFiles,
    allowLinksInto: config.allowLinksInto,
    sinks: config.sinks.map(({ name }) => name),
    sync: () => state.sync(),
    clock,
    log,
    isNeeded: (file) => pipelines.some((pipeline) => pipeline.needs(file)),
    events: {
      opened: (file) => each((pipeline) => pipeline.addFile(file)),
      grown: (file) => each((pipeline) => pipeline.wake(file)),
      statusChanged: (file) => each((pipeline) => pipeline.wake(file)),
      closed: (file) => each((pipeline) => pipeline.removeFile(file)),
      replaced: (old, next) =>
        each((pipeline) => {
          pipeline.abandonFile(old);
          pipeline.addFile(next);
        }),
    },
  });
  const listeners = await openListeners(
    config,
    {
      waitingFor: () => [
        ...(phase === "starting" ? ["first sweep"] : []),
        ...(state.failing ? ["the state directory cannot be written"] : []),
      ],
      drainSoon: (graceMs) => {
        drainSoon.announce(graceMs);
        each((pipeline) => pipeline.hurry());
      },
      status: () => {
        const formats = config.inputs.map((input) => input.format);
        const monotonicMs = clock.monotonicMs();
        return describeStatus({ startedAt, state: phase, plan, formats, catalogue, pipelines, monotonicMs });
      },
    },
    log,
  );

  state.onRequest(
    replayHandler({
      sinks: letterSinks(pipelines.map(({ sink }) => sink)),
      encoder: letterEncoder(
        config.inputs,
        inputs.map(({ encoder }) => encoder),
        createRecordEncoder({ ...OTHER_FILES, ...serviceName }),
      ),
      signal: signals.first,
    }),
  );
  each((pipeline) => pipeline.start());
  await catalogue.start();
  phase = "running";
  log.info("started", `following ${[...catalogue.files].length} files`);

  let complete = false;
  if (once) complete = await finish(() => Infinity, signals.first);
  else await signals.stopped;

  phase = "draining";
  /** What the drain record is about: the files as they are, and at last as they were when all was stopped. */
  let filesNow = drainFiles;
  const drainRecord = startDrainRecord({ files: () => filesNow(), log });
  if (!complete) {
    const begunAtMs = clock.monotonicMs();
    const deadlineMs = drainSoon.deadlineMs() - DRAIN_REPORT_RESERVE_MS;
    complete = await finish(() => begunAtMs + deadlineMs, signals.second);
  }
  await Promise.all(pipelines.map((pipeline) => pipeline.stop()));
  const last = drainFiles();
  filesNow = () => last;
  await catalogue.stop();
  await listeners.stop();
  drainRecord.finish(complete ? "complete" : signals.second.aborted ? "second_signal" : "deadline");
  return complete ? ExitCode.ok : ExitCode.undelivered;

  function each(action: (pipeline: Pipeline) => void): void {
    for (const pipeline of pipelines) action(pipeline);
  }

  function finish(deadlineMs: () => number, signal: AbortSignal): Promise<boolean> {
    return finishPipelines({ pipelines, sweep: () => catalogue.sweep(), clock, deadlineMs, signal });
  }

  function drainFiles(): DrainFile[] {
    return [...catalogue.files].map((file) => ({
      path: file.path,
      size: file.size,
      committed: new Map(pipelines.map((pipeline) => [pipeline.sink.name, pipeline.committed(file)])),
    }));
  }

  /** One sink with its pool, its reader and its way back to the lines. */
  function buildPipeline(sinkConfig: SinkConfig, index: number): Pipeline {
    const { batches, batchBufferBytes } = plan.sinks[index];
    const source = new Rescue({
      buffer: readBuffer,
      inputs,
      wire: () => sink.wire,
      state,
      cursorOf: (batch, record) => pipeline.cursorOf(batch, record),
      cursors: () => pipeline.cursors.values(),
      sink: sinkConfig.name,
    });
    const sink: Sink = createSink({
      config: sinkConfig,
      stateDir: config.stateDir,
      source,
      onOutputClosed: () => signals.request(),
      createCompressor: (outputBytes) => new GzipCompressor(outputBytes),
      maxRecordBytes: plan.maxRecordBytes,
      log,
      clock,
    });
    const reader = new TurnReader({
      buffer: readBuffer,
      inputs,
      wire: sink.wire,
      batchMaxBytes: sinkConfig.batch.maxBytes,
      addBoundary: (cursor, boundary) => state.addBoundary(cursor.file.record, cursor.record, boundary),
    });
    const pipeline: Pipeline = new Pipeline({
      sink,
      state,
      pool: new BatchPool(batches, batchBufferBytes),
      reader,
      maxAgeMs: sinkConfig.batch.maxAgeMs,
      clock,
      log,
      ensureKey: (file, force) => catalogue.ensureKey(file, force),
      replace: (file) => void catalogue.replace(file),
      isHurried: () => drainSoon.active(),
    });
    return pipeline;
  }
}
