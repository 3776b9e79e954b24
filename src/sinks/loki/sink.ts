import type { InputConfig, LokiConfig } from "../../core/config.ts";
import type { Compressor } from "../../core/sink.ts";
import { createServerSink, type ServerSinkOptions } from "../http/server-sink.ts";
import type { ReplayingSink } from "../replaying-sink.ts";
import { Labels } from "./labels.ts";
import { bodyBytes } from "./memory.ts";
import { Mender } from "./mending.ts";
import { Pace } from "./pace.ts";
import { type Packer, SnappyPacker } from "./pack.ts";
import { JsonPacker } from "./pack-json.ts";
import { PushDestination } from "./push.ts";
import { Streams } from "./streams.ts";
import { Turns } from "./turns.ts";
import { LokiWire } from "./wire.ts";

export interface LokiSinkOptions extends ServerSinkOptions<LokiConfig> {
  readonly inputs: readonly Pick<InputConfig, "paths" | "fields">[];
  readonly serviceName: string | undefined;
  readonly podName: string | undefined;
  /** Makes a compressor with that much memory for its results. */
  readonly createCompressor: (outputBytes: number) => Compressor;
}

/** Delivers to one tenant of Loki. */
export function createLokiSink(options: LokiSinkOptions): ReplayingSink {
  const { config, inputs, serviceName, podName, maxRecordBytes, log, clock } = options;
  const { name, tenant } = config;
  const streams = new Streams(name, log);
  // The last one is for dead letters of files that no input names any more.
  const labels = [...inputs, undefined].map((input) => new Labels(config, input, serviceName));
  const wire = new LokiWire({ config, labels, streams, clock, podName });
  const compressors: Compressor[] = [];
  const packers = bodyBytes(config, maxRecordBytes).map((bytes): Packer => {
    if (config.encoding === "protobuf") return new SnappyPacker(streams, bytes);
    const compressor = options.createCompressor(bytes);
    compressors.push(compressor);
    return new JsonPacker(streams, compressor);
  });
  const mender = new Mender(streams, clock);
  const pace = new Pace(clock);
  const turns = new Turns(clock.monotonicMs());
  return createServerSink(options, (carrier) => {
    const parts = { name, wire, carrier, streams, packers, mender, pace, turns, tenant, log, clock };
    return { destination: new PushDestination(parts), compressors };
  });
}
