import type { Log } from "../core/log.ts";
import { type CursorRecord, type FileRecord, missingOf } from "../core/state.ts";
import type { Cursor } from "./cursor.ts";
import { loseUnread } from "./settle.ts";

/** What became of a file, and what to do about it. */
const REPLACED = {
  how: "were overwritten or truncated",
  hint: "rotate by renaming instead of truncating, or less often than a sink may be down",
};
const DELETED = {
  how: "were deleted",
  hint: "keep rotated files longer than a sink may be down; below max_open_files a file is kept open and read even when it is deleted",
};
const GONE_HINT = "keep rotated files longer than pannier may be down, or compress them later";

/** What one sink has lost since the start: each loss is counted, and said once. */
export class Losses {
  lostBytes = 0;
  /** Were sent by a process that is no more, and of whatever came of it nothing can be known any more. */
  perhapsLostBytes = 0;
  /** Bytes of a cursor are still on their way, though nothing may follow its file any more. */
  readonly isSending: (cursor: CursorRecord) => boolean;
  readonly #sink: string;
  readonly #log: Log;

  constructor(sink: string, log: Log, isSending: (cursor: CursorRecord) => boolean) {
    this.#sink = sink;
    this.#log = log;
    this.isSending = isSending;
  }

  /** The content of its file is gone: what was not read of it is lost. */
  replaced(cursor: Cursor): void {
    this.#lose(cursor, REPLACED);
  }

  /**
   * The file is no longer followed: what was read is on its way, the rest stays behind. Of a file that has no name any more
   * it is lost.
   */
  leave(cursor: Cursor): void {
    const { file, unread } = cursor;
    if (unread === 0) return;
    if (file.status === "unlinked") return this.#lose(cursor, DELETED);
    const message = `${unread} bytes of ${file.path} were not read for ${this.#sink}: no input follows the file any more. They are read when one does so again within a day`;
    this.#log.warn("file_left", message, { file: file.path, sink: this.#sink, unread_bytes: unread });
  }

  /**
   * The file has gone since a process worked on it that is no more. Bytes that this one never sent are lost. Of those that it
   * sent, and of whose arrival it wrote nothing down before it ended, only their receiver knows.
   */
  gone(file: FileRecord): void {
    const cursor = file.cursors.get(this.#sink);
    if (cursor === undefined) return;
    const { lost, perhapsLost } = missingOf(file, cursor);
    this.lostBytes += lost;
    this.perhapsLostBytes += perhapsLost;
    const path = file.lastPath;
    const since = "the file is gone since: deleted, truncated or compressed while pannier was down";
    const unknown = `${perhapsLost} bytes of it were sent to ${this.#sink} before the last end, and no answer to that was journaled: they may have arrived`;
    const fields = { file: path, sink: this.#sink, hint: GONE_HINT };
    if (lost > 0) {
      const message = `${lost} bytes of ${path} were never sent to ${this.#sink}, and ${since}`;
      const more = perhapsLost > 0 ? { perhaps_lost_bytes: perhapsLost } : {};
      const text = perhapsLost > 0 ? `${message}. ${unknown}` : message;
      this.#log.warn("bytes_lost", text, { ...fields, lost_bytes: lost, ...more });
    } else if (perhapsLost > 0)
      this.#log.warn("bytes_perhaps_lost", `${path}: ${unknown}; ${since}`, {
        ...fields,
        perhaps_lost_bytes: perhapsLost,
      });
  }

  #lose(cursor: Cursor, { how, hint }: { readonly how: string; readonly hint: string }): void {
    const { path } = cursor.file;
    const lost = loseUnread(cursor);
    if (lost === 0) return;
    this.lostBytes += lost;
    const message = `${lost} bytes of ${path} ${how} before ${this.#sink} had read them`;
    this.#log.warn("bytes_lost", message, { file: path, sink: this.#sink, lost_bytes: lost, hint });
  }
}
