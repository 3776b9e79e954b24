import type { Reports } from "./reports.ts";
import type { Source } from "./source.ts";

export interface RoomOptions {
  readonly maxOpenFiles: () => number;
  readonly reports: Reports;
  readonly isNeeded: (source: Source) => boolean;
}

/** Keeps the number of open files below `max_open_files`. */
export class Room {
  readonly #o: RoomOptions;
  /** The last search found nothing to close: others need not ask in the same round. */
  isFull = false;

  constructor(options: RoomOptions) {
    this.#o = options;
  }

  /** Below the limit, or below it again after idle files were put aside. */
  make(open: ReadonlyMap<string, Source>, close: (source: Source) => void): boolean {
    const { reports, isNeeded } = this.#o;
    const maxOpenFiles = this.#o.maxOpenFiles();
    this.isFull = false;
    if (open.size < maxOpenFiles) return true;
    for (const source of idleForLongest(open.values(), maxOpenFiles, isNeeded)) close(source);
    this.isFull = open.size >= maxOpenFiles;
    reportFull(!this.isFull, maxOpenFiles, reports);
    return !this.isFull;
  }
}

/**
 * Files to close when there are too many: the sinks have all of them, and they have been idle for longest. Some at once, so
 * that thousands of files are not sorted for each one. An unlinked file could never be opened again.
 */
function idleForLongest(
  sources: Iterable<Source>,
  maxOpenFiles: number,
  isNeeded: (source: Source) => boolean,
): Source[] {
  return [...sources]
    .filter((source) => source.status !== "unlinked" && source.untold === undefined && !isNeeded(source))
    .toSorted((a, b) => a.quietSinceMs - b.quietSinceMs)
    .slice(0, Math.max(1, maxOpenFiles >> 4));
}

/** Says once what it means for the promise that there are more files than descriptors. */
function reportFull(hasRoom: boolean, maxOpenFiles: number, reports: Reports): void {
  const code = hasRoom ? "max_open_files" : "max_open_files_waiting";
  const message = hasRoom
    ? `more than ${maxOpenFiles} files: those idle for longest are closed, and opened again when they grow; one that is deleted while it is closed cannot be read any more (raise max_open_files)`
    : `${maxOpenFiles} files are open and none of them is committed to its end: further ones wait, and are lost if they are deleted before (raise max_open_files)`;
  reports.once("warn", code, "", message);
}
