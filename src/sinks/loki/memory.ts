import type { LokiConfig, PlanLine } from "../../core/config.ts";
import { DEFLATE_STATE_BYTES } from "../../core/delivery-limits.ts";
import {
  LOKI_PUSH_LABELS_BYTES,
  LOKI_PUSH_MAX_BYTES,
  LOKI_STREAM_BYTES,
  LOKI_STREAMS_MAX,
} from "../../core/loki-limits.ts";
import { deliveryMemory } from "../memory.ts";
import { repairBufferBytes } from "../repair.ts";
import { SnappyPacker } from "./pack.ts";
import { JSON_PIECE_BYTES } from "./pack-json.ts";

/** Largest body before compression of each lane, the repairs' last: a push ends behind the record that makes it large enough. */
export function bodyBytes({ batch }: Pick<LokiConfig, "batch">, maxRecordBytes: number): number[] {
  const pushBytes = LOKI_PUSH_MAX_BYTES + maxRecordBytes;
  const own = Math.min(Math.max(batch.maxBytes, maxRecordBytes), pushBytes) + LOKI_PUSH_LABELS_BYTES;
  const repairs = Math.min(repairBufferBytes(maxRecordBytes), pushBytes) + LOKI_PUSH_LABELS_BYTES;
  return [...Array.from({ length: batch.inFlight }, () => own), repairs];
}

/** Every byte that a Loki sink can hold beside its batches, by name. */
export function lokiMemory(config: LokiConfig, maxRecordBytes: number): readonly PlanLine[] {
  const bodies = bodyBytes(config, maxRecordBytes);
  const isJson = config.encoding === "json";
  const bytesOf = (bytes: number): number => (isJson ? bytes + JSON_PIECE_BYTES : SnappyPacker.plannedBytes(bytes));
  return [
    { name: "compressed pushes", bytes: bodies.reduce((sum, bytes) => sum + bytesOf(bytes), 0) },
    ...(isJson ? [{ name: "deflate state", bytes: bodies.length * DEFLATE_STATE_BYTES }] : []),
    { name: "streams", bytes: LOKI_STREAMS_MAX * LOKI_STREAM_BYTES },
    ...deliveryMemory(config, maxRecordBytes),
  ];
}
