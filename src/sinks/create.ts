import path from "node:path";
import type { Clock } from "../core/clock.ts";
import type { InputConfig, PlanLine, SinkConfig } from "../core/config.ts";
import type { Log } from "../core/log.ts";
import type { Compressor, RecordSource, Sink } from "../core/sink.ts";
import { DeadLetters } from "./dead-letters.ts";
import { createElasticsearchSink } from "./elasticsearch/sink.ts";
import { lokiMemory } from "./loki/memory.ts";
import { createLokiSink } from "./loki/sink.ts";
import { compressedBytes, deliveryMemory, gzipMemory } from "./memory.ts";
import type { ReplayingSink } from "./replaying-sink.ts";
import { createSplunkSink } from "./splunk/sink.ts";
import { createStdoutSink } from "./stdout/sink.ts";

/** What labels and metadata are made of, beside the sink's own settings. */
export interface Surroundings {
  readonly inputs: readonly Pick<InputConfig, "paths" | "fields">[];
  readonly serviceName: string | undefined;
  readonly podName: string | undefined;
}

export interface CreateSinkOptions {
  readonly config: SinkConfig;
  readonly surroundings: Surroundings;
  readonly stateDir: string;
  readonly source: RecordSource;
  /** Makes a compressor with that much memory for its results. */
  readonly createCompressor: (outputBytes: number) => Compressor;
  /** Largest record on the wire, as it is or as text. */
  readonly maxRecordBytes: number;
  readonly log: Log;
  readonly clock: Clock;
  /** Nobody reads standard output any more: the agent stops. */
  readonly onOutputClosed?: () => void;
}

/** Makes the sink that a configuration asks for. */
export function createSink(options: CreateSinkOptions): Sink | ReplayingSink {
  const { config, source, maxRecordBytes, log, clock, createCompressor } = options;
  if (config.type === "stdout") {
    const { onOutputClosed } = options;
    return createStdoutSink({
      config,
      source,
      log,
      clock,
      ...(onOutputClosed === undefined ? {} : { onClosed: onOutputClosed }),
    });
  }
  const deadLetters = new DeadLetters({
    directory: path.join(options.stateDir, "dead-letters"),
    sink: config.name,
    config: config.deadLetters,
    onDrop: (letters) => source.lose(letters),
  });
  if (config.type === "loki") {
    const { surroundings } = options;
    return createLokiSink({
      config,
      ...surroundings,
      source,
      deadLetters,
      createCompressor,
      maxRecordBytes,
      log,
      clock,
    });
  }
  const count = config.batch.compression === "gzip" ? config.batch.inFlight : 0;
  const compressors = Array.from({ length: count }, () => createCompressor(compressedBytes(config)));
  if (config.type === "splunk") {
    const { podName } = options.surroundings;
    return createSplunkSink({ config, podName, source, deadLetters, compressors, maxRecordBytes, log, clock });
  }
  return createElasticsearchSink({ config, source, deadLetters, compressors, maxRecordBytes, log, clock });
}

/** What a sink holds beside its batches, for the memory plan. */
export function memoryOf(config: SinkConfig, maxRecordBytes: number): readonly PlanLine[] {
  if (config.type === "stdout") return [];
  if (config.type === "loki") return lokiMemory(config, maxRecordBytes);
  return [...gzipMemory(config), ...deliveryMemory(config, maxRecordBytes)];
}
