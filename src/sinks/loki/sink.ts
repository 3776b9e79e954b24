import type { Clock } from "../../core/clock.ts";
import type { InputConfig, LokiConfig } from "../../core/config.ts";
import type { Log } from "../../core/log.ts";
import type { Compressor, RecordSource } from "../../core/sink.ts";
import type { DeadLetters } from "../dead-letters.ts";
import { Deliverer } from "../deliver.ts";
import { Carrier, type CarrierTimes, carrierTimes } from "../http/carrier.ts";
import type { ReplayingSink } from "../replaying-sink.ts";
import { type DeliveryTimes, defaultTimes } from "../times.ts";
import { Labels } from "./labels.ts";
import { bodyBytes } from "./memory.ts";
import { Mender } from "./mending.ts";
import { Pace } from "./pace.ts";
import { type Packer, SnappyPacker } from "./pack.ts";
import { JsonPacker } from "./pack-json.ts";
import { PushDestination } from "./push.ts";
import { Streams } from "./streams.ts";
import { LokiWire } from "./wire.ts";

export interface LokiSinkOptions {
  readonly config: LokiConfig;
  readonly inputs: readonly Pick<InputConfig, "paths" | "fields">[];
  readonly serviceName: string | undefined;
  readonly podName: string | undefined;
  readonly source: RecordSource;
  readonly deadLetters: DeadLetters;
  /** Makes a compressor with that much memory for its results. */
  readonly createCompressor: (outputBytes: number) => Compressor;
  /** Largest record on the wire, in any form. */
  readonly maxRecordBytes: number;
  readonly log: Log;
  readonly clock: Clock;
  readonly times?: Partial<DeliveryTimes & CarrierTimes>;
}

/** Delivers to one tenant of Loki. */
export function createLokiSink(options: LokiSinkOptions): ReplayingSink {
  const { config, inputs, serviceName, podName, source, deadLetters, maxRecordBytes, log, clock } = options;
  const { name, type, tenant } = config;
  const carrier = new Carrier(config, clock, { ...carrierTimes, ...options.times });
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
  const deliverer = new Deliverer({
    name,
    type,
    inFlight: config.batch.inFlight,
    maxRecordBytes,
    destination: new PushDestination({ name, wire, carrier, streams, packers, mender, pace, tenant, log, clock }),
    source,
    deadLetters,
    log,
    clock,
    times: { ...defaultTimes, ...options.times },
  });
  return {
    name,
    type,
    wire,
    start() {
      deadLetters.load().catch(() => undefined);
    },
    deliver: (batch) => deliverer.deliver(batch),
    replay: (run) => deliverer.replay(run),
    status: () => deliverer.status(),
    async stop() {
      await deliverer.stop();
      carrier.close();
      for (const compressor of compressors) compressor.close();
      await deadLetters.close();
    },
  };
}
