import type { Log } from "../core/log.ts";
import type { Cursor } from "./cursor.ts";
import { loseUnread } from "./settle.ts";

/** Counts what was not read of a file that is gone as lost, and says so. `how`: what became of it, after "N bytes of PATH". */
export function loseRest(cursor: Cursor, sink: string, how: string, log: Log): void {
  const { path } = cursor.file;
  const lost = loseUnread(cursor);
  if (lost === 0) return;
  log.warn("bytes_lost", `${lost} bytes of ${path} ${how} before ${sink} had read them`, {
    file: path,
    sink,
    lost_bytes: lost,
  });
}

/** No input follows the file any more: what was read is on its way, the rest stays behind. Without a name it is gone. */
export function leaveRest(cursor: Cursor, sink: string, log: Log): void {
  const { file, unread } = cursor;
  if (unread === 0) return;
  if (file.status === "unlinked") {
    loseRest(cursor, sink, "were deleted, and no input follows the file any more,", log);
    return;
  }
  const message = `${unread} bytes of ${file.path} were not read for ${sink}: no input follows the file any more. They are read when one does so again within a day`;
  log.warn("file_left", message, { file: file.path, sink, unread_bytes: unread });
}
