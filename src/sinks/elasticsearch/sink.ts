import type { ElasticsearchConfig } from "../../core/config.ts";
import type { Compressor } from "../../core/sink.ts";
import { createServerSink, type ServerSinkOptions } from "../http/server-sink.ts";
import type { ReplayingSink } from "../replaying-sink.ts";
import { BulkDestination } from "./bulk.ts";
import { Template } from "./template.ts";

export interface ElasticsearchSinkOptions extends ServerSinkOptions<ElasticsearchConfig> {
  /** One per request in flight; none when `batch.compression` is `none`. */
  readonly compressors: readonly Compressor[];
}

/** Delivers to one data stream or index of Elasticsearch. */
export function createElasticsearchSink(options: ElasticsearchSinkOptions): ReplayingSink {
  const { config, compressors, log, clock } = options;
  return createServerSink(options, (carrier) => {
    const template = new Template(config, carrier, log);
    const destination = new BulkDestination({ config, carrier, template, clock, compressors });
    return { destination, compressors, prepare: (signal) => template.prepare(signal) };
  });
}
