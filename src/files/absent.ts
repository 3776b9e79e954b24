import { dirname } from "node:path";
import type { Clock } from "../core/clock.ts";
import { describe } from "../core/errors.ts";
import { type FileRecord, type StateStore, missingOf } from "../core/state.ts";
import type { Directories } from "./directories.ts";
import type { FileEvents } from "./events.ts";
import type { Reports } from "./reports.ts";
import type { Roster } from "./roster.ts";

/** How long it is looked for again where names change all the time, and how often. */
const PATIENCE_MAX_MS = 10_000;
const AGAIN_MS = 1_000;
const AGAIN_AFTER_FAILURE_MS = 3_600_000;

export interface AbsentOptions {
  readonly state: StateStore;
  readonly directories: Directories;
  readonly roster: Roster;
  readonly clock: Clock;
  readonly reports: Reports;
  readonly events: FileEvents;
}

/**
 * What the state knows and the first look did not find. It is gone, unless its directory could not be looked at wholly; or it
 * was renamed just then: who lists a directory in which names change can miss one, and who lists two, what moves between them.
 * So a loss is said only once a look has found nothing while no name changed anywhere, or none has for ten seconds.
 */
export class Absent {
  readonly #o: AbsentOptions;
  #sinceMs = Infinity;
  /** When it is looked for again. */
  dueMs: number = Infinity;

  constructor(options: AbsentOptions) {
    this.#o = options;
  }

  /** The first look at everything is over. */
  begin(): void {
    this.#sinceMs = this.#o.clock.monotonicMs();
    this.decide();
  }

  /** Looks at everything once more, when that is due. */
  async look(): Promise<void> {
    const { directories, clock } = this.#o;
    if (clock.monotonicMs() < this.dueMs) return;
    directories.beginSweep();
    for (const directory of directories.all.values()) await directories.check(directory, true, false);
    this.decide();
  }

  /** Everything has just been looked at. */
  decide(): void {
    if (this.#sinceMs === Infinity) return;
    const { state, directories, clock, reports, events } = this.#o;
    const nowMs = clock.monotonicMs();
    const missing = this.#missing();
    const isCertain =
      nowMs - this.#sinceMs >= PATIENCE_MAX_MS || !missing.some(hasUncommitted) || directories.areStill();
    this.dueMs = isCertain ? Infinity : nowMs + AGAIN_MS;
    for (const record of missing) {
      if (!isCertain && hasUncommitted(record)) continue;
      try {
        state.markGone(record, clock.nowMs());
      } catch (error) {
        // Nothing that is there waits for it.
        this.dueMs = nowMs + AGAIN_AFTER_FAILURE_MS;
        reports.once("error", "sweep_failed", record.lastPath, `${describe(error)}; its end is noted within an hour`);
        return;
      }
      events.gone(record);
    }
    if (isCertain) this.#sinceMs = Infinity;
  }

  #missing(): FileRecord[] {
    const { state, directories, roster } = this.#o;
    const dormant = directories.dormantRecords();
    const isMissing = (record: FileRecord): boolean =>
      record.goneAtMs === 0 &&
      !roster.identity.isHeld(record) &&
      !dormant.has(record) &&
      directories.isComplete(dirname(record.lastPath));
    return [...state.files.values()].filter(isMissing);
  }
}

/** There are bytes of it that some sink has not committed. */
function hasUncommitted(record: FileRecord): boolean {
  return [...record.cursors.values()].some((cursor) => {
    const { lost, perhapsLost } = missingOf(record, cursor);
    return lost + perhapsLost > 0;
  });
}
