import type { SourceFile } from "./source.ts";
import type { Terms } from "./state.ts";

/** One uninterrupted stretch [from, to) of a file in a batch; commits happen only at its end. */
export interface Segment {
  readonly file: SourceFile;
  readonly from: number;
  to: number;
  /** Up to TAIL_BYTES bytes before `to`. */
  tail: Buffer;
  /** `@timestamp` of the last record in it or before it, as sent. */
  lastTime: string;
  /** The final terms of its bytes, as far as they are known. */
  readonly terms: Terms;
  /** Every byte of it has its term. */
  settled: boolean;
}
