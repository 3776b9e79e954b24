import type { Clock } from "../../core/clock.ts";
import type { ElasticsearchConfig } from "../../core/config.ts";
import type { Log } from "../../core/log.ts";
import type { Compressor, RecordSource } from "../../core/sink.ts";
import type { DeadLetters } from "../dead-letters.ts";
import { Deliverer } from "../deliver.ts";
import type { ReplayingSink } from "../replaying-sink.ts";
import { type DeliveryTimes, defaultTimes } from "../times.ts";
import { BulkDestination } from "./bulk.ts";
import { Carrier, type CarrierTimes, carrierTimes } from "../http/carrier.ts";
import { Template } from "./template.ts";
import { elasticsearchWire } from "./wire.ts";

export interface ElasticsearchSinkOptions {
  readonly config: ElasticsearchConfig;
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

/** Delivers to one data stream or index of Elasticsearch. */
export function createElasticsearchSink(options: ElasticsearchSinkOptions): ReplayingSink {
  const { config, source, deadLetters, compressors, maxRecordBytes, log, clock } = options;
  const carrier = new Carrier(config, clock, { ...carrierTimes, ...options.times });
  const template = new Template(config, carrier, log);
  const destination = new BulkDestination({ config, carrier, template, clock, compressors });
  const deliverer = new Deliverer({
    name: config.name,
    type: config.type,
    inFlight: config.batch.inFlight,
    maxRecordBytes,
    destination,
    source,
    deadLetters,
    log,
    clock,
    times: { ...defaultTimes, ...options.times },
  });
  return {
    name: config.name,
    type: config.type,
    wire: elasticsearchWire,
    start() {
      // Trouble with either shows with the first batch, which asks again.
      void template.prepare(deliverer.signal);
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
