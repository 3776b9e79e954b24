import type { BatchConfig, PlanLine } from "../core/config.ts";
import {
  DEFLATE_STATE_BYTES,
  LETTER_ID_BYTES,
  REPAIR_MAX_RECORDS,
  REPLAY_ROUND_LETTERS,
  TLS_CONNECTION_BYTES,
} from "../core/delivery-limits.ts";
import { CHUNK_BYTES, REASON_MAX_CHARS } from "../core/limits.ts";
import { Exchange } from "./exchange.ts";
import { Load } from "./load.ts";
import { repairBufferBytes } from "./repair.ts";

interface Sizes {
  readonly urls: readonly string[];
  readonly batch: BatchConfig;
}

/** Memory of one compressor's result: a batch that does not shrink to half goes out as it is. */
export function compressedBytes({ batch }: Sizes): number {
  return Math.max(64 * 1024, Math.ceil(batch.maxBytes / 2));
}

/** What gzip holds in a sink that compresses with it, by name. */
export function gzipMemory(sink: Sizes): readonly PlanLine[] {
  const compressors = sink.batch.compression === "gzip" ? sink.batch.inFlight : 0;
  return [
    { name: "deflate state", bytes: compressors * DEFLATE_STATE_BYTES },
    { name: "compressed batches", bytes: compressors * compressedBytes(sink) },
  ];
}

/** What the delivery of a sink holds beside its batches, by name. */
export function deliveryMemory({ urls, batch: { inFlight } }: Sizes, maxRecordBytes: number): readonly PlanLine[] {
  const lanes = inFlight + 1;
  const secure = urls.some((url) => url.startsWith("https:"));
  return [
    { name: "repair buffer", bytes: repairBufferBytes(maxRecordBytes) },
    { name: "answers", bytes: lanes * (Exchange.PLANNED_BYTES + REASON_MAX_CHARS * 8) },
    {
      name: "records in flight",
      bytes: (inFlight + 1) * Load.BATCH_BYTES + REPAIR_MAX_RECORDS * Load.BYTES_PER_RECORD,
    },
    // A letter is read with its text around it, and a replay remembers the ids of a round.
    { name: "dead letters", bytes: CHUNK_BYTES + maxRecordBytes + REPLAY_ROUND_LETTERS * LETTER_ID_BYTES },
    { name: "TLS", bytes: secure ? (lanes + 1) * TLS_CONNECTION_BYTES : 0 },
  ];
}
