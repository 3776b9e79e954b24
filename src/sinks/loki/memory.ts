import type { LokiConfig, PlanLine } from "../../core/config.ts";
import {
  LETTER_ID_BYTES,
  REPAIR_MAX_RECORDS,
  REPLAY_ROUND_LETTERS,
  TLS_CONNECTION_BYTES,
} from "../../core/delivery-limits.ts";
import { CHUNK_BYTES, REASON_MAX_CHARS } from "../../core/limits.ts";
import { LOKI_PUSH_LABELS_BYTES, LOKI_STREAM_BYTES, LOKI_STREAMS_MAX } from "../../core/loki-limits.ts";
import { Exchange } from "../exchange.ts";
import { Load } from "../load.ts";
import { repairBufferBytes } from "../repair.ts";
import { Packer } from "./pack.ts";

/** Largest body before compression of each lane, the repairs' last: a batch holds `batch.max_bytes`, or one record that is larger. */
export function bodyBytes({ batch }: Pick<LokiConfig, "batch">, maxRecordBytes: number): number[] {
  const own = Math.max(batch.maxBytes, maxRecordBytes) + LOKI_PUSH_LABELS_BYTES;
  const repairs = repairBufferBytes(maxRecordBytes) + LOKI_PUSH_LABELS_BYTES;
  return [...Array.from({ length: batch.inFlight }, () => own), repairs];
}

/** Every byte that a Loki sink can hold beside its batches, by name. */
export function lokiMemory(config: LokiConfig, maxRecordBytes: number): readonly PlanLine[] {
  const { inFlight } = config.batch;
  const lanes = inFlight + 1;
  const secure = config.urls.some((url) => url.startsWith("https:"));
  const packers = bodyBytes(config, maxRecordBytes).reduce((sum, bytes) => sum + Packer.plannedBytes(bytes), 0);
  return [
    { name: "compressed pushes", bytes: packers },
    { name: "repair buffer", bytes: repairBufferBytes(maxRecordBytes) },
    { name: "answers", bytes: lanes * (Exchange.PLANNED_BYTES + REASON_MAX_CHARS * 8) },
    {
      name: "records in flight",
      bytes: (inFlight + 1) * Load.BATCH_BYTES + REPAIR_MAX_RECORDS * Load.BYTES_PER_RECORD,
    },
    { name: "streams", bytes: LOKI_STREAMS_MAX * LOKI_STREAM_BYTES },
    { name: "dead letters", bytes: CHUNK_BYTES + maxRecordBytes + REPLAY_ROUND_LETTERS * LETTER_ID_BYTES },
    { name: "TLS", bytes: secure ? (lanes + 1) * TLS_CONNECTION_BYTES : 0 },
  ];
}
