import os from "node:os";
import type { Clock } from "../../core/clock.ts";
import type { SplunkConfig } from "../../core/config.ts";
import type { Log } from "../../core/log.ts";
import type { Compressor, RecordSource } from "../../core/sink.ts";
import type { DeadLetters } from "../dead-letters.ts";
import { Deliverer } from "../deliver.ts";
import { Carrier, type CarrierTimes, carrierTimes } from "../http/carrier.ts";
import type { ReplayingSink } from "../replaying-sink.ts";
import { type DeliveryTimes, defaultTimes } from "../times.ts";
import { Acknowledgements } from "./acknowledgement.ts";
import { HecDestination } from "./hec.ts";
import { SplunkWire } from "./wire.ts";

export interface SplunkSinkOptions {
  readonly config: SplunkConfig;
  readonly podName: string | undefined;
  readonly source: RecordSource;
  readonly deadLetters: DeadLetters;
  /** One per request in flight; none when `batch.compression` is `none`. */
  readonly compressors: readonly Compressor[];
  /** Largest record on the wire, in either form. */
  readonly maxRecordBytes: number;
  readonly log: Log;
  readonly clock: Clock;
  readonly times?: Partial<DeliveryTimes & CarrierTimes>;
}

/** Delivers to one HTTP Event Collector of Splunk. */
export function createSplunkSink(options: SplunkSinkOptions): ReplayingSink {
  const { config, podName, source, deadLetters, compressors, maxRecordBytes, log, clock } = options;
  const { name, type } = config;
  const carrier = new Carrier(config, clock, { ...carrierTimes, ...options.times });
  const wire = new SplunkWire({ ...config, host: config.host ?? podName ?? os.hostname() });
  const acknowledgements = new Acknowledgements(carrier, clock);
  const deliverer = new Deliverer({
    name,
    type,
    inFlight: config.batch.inFlight,
    maxRecordBytes,
    destination: new HecDestination({ wire, carrier, acknowledgements, compressors, clock }),
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
      // Trouble with them shows with the first record that is refused.
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
