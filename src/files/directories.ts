import { collect } from "../core/collect.ts";
import { systemCode } from "../core/errors.ts";
import {
  LISTING_AGAIN_FACTOR,
  LISTING_AGAIN_MAX_MS,
  LISTING_COST_FACTOR,
  SWEEP_COLD_MS,
  SWEEP_WARM_MS,
} from "../core/limits.ts";
import type { FileRecord } from "../core/state.ts";
import { type Directory, activeAtMs, dormantFiles, wokenFamilies } from "./directory.ts";
import { Families, type FamiliesOptions } from "./families.ts";
import type { Folder } from "./folder.ts";
import { emptyListing, listDirectory } from "./listing.ts";
import { nextLookMs } from "./pace.ts";
import type { Reclaim } from "./reclaim.ts";
import type { Roots } from "./roots.ts";
import { Tree, type TreeOptions } from "./tree.ts";

/** A file system may keep times in steps of two seconds: a directory that changed just now may change again unseen. */
const MTIME_STEP_MS = 2_000;
/** A listing that takes so long leaves megabytes behind. */
const LISTING_COLLECTED_MS = 50;
/** A directory that changes while it is listed is listed again at once, this often. */
const LISTINGS_MAX = 3;

export interface DirectoriesOptions extends TreeOptions, FamiliesOptions {
  readonly roots: Roots;
  readonly reclaim: Reclaim;
}

/** Knows the directories that hold the user's files, and notices what comes, goes and is renamed in them. */
export class Directories {
  readonly #o: DirectoriesOptions;
  readonly #tree: Tree;
  readonly #families: Families;

  constructor(options: DirectoriesOptions) {
    this.#o = options;
    this.#tree = new Tree(options);
    this.#families = new Families(options);
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
      // Listed again in any case, also when the next sweep does not come so far.
      directory.mtimeNs = undefined;
      directory.waiting = undefined;
      for (const [base, family] of directory.families) {
        family.input = patterns.ownerOf(base);
        family.forgetDormant();
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
    this.#families.beginSweep();
  }

  /** Records of known files that are not open. */
  dormantRecords(): ReadonlySet<FileRecord> {
    const records = new Set<FileRecord>();
    for (const directory of this.all.values()) {
      for (const { record } of dormantFiles(directory)) if (record !== undefined) records.add(record);
    }
    return records;
  }

  /** There are new files that wait until others are finished, which is soon. */
  get isPatient(): boolean {
    if (!this.#o.roster.parking.isPatient) return false;
    // One that was put off may be gone since: nobody waits then.
    for (const { waiting } of this.all.values()) if (waiting !== undefined) return true;
    return false;
  }

  /** No name has changed in any of them since its last listing began, as far as their own times tell. */
  areStill(): boolean {
    return [...this.all.values()].every(({ path, mtimeNs }) => this.#mtimeOf(path) === mtimeNs);
  }

  /** Undefined where there is none, or none that can be looked at. */
  #mtimeOf(path: string): bigint | undefined {
    let folder: Folder | undefined;
    try {
      folder = this.#o.volume.enter(path);
      return folder?.lookAtSelf()?.mtimeNs;
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      return undefined;
    } finally {
      folder?.close();
    }
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
    const nowMs = this.#o.clock.monotonicMs();
    const listedAtMs = directory.listedAtMs;
    try {
      await this.#check(directory, full, isHinted, nowMs);
      this.#o.reclaim.run(directory);
    } catch (error) {
      this.#reportUnreadable(directory, error);
    }
    // Whoever fills or changes a large directory all the time costs a share of the processor, and not all of it. One in which
    // files still wait to be opened is looked at as soon as the sweep comes by again.
    const isListed = directory.listedAtMs !== listedAtMs && directory.waiting === undefined;
    const tookMs = isListed ? directory.listingMs : 0;
    directory.dueAtMs = Math.max(
      nextLookMs(nowMs, activeAtMs(directory)),
      nowMs + Math.min(SWEEP_COLD_MS, LISTING_COST_FACTOR * tookMs),
    );
  }

  async #check(directory: Directory, full: boolean, isHinted: boolean, nowMs: number): Promise<void> {
    const folder = this.#o.volume.enter(directory.path);
    try {
      const stats = folder?.lookAtSelf();
      if (folder === undefined || stats === undefined) return await this.#vanish(directory);
      this.#tree.identify(directory, `${stats.dev}:${stats.ino}`);
      if (full || this.#mayHaveChanged(directory, stats.mtimeNs, nowMs)) {
        await this.#list(directory, folder, stats.mtimeNs);
      } else if (directory.waiting !== undefined) {
        await this.#families.arrange(directory, folder, directory.waiting);
      } else if (isHinted || nowMs - directory.dormantAtMs >= SWEEP_COLD_MS - SWEEP_WARM_MS / 2) {
        directory.dormantAtMs = nowMs;
        await this.#families.wake(directory, folder, await wokenFamilies(directory, this.#o.slice));
      }
    } finally {
      folder?.close();
    }
  }

  /**
   * Its own time tells what was created, renamed and deleted in it. Where a file system does not keep that time, a listing now
   * and then finds out, so seldom that it costs next to nothing.
   */
  #mayHaveChanged(directory: Directory, mtimeNs: bigint, nowMs: number): boolean {
    const { isComplete, waiting, hasLinks, listedAtMs, listingMs } = directory;
    if (directory.mtimeNs !== mtimeNs || (!isComplete && waiting === undefined)) return true;
    const ageMs = this.#o.clock.nowMs() - Number(mtimeNs / 1_000_000n);
    const maxAgeMs = hasLinks
      ? SWEEP_WARM_MS
      : Math.min(LISTING_AGAIN_MAX_MS, Math.max(SWEEP_COLD_MS, LISTING_AGAIN_FACTOR * listingMs));
    return Math.abs(ageMs) < MTIME_STEP_MS || nowMs - listedAtMs >= maxAgeMs;
  }

