import type { Config, MemoryPlan } from "../../src/core/config.ts";
import { createRecordEncoder } from "../../src/records/encoder.ts";
import { elasticsearchWire } from "../../src/sinks/elasticsearch/wire.ts";
import { DIRECTORIES } from "./application.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const MAX_LINE_BYTES = 8 * KiB;
const BATCH_BYTES = 8 * KiB;
const IN_FLIGHT = 2;
const SINK = "model";

const input = {
  exclude: [],
  startAt: "beginning",
  format: "auto",
  maxLineBytes: MAX_LINE_BYTES,
  timezone: "UTC",
  fields: {},
  reclaim: "never",
} as const;
const maxRecordBytes = createRecordEncoder(input).maxEncodedBytes(MAX_LINE_BYTES) + elasticsearchWire.overheadBytes;

/** A configuration for the core of pannier, with small buffers, as `config/` would make it. */
export function settingsFor(root: string, stateDir: string): { config: Config; plan: MemoryPlan } {
  const config: Config = {
    stateDir,
    memoryLimitBytes: 32 * MiB,
    drainDeadlineMs: 8_000,
    admin: undefined,
    health: undefined,
    watchConfig: false,
    maxOpenFiles: 1_024,
    allowLinksInto: [],
    logLevel: "info",
    inputs: [{ ...input, paths: DIRECTORIES.map((directory) => `${root}/${directory}`) }],
    sinks: [
      {
        type: "elasticsearch",
        name: SINK,
        urls: [],
        auth: {},
        tls: {},
        dataStream: "logs-model-default",
        manageTemplate: false,
        timestampType: "date_nanos",
        batch: { maxBytes: BATCH_BYTES, maxAgeMs: 1, inFlight: IN_FLIGHT, compression: "none" },
        deadLetters: { maxBytes: 0, whenFull: "stop" },
      },
    ],
  };
  const plan: MemoryPlan = {
    limitBytes: 32 * MiB,
    plannedBytes: 16 * MiB,
    readBufferBytes: 512 * KiB,
    maxRecordBytes,
    sinks: [{ name: SINK, batches: IN_FLIGHT + 1, batchBufferBytes: maxRecordBytes }],
    lines: [],
  };
  return { config, plan };
}
