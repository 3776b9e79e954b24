import path from "node:path";
import type { Clock } from "../core/clock.ts";
import type { PlanLine, SinkConfig } from "../core/config.ts";
import type { Log } from "../core/log.ts";
import type { Compressor, RecordSource, Sink, Wire } from "../core/sink.ts";
import { DeadLetters } from "./dead-letters.ts";
import { compressedBytes, sinkMemory } from "./elasticsearch/memory.ts";
import { createElasticsearchSink } from "./elasticsearch/sink.ts";
import { elasticsearchWire } from "./elasticsearch/wire.ts";
import { createStdoutSink } from "./stdout/sink.ts";
import { stdoutWire } from "./stdout/wire.ts";

export interface CreateSinkOptions {
  readonly config: SinkConfig;
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
export function createSink(options: CreateSinkOptions): Sink {
  const { config, source, maxRecordBytes, log, clock, createCompressor } = options;
  switch (config.type) {
    case "stdout":
      return createStdoutSink({
        config,
        log,
        clock,
        ...(options.onOutputClosed === undefined ? {} : { onClosed: options.onOutputClosed }),
      });
    case "elasticsearch": {
      const { inFlight, compression } = config.batch;
      const compressors: Compressor[] = [];
      for (let i = 0; i < inFlight && compression === "gzip"; i++)
        compressors.push(createCompressor(compressedBytes(config)));
      const deadLetters = new DeadLetters({
        directory: path.join(options.stateDir, "dead-letters"),
        sink: config.name,
        config: config.deadLetters,
      });
      return createElasticsearchSink({ config, source, deadLetters, compressors, maxRecordBytes, log, clock });
    }
  }
}

/** How a sink frames its documents. */
export function wireOf(config: SinkConfig): Wire {
  return config.type === "stdout" ? stdoutWire : elasticsearchWire;
}

/** What a sink holds beside its batches, for the memory plan. */
export function memoryOf(config: SinkConfig, maxRecordBytes: number): readonly PlanLine[] {
  return config.type === "stdout" ? [] : sinkMemory(config, maxRecordBytes);
}
