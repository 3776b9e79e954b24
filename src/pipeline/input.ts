import type { RecordEncoder } from "../core/record.ts";

/**
 * `progress`: come again. `idle`: nothing more to read now. `full`: the batch takes no more, seal it. `changed`: the bytes
 * before the cursor are not those that were read: the file has new content. `failed`: the read failed and was reported.
 */
export type Turn = "progress" | "idle" | "full" | "changed" | "failed";

export interface TurnInput {
  readonly encoder: RecordEncoder;
  readonly maxLineBytes: number;
}
