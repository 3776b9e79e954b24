import type { Clock } from "../../core/clock.ts";
import type { ElasticsearchConfig, LokiConfig, SplunkConfig } from "../../core/config.ts";
import type { Log } from "../../core/log.ts";
import type { Compressor, RecordSource } from "../../core/sink.ts";
import type { DeadLetters } from "../dead-letters.ts";
import { Deliverer } from "../deliver.ts";
import type { Destination } from "../destination.ts";
import type { ReplayingSink } from "../replaying-sink.ts";
import { type DeliveryTimes, defaultTimes } from "../times.ts";
import { Carrier, type CarrierTimes, carrierTimes } from "./carrier.ts";

/** What every sink with a server is made of. */
export interface ServerSinkOptions<Config extends ElasticsearchConfig | LokiConfig | SplunkConfig> {
  readonly config: Config;
  readonly source: RecordSource;
  readonly deadLetters: DeadLetters;
  /** Largest record on the wire, in any form. */
  readonly maxRecordBytes: number;
  readonly log: Log;
  readonly clock: Clock;
  readonly times?: Partial<DeliveryTimes & CarrierTimes>;
}

/** What is different from one kind of server to the next. */
export interface ServerParts {
  readonly destination: Destination;
  readonly compressors: readonly Compressor[];
  /** Done at the start, beside the first deliveries; it does not reject. */
  prepare?(signal: AbortSignal): Promise<unknown>;
}

type AnyOptions = ServerSinkOptions<ElasticsearchConfig | LokiConfig | SplunkConfig>;

/** Delivers to a server through one carrier, and closes all that it uses in the end. */
export function createServerSink(options: AnyOptions, make: (carrier: Carrier) => ServerParts): ReplayingSink {
  const { config, source, deadLetters, maxRecordBytes, log, clock, times } = options;
  const { name, type } = config;
  const carrier = new Carrier(config, clock, { ...carrierTimes, ...times });
  const parts = make(carrier);
  const { destination, compressors } = parts;
  const deliverer = new Deliverer({
    name,
    type,
    inFlight: config.batch.inFlight,
    maxRecordBytes,
    destination,
    source,
    deadLetters,
    log,
    clock,
    times: { ...defaultTimes, ...times },
  });
  return {
    name,
    type,
    wire: destination.wire,
    start() {
      // Trouble with either shows with the first batch, or the first record that is refused.
      void parts.prepare?.(deliverer.signal);
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
