import type { Log } from "../core/log.ts";
import { type FileRecord, uncommittedBytes } from "../core/state.ts";

/** Says what is lost with a file that has gone while pannier was down, as far as its size is known. */
export function reportLoss(record: FileRecord, log: Log): void {
  for (const cursor of record.cursors.values()) {
    const lostBytes = uncommittedBytes(record, cursor);
    if (lostBytes === 0) continue;
    const message = `${lostBytes} bytes of ${record.lastPath} were seen and not delivered, and the file is gone: deleted, truncated or compressed while pannier was down (keep rotated files longer, or compress them later)`;
    log.warn("bytes_lost", message, { file: record.lastPath, sink: cursor.sink, lost_bytes: lostBytes });
  }
}