  async #list(directory: Directory, folder: Folder, mtimeBeforeNs: bigint): Promise<void> {
    const { clock, slice } = this.#o;
    const spentBeforeMs = slice.spentMs;
    const arrangedBeforeMs = this.#families.arrangingMs;
    const { entriesLeft } = this.#families;
    let mtimeNs = mtimeBeforeNs;
    for (let tries = 1; ; tries++) {
      // What is listed again was counted before.
      this.#families.entriesLeft = entriesLeft;
      const fromMs = clock.monotonicMs();
      await this.#listOnce(directory, folder);
      const now = clock.monotonicMs();
      if (directory.mtimeNs !== mtimeNs) directory.changedAtMs = now;
      directory.listedAtMs = now;
      directory.dormantAtMs = now;
      const spentMs = slice.spentMs - spentBeforeMs;
      // What came is work that has to be done. Only looking must not take too much of a processor.
      directory.listingMs = Math.max(0, spentMs - (this.#families.arrangingMs - arrangedBeforeMs));
      // Thousands of names and looks became old while they were worked on; nothing else here would let go of them for long.
      if (spentMs >= LISTING_COLLECTED_MS) collect("major");
      directory.mtimeNs = mtimeNs;
      if (directory.isComplete) directory.knownFromMs = fromMs;
      const after = folder.lookAtSelf()?.mtimeNs;
      if (after === undefined || after === mtimeNs || tries === LISTINGS_MAX) return;
      mtimeNs = after;
    }
  }

  /** The listing lives no longer than this call, so that it can be collected right after. */
  async #listOnce(directory: Directory, folder: Folder): Promise<void> {
    const listing = await listDirectory(directory.path, folder, this.#families.listing);
    for (const code of ["directory_missing", "directory_unreadable"]) this.#o.reports.healed(code, directory.path);
    for (const path of listing.directories) this.#tree.addBelow(directory, path);
    await this.#families.arrange(directory, folder, listing);
  }

  async #vanish(directory: Directory): Promise<void> {
    directory.mtimeNs = undefined;
    directory.isComplete = false;
    await this.#families.arrange(directory, undefined, emptyListing());
    directory.isComplete = false;
    directory.knownFromMs = this.#o.clock.monotonicMs();
    // The parent of a path that is a directory since: nobody asks for it any more.
    if (this.#o.roots.routeTo(directory.path) === undefined) directory.isRoot = false;
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
