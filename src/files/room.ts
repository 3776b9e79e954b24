import type { Clock } from "../core/clock.ts";
import type { Reports } from "./reports.ts";
import type { Source } from "./source.ts";

/**
 * When as many files are open as may be, a new one waits so long for one that every sink has, which is a batch and its answer;
 * and no longer than the second in all, since a sink that is only slow must not keep new files from the others.
 */
const PATIENCE_MS = 1_500;
const PATIENCE_MAX_MS = 20_000;

/** Where the descriptors are. */
export interface Descriptors {
  readonly maxOpenFiles: number;
  readonly openCount: number;
  openSources(): Source[];
  /** Closes a file that nobody needs. */
  close(source: Source): void;
  /** Closes a file that some sink still wants, if it can be opened again. */
  park(source: Source): void;
}

export interface RoomOptions {
  readonly clock: Clock;
  readonly reports: Reports;
  readonly isNeeded: (source: Source) => boolean;
}

/** Keeps the number of open files below `max_open_files`. */
export class Room {
  /** The last file that asked found no room. */
  isFull = false;
  /** It only had to wait for a moment. */
  isPatient = false;
  /** `clock.monotonicMs()` since when there is a lack of room, and when a file was last closed that every sink has. */
  #scarceSinceMs = Infinity;
  #relievedAtMs = -Infinity;
  readonly #o: RoomOptions;

  constructor(options: RoomOptions) {
    this.#o = options;
  }

  /**
   * Below the limit, or below it again after others gave way: first files that every sink has, then files that some sink still
   * wants. So one that is down never keeps the others from new files.
   *
   * A new file waits while others are being finished. Thousands are found faster than they are read; each that gave way before
   * its turn would have to be found and opened once more, and what is known of all of them would be held at once.
   */
  make(descriptors: Descriptors, isNew: boolean): boolean {
    const { maxOpenFiles, openCount } = descriptors;
    const hasRoom = (): boolean => descriptors.openCount < maxOpenFiles;
    this.isFull = false;
    this.isPatient = false;
    if (openCount <= maxOpenFiles >> 1) this.#scarceSinceMs = Infinity;
    if (hasRoom()) return true;
    const nowMs = this.#o.clock.monotonicMs();
    this.#scarceSinceMs = Math.min(this.#scarceSinceMs, nowMs);
    for (const source of quietForLongest(descriptors, this.#o.isNeeded)) descriptors.close(source);
    if (hasRoom()) {
      this.#relievedAtMs = nowMs;
      this.#report("max_open_files", `more than ${maxOpenFiles} files: ${CLOSED}`);
      return true;
    }
    this.isPatient = isNew && this.#isWorthWaiting(nowMs);
    if (!this.isPatient) for (const source of quietForLongest(descriptors, () => false)) descriptors.park(source);
    this.isFull = !hasRoom();
    if (this.isFull && !this.isPatient)
      this.#report("max_open_files_waiting", `${maxOpenFiles} files are open, and none can be closed: ${WAITING}`);
    else if (!this.isPatient)
      this.#report("max_open_files_parked", `more than ${maxOpenFiles} files that some sink has not all of: ${PARKED}`);
    return !this.isFull;
  }

  #isWorthWaiting(nowMs: number): boolean {
    if (nowMs - this.#scarceSinceMs >= PATIENCE_MAX_MS) return false;
    return nowMs - Math.max(this.#scarceSinceMs, this.#relievedAtMs) < PATIENCE_MS;
  }

  /** Says once what it means for the promise that there are more files than descriptors. */
  #report(code: string, message: string): void {
    this.#o.reports.once("warn", code, "", `${message} (raise max_open_files)`);
  }
}

const CLOSED =
  "those idle for longest are closed, and opened again when they grow; one that is deleted while it is closed cannot be read any more";
const PARKED =
  "those quiet for longest are closed, and opened again when it is their turn; what is in one that is deleted before is lost for the sinks that do not have it yet";
const WAITING = "further ones wait, and are lost if they are deleted before";

/**
 * Files to close when there are too many. Some at once, so that thousands of files are not sorted for each one. An unlinked
 * file could never be opened again.
 */
function quietForLongest(descriptors: Descriptors, isNeeded: (source: Source) => boolean): Source[] {
  return descriptors
    .openSources()
    .filter((source) => source.status !== "unlinked" && source.untold === undefined && !isNeeded(source))
    .toSorted((a, b) => a.quietSinceMs - b.quietSinceMs)
    .slice(0, Math.max(1, descriptors.maxOpenFiles >> 4));
}
