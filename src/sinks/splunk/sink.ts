import os from "node:os";
import type { SplunkConfig } from "../../core/config.ts";
import type { Compressor } from "../../core/sink.ts";
import { createServerSink, type ServerSinkOptions } from "../http/server-sink.ts";
import type { ReplayingSink } from "../replaying-sink.ts";
import { Acknowledgements } from "./acknowledgement.ts";
import { HecDestination } from "./hec.ts";
import { SplunkWire } from "./wire.ts";

export interface SplunkSinkOptions extends ServerSinkOptions<SplunkConfig> {
  readonly podName: string | undefined;
  /** One per request in flight; none when `batch.compression` is `none`. */
  readonly compressors: readonly Compressor[];
}

/** Delivers to one HTTP Event Collector of Splunk. */
export function createSplunkSink(options: SplunkSinkOptions): ReplayingSink {
  const { config, podName, compressors, clock } = options;
  const wire = new SplunkWire({ ...config, host: config.host ?? podName ?? os.hostname() });
  return createServerSink(options, (carrier) => {
    const acknowledgements = new Acknowledgements(carrier, clock);
    return { destination: new HecDestination({ wire, carrier, acknowledgements, compressors, clock }), compressors };
  });
}
