import type { Log } from "../core/log.ts";
import type { Cursor } from "./cursor.ts";
import { loseUnread } from "./settle.ts";

/** What became of the file, and what to do about it. */
export const Loss = {
  replaced: {
    how: "were overwritten or truncated",
    hint: "rotate by renaming instead of truncating, or less often than a sink may be down",
  },
  deleted: {
    how: "were deleted",
    hint: "keep rotated files longer than a sink may be down; below max_open_files a file is kept open and read even when it is deleted",
  },
} as const;

/** Counts what was not read of a file that is gone as lost, says so and returns how many bytes that is. */
export function loseRest(cursor: Cursor, sink: string, loss: { how: string; hint: string }, log: Log): number {
  const { path } = cursor.file;
  const lost = loseUnread(cursor);
  if (lost === 0) return 0;
  const message = `${lost} bytes of ${path} ${loss.how} before ${sink} had read them`;
  log.warn("bytes_lost", message, { file: path, sink, lost_bytes: lost, hint: loss.hint });
  return lost;
}

/**
 * The file is no longer followed: what was read is on its way, the rest stays behind. Of a file that has no name any more it
 * is lost. Returns how many bytes are.
 */
export function leaveRest(cursor: Cursor, sink: string, log: Log): number {
  const { file, unread } = cursor;
  if (unread === 0) return 0;
  if (file.status === "unlinked") return loseRest(cursor, sink, Loss.deleted, log);
  const message = `${unread} bytes of ${file.path} were not read for ${sink}: no input follows the file any more. They are read when one does so again within a day`;
  log.warn("file_left", message, { file: file.path, sink, unread_bytes: unread });
  return 0;
}
