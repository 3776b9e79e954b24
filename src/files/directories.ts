import { describe, systemCode } from "../core/errors.ts";
import { HOT_FOR_MS, LISTING_COST_FACTOR, SWEEP_COLD_MS, SWEEP_WARM_MS, WALK_MAX_ENTRIES } from "../core/limits.ts";
import type { FileRecord, StateStore } from "../core/state.ts";
import { arrange } from "./arrange.ts";
import type { ListOptions } from "./entries.ts";
import { type Directory, activeAtMs, dormantFiles } from "./directory.ts";
import { type Entry, Family } from "./family.ts";
import type { Folder } from "./folder.ts";
import { type Listing, emptyListing, listDirectory } from "./listing.ts";
import type { Patterns } from "./patterns.ts";
import type { KnownFamilies } from "./known.ts";
import { nextLookMs } from "./pace.ts";
import type { Reclaim } from "./reclaim.ts";
import type { Roots } from "./roots.ts";
import type { Roster } from "./roster.ts";
import type { Slice } from "./slice.ts";
import { Tree, type TreeOptions } from "./tree.ts";

/** A file system may keep times in steps of two seconds: a directory that changed just now may change again unseen. */
const MTIME_STEP_MS = 2_000;
/** A directory that changes while it is listed is listed again at once, this often. */
const LISTINGS_MAX = 3;

export interface DirectoriesOptions extends TreeOptions {
  readonly patterns: Patterns;
  readonly roots: Roots;
  readonly roster: Roster;
  readonly state: StateStore;
  readonly known: KnownFamilies;
  readonly slice: Slice;
  readonly reclaim: Reclaim;
}

/** Knows the directories that hold the user's files, and notices what comes, goes and is renamed in them. */
export class Directories {
  readonly #o: DirectoriesOptions;
  readonly #tree: Tree;
  #entriesLeft = 0;

  constructor(options: DirectoriesOptions) {
    this.#o = options;
    this.#tree = new Tree(options);
  }

  /** By path. */
  get all(): ReadonlyMap<string, Directory> {
    return this.#tree.all;
  }

  /** Finds where to look. */
  refreshRoots(): void {
    for (const path of this.#o.roots.refresh()) this.#tree.addRoot(path);
  }

  /**
   * The patterns have become others. Families that some input still follows go on with their open files; the rest is given
   * up. What was put aside is looked at again: a sink that is new has nothing of it.
   */
  refollow(): void {
    const { patterns, roster } = this.#o;
    for (const directory of this.all.values()) {
      directory.isRoot = false;
      for (const [base, family] of directory.families) {
        family.input = patterns.ownerOf(base);
        family.dormant = [];
        for (const member of family.members) {
          if (family.input < 0) roster.giveUp(member);
          else member.assign(family.input, patterns.inputs[family.input].startAt);
        }
        if (family.isEmpty) directory.families.delete(base);
      }
      if (directory.families.size === 0) this.#tree.remove(directory);
    }
    this.refreshRoots();
  }

  /** A sweep begins: it may look at so many entries. */
  beginSweep(): void {
    this.#entriesLeft = WALK_MAX_ENTRIES;
  }

  /** Records of known files that are not open. */
  dormantRecords(): ReadonlySet<FileRecord> {
    const records = new Set<FileRecord>();
    for (const directory of this.all.values()) {
      for (const { record } of dormantFiles(directory)) if (record !== undefined) records.add(record);
    }
    return records;
  }

  /** False while something in the directory is known to exist and could not be looked at. */
  isComplete(path: string): boolean {
    const directory = this.all.get(path);
    return directory === undefined || directory.isComplete;
  }

  /**
   * Looks whether a directory has changed, and if so lists it and arranges its families. `full` lists it anyway; so does a
   * hint when it may be about a file that is not open.
   */
  async check(directory: Directory, full: boolean, isHinted: boolean): Promise<void> {
    const { clock, slice } = this.#o;
    const nowMs = clock.monotonicMs();
    const spentBeforeMs = slice.spentMs;
    try {
      await this.#check(directory, full, isHinted, nowMs);
      this.#o.reclaim.run(directory);
    } catch (error) {
      this.#reportUnreadable(directory, error);
    }
    // Whoever fills or changes a large directory all the time costs a share of the processor, and not all of it. One in which
    // files still wait to be opened is looked at as soon as the sweep comes by again.
    const tookMs = directory.isComplete ? slice.spentMs - spentBeforeMs : 0;
    directory.dueAtMs = Math.max(nextLookMs(nowMs, activeAtMs(directory)), nowMs + LISTING_COST_FACTOR * tookMs);
  }

  async #check(directory: Directory, full: boolean, isHinted: boolean, nowMs: number): Promise<void> {
    const folder = this.#o.volume.enter(directory.path);
    try {
      const stats = folder?.lookAtSelf();
      if (folder === undefined || stats === undefined) return await this.#vanish(directory);
      this.#tree.identify(directory, `${stats.dev}:${stats.ino}`);
      const isAsked = full || (isHinted && dormantFiles(directory).length > 0);
      if (isAsked || this.#mayHaveChanged(directory, stats.mtimeNs, nowMs)) {
        await this.#list(directory, folder, stats.mtimeNs);
      }
    } finally {
      folder?.close();
    }
  }

