import { dirname } from "node:path";
import type { Clock } from "../core/clock.ts";
import type { Directories } from "./directories.ts";
import type { Directory } from "./directory.ts";
import type { Roster } from "./roster.ts";
import type { Source } from "./source.ts";
import type { Volume } from "./volume.ts";

/** How long an orphan waits at least, and at most where something in its directory cannot be opened. */
const PATIENCE_MS = 1_000;
const PATIENCE_MAX_MS = 10_000;

export interface OrphansOptions {
  readonly directories: Directories;
  readonly roster: Roster;
  readonly volume: Volume;
  readonly clock: Clock;
}

/** Looks for the copies in which contents live on that are in no file any more. */
export class Orphans {
  readonly #o: OrphansOptions;

  constructor(options: OrphansOptions) {
    this.#o = options;
  }

  /**
   * Lists the directories in which copies of what was truncated may be: once at once, and once more before an orphan is given
   * up, because a copy that is renamed while its directory is listed can be missed.
   */
  async look(): Promise<void> {
    const { directories, roster, clock } = this.#o;
    const { contents } = roster;
    directories.beginSweep();
    for (const orphan of contents.orphans) {
      const { orphanedAtMs } = orphan;
      const ageMs = clock.monotonicMs() - orphanedAtMs;
      const sinceMs = orphanedAtMs + (ageMs < PATIENCE_MS ? 0 : PATIENCE_MS);
      const unknown = this.#placesOf(orphan).filter(({ knownFromMs }) => knownFromMs < sinceMs);
      for (const directory of unknown)
        if (contents.orphans.has(orphan)) await directories.check(directory, true, false);
      const isKnown = unknown.every(({ knownFromMs }) => knownFromMs >= sinceMs);
      if (!contents.orphans.has(orphan) || sinceMs === orphanedAtMs) continue;
      if (isKnown || ageMs >= PATIENCE_MAX_MS) contents.abandon(orphan);
    }
  }

  /** When the first of them is to be given up. */
  get dueMs(): number {
    const { orphans } = this.#o.roster.contents;
    return Math.min(...Array.from(orphans, ({ orphanedAtMs }) => orphanedAtMs + PATIENCE_MS));
  }

  /** Where copies of its content may be: beside its file, or anywhere while that one is out of sight. */
  #placesOf(orphan: Source): Directory[] {
    const { all } = this.#o.directories;
    const { family, formerFamily, latest } = orphan;
    const isDeleted = latest !== orphan && latest.status === "unlinked";
    if (!isDeleted && this.#o.volume.lookAt(latest.path)?.id !== latest.id) return [...all.values()];
    const paths = new Set([family, formerFamily ?? family].map(({ base }) => dirname(base)));
    return [...paths].map((path) => all.get(path)).filter((directory) => directory !== undefined);
  }
}
