import { basename } from "node:path";
import type { Clock } from "../core/clock.ts";
import { describe } from "../core/errors.ts";
import { HOT_FOR_MS, WALK_MAX_ENTRIES } from "../core/limits.ts";
import type { StateStore } from "../core/state.ts";
import { arrange } from "./arrange.ts";
import type { Copies } from "./copies.ts";
import type { Directory } from "./directory.ts";
import type { ListOptions } from "./entries.ts";
import { type Entry, Family } from "./family.ts";
import type { Folder } from "./folder.ts";
import type { KnownFamilies } from "./known.ts";
import { type Listing, type Name, emptyListing, lookAtFamily } from "./listing.ts";
import type { Openings } from "./openings.ts";
import type { Patterns } from "./patterns.ts";
import type { Reports } from "./reports.ts";
import type { Roster } from "./roster.ts";
import type { Slice } from "./slice.ts";
import type { Volume } from "./volume.ts";

export interface FamiliesOptions {
  readonly patterns: Patterns;
  readonly roster: Roster;
  readonly openings: Openings;
  readonly copies: Copies;
  readonly state: StateStore;
  readonly known: KnownFamilies;
  readonly clock: Clock;
  readonly reports: Reports;
  readonly slice: Slice;
  readonly volume: Volume;
}

/** Brings the families of a directory in line with what was listed in it. */
export class Families {
  /** Time that went into files that came or went; what is left of a listing's time was looking. */
  arrangingMs = 0;
  readonly #o: FamiliesOptions;
  /** So many entries may still be looked at in this sweep. */
  entriesLeft = 0;

  constructor(options: FamiliesOptions) {
    this.#o = options;
  }

  /** A sweep begins: it may look at so many entries. */
  beginSweep(): void {
    this.entriesLeft = WALK_MAX_ENTRIES;
  }

  /** How directories are listed. */
  get listing(): ListOptions {
    const { patterns, reports, slice, volume } = this.#o;
    return {
      patterns,
      reports,
      slice,
      volume,
      count: () => {
        if (this.entriesLeft-- > 0) return true;
        const message = `more than ${WALK_MAX_ENTRIES} files and directories: the rest is not looked at (narrow the paths of the inputs)`;
        reports.once("error", "too_many_entries", "", message);
        return false;
      },
    };
  }

  /**
   * Looks at the families of a listing and arranges them. Those with files that find no room among the open ones stay in it,
   * and are all that is looked at the next time. What a listing that is not whole leaves out is not taken for gone.
   */
  async arrange(directory: Directory, folder: Folder | undefined, listing: Listing): Promise<void> {
    const { slice, roster } = this.#o;
    const isAgain = listing === directory.waiting;
    const waiting = new Map<string, Name[]>();
    let isComplete = true;
    let isFull = false;
    for (const base of listing.families.keys()) {
      if (!directory.families.has(base)) directory.families.set(base, this.#newFamily(base));
    }
    for (const base of (isAgain ? listing : directory).families.keys()) {
      const family = directory.families.get(base)!;
      const names = listing.families.get(base) ?? [];
      if (isFull && family.isEmpty && names.length > 0) {
        waiting.set(base, names);
        continue;
      }
      const entries = folder === undefined ? [] : await lookAtFamily(names, folder, listing, this.listing);
      if (listing.isWhole || !family.hasMissing(entries)) {
        const isArranged = this.#arrange(family, entries);
        if (!isArranged && roster.parking.isFull) {
          isFull = true;
          waiting.set(base, names);
        } else isComplete = isArranged && isComplete;
      }
      if (entries.length === 0 && family.isEmpty) directory.families.delete(base);
      if (slice.isOver()) await slice.rest();
    }
    directory.hasLinks = listing.hasLinks;
    directory.waiting = waiting.size === 0 ? undefined : { ...listing, families: waiting };
    directory.isComplete = isComplete && listing.isWhole && directory.waiting === undefined;
  }

  /**
   * Arranges these families alone. Nothing has come or gone in the directory, so their names are those of the files that are
   * known of them.
   */
  async wake(directory: Directory, folder: Folder, woken: readonly Family[]): Promise<void> {
    if (woken.length === 0) return;
    const families = new Map(woken.map((family) => [family.base, this.#namesOf(family)]));
    directory.waiting = { ...emptyListing(), families, hasLinks: directory.hasLinks };
    await this.arrange(directory, folder, directory.waiting);
  }

  #namesOf({ base, members, dormant }: Family): Name[] {
    const paths = new Set([...members, ...dormant].map(({ path }) => path));
    return Array.from(paths, (path) => {
      const matched = this.#o.patterns.ownerOf(path) >= 0;
      return { name: basename(path), path, suffix: path.slice(base.length), matched };
    });
  }

  #newFamily(base: string): Family {
    return new Family(base, this.#o.patterns.ownerOf(base), this.#o.clock.monotonicMs() - HOT_FOR_MS);
  }

  #arrange(family: Family, entries: readonly Entry[]): boolean {
    const { reports, known, clock } = this.#o;
    const begunAtMs = clock.monotonicMs();
    try {
      const oldestKnownMs = known.oldestMs(family.base);
      const complete = arrange(family, entries, { ...this.#o, oldestKnownMs });
      for (const { record } of family.members) known.note(family.base, record.seenMtimeMs);
      reports.healed("sweep_failed", family.base);
      return complete;
    } catch (error) {
      reports.once("error", "sweep_failed", family.base, `${describe(error)}; ${family.base} is looked at again`);
      return false;
    } finally {
      this.arrangingMs += clock.monotonicMs() - begunAtMs;
    }
  }
}
