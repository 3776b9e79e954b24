import type { SourceFile } from "../core/source.ts";
import type { FileRecord } from "../core/state.ts";

/** What the other stages are told. */
export interface FileEvents {
  /** A new or known file is open; its head may still be unknown. */
  opened(file: SourceFile): void;
  /** It is longer, or was written to without becoming so: read on, the tail check finds out. */
  grown(file: SourceFile): void;
  /** Truncated or overwritten: `next` is the new content; `old` has no descriptor until it was `moved`, or is `lost`. */
  replaced(old: SourceFile, next: SourceFile): void;
  /** Its descriptor leads to a copy now, which may be shorter: what was read stands, what was only looked at does not. */
  moved(file: SourceFile): void;
  /** What was not read of it up to its size is gone. */
  lost(file: SourceFile): void;
  /** Renamed away, unlinked, or back. */
  statusChanged(file: SourceFile): void;
  /** Its descriptor is closed and nothing more comes from it. */
  closed(file: SourceFile): void;
  /** A file that the state knows has gone while pannier was down, or while no input followed it. */
  gone(file: FileRecord): void;
}
