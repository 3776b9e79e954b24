import type { LokiConfig, PlanLine } from "../../core/config.ts";
import { LOKI_PUSH_LABELS_BYTES, LOKI_STREAM_BYTES, LOKI_STREAMS_MAX } from "../../core/loki-limits.ts";
import { deliveryMemory } from "../memory.ts";
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
  const packers = bodyBytes(config, maxRecordBytes).reduce((sum, bytes) => sum + Packer.plannedBytes(bytes), 0);
  return [
    { name: "compressed pushes", bytes: packers },
    { name: "streams", bytes: LOKI_STREAMS_MAX * LOKI_STREAM_BYTES },
    ...deliveryMemory(config, maxRecordBytes),
  ];
}
