import type { SourceFile } from "./source.ts";
import type { CursorRecord } from "./state.ts";

/** One uninterrupted stretch [from, to) of a file in a batch; commits happen only at its end. */
export interface Segment {
  readonly file: SourceFile;
  readonly cursor: CursorRecord;
  readonly from: number;
  to: number;
  /** Up to TAIL_BYTES bytes before `to`. */
  tail: Buffer;
  /** `@timestamp` of the last record in it, as sent. */
  lastTime: string;
  /** Bytes in it that no record stands for: white-space lines, a BOM. */
  filtered: number;
  /** Every record in it has its outcome. */
  done: boolean;
  /** Final terms, known once done. */
  delivered: number;
  deadLettered: number;
  cut: number;
  lost: number;
}