  #mayHaveChanged(directory: Directory, mtimeNs: bigint, nowMs: number): boolean {
    if (directory.mtimeNs !== mtimeNs || !directory.isComplete) return true;
    const ageMs = this.#o.clock.nowMs() - Number(mtimeNs / 1_000_000n);
    const maxAgeMs = directory.hasLinks ? SWEEP_WARM_MS : SWEEP_COLD_MS;
    return Math.abs(ageMs) < MTIME_STEP_MS || nowMs - directory.listedAtMs >= maxAgeMs;
  }

  async #list(directory: Directory, folder: Folder, mtimeBeforeNs: bigint): Promise<void> {
    let mtimeNs = mtimeBeforeNs;
    for (let tries = 1; ; tries++) {
      const listing = await listDirectory(directory.path, folder, this.#listOptions());
      for (const code of ["directory_missing", "directory_unreadable"]) this.#o.reports.healed(code, directory.path);
      for (const path of listing.directories) this.#tree.addBelow(directory, path);
      directory.hasLinks = listing.hasLinks;
      directory.isComplete = await this.#arrangeAll(directory, listing);
      const now = this.#o.clock.monotonicMs();
      if (directory.mtimeNs !== mtimeNs) directory.changedAtMs = now;
      directory.listedAtMs = now;
      directory.mtimeNs = mtimeNs;
      const after = folder.lookAtSelf()?.mtimeNs;
      if (after === undefined || after === mtimeNs || tries === LISTINGS_MAX) return;
      mtimeNs = after;
    }
  }

  #listOptions(): ListOptions {
    const { patterns, reports, slice, volume } = this.#o;
    return {
      patterns,
      reports,
      slice,
      volume,
      count: () => {
        if (this.#entriesLeft-- > 0) return true;
        const message = `more than ${WALK_MAX_ENTRIES} files and directories: the rest is not looked at (narrow the paths of the inputs)`;
        reports.once("error", "too_many_entries", "", message);
        return false;
      },
    };
  }

  /** False when something could not be looked at. What a listing that is not whole leaves out is not taken for gone. */
  async #arrangeAll(directory: Directory, { families: found, isWhole }: Listing): Promise<boolean> {
    const { slice } = this.#o;
    let complete = isWhole;
    for (const base of found.keys()) {
      if (!directory.families.has(base)) directory.families.set(base, this.#newFamily(base));
    }
    for (const [base, family] of directory.families) {
      if (isWhole || !family.hasMissing(found.get(base))) {
        complete = this.#arrange(family, found.get(base) ?? []) && complete;
      }
      if (!found.has(base) && family.isEmpty) directory.families.delete(base);
      if (slice.isOver()) await slice.rest();
    }
    return complete;
  }

  #newFamily(base: string): Family {
    return new Family(base, this.#o.patterns.ownerOf(base), this.#o.clock.monotonicMs() - HOT_FOR_MS);
  }

  #arrange(family: Family, entries: readonly Entry[]): boolean {
    const { roster, patterns, state, clock, reports, known, volume } = this.#o;
    try {
      const oldestKnownMs = known.oldestMs(family.base);
      const nowMs = clock.nowMs();
      const complete = arrange(family, entries, { roster, patterns, state, volume, nowMs, oldestKnownMs });
      for (const { record } of family.members) known.note(family.base, record.seenMtimeMs);
      reports.healed("sweep_failed", family.base);
      return complete;
    } catch (error) {
      reports.once("error", "sweep_failed", family.base, `${describe(error)}; ${family.base} is looked at again`);
      return false;
    }
  }

  async #vanish(directory: Directory): Promise<void> {
    directory.mtimeNs = undefined;
    directory.isComplete = false;
    await this.#arrangeAll(directory, emptyListing());
    if (directory.isRoot) {
      const message = `there is no directory ${directory.path}; it is looked for again and again`;
      this.#o.reports.once("warn", "directory_missing", directory.path, message);
    } else if (directory.families.size === 0) {
      this.#tree.remove(directory);
    }
  }

  #reportUnreadable(directory: Directory, error: unknown): void {
    const code = systemCode(error);
    if (code === undefined) throw error;
    if (code === "ENOENT") return;
    const message = `the directory ${directory.path} cannot be read (${code}); it is tried again and again`;
    this.#o.reports.once("warn", "directory_unreadable", directory.path, message);
  }
}
