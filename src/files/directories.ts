import { dirname } from "node:path";
import { statSync } from "node:fs";
import type { Clock } from "../core/clock.ts";
import type { InputConfig } from "../core/config.ts";
import { describe, systemCode } from "../core/errors.ts";
import { HOT_FOR_MS, SWEEP_COLD_MS, WALK_MAX_DEPTH, WALK_MAX_ENTRIES } from "../core/limits.ts";
import type { FileRecord, StateStore } from "../core/state.ts";
import { arrange } from "./arrange.ts";
import { type Directory, activeAtMs, dormantFiles, newDirectory } from "./directory.ts";
import { type Entry, Family } from "./family.ts";
import { type Listing, type ListOptions, listDirectory } from "./listing.ts";
import { osPath } from "./names.ts";
import { lookAt } from "./open.ts";
import type { Patterns } from "./patterns.ts";
import type { KnownFamilies } from "./known.ts";
import { nextLookMs } from "./pace.ts";
import type { Reports } from "./reports.ts";
import type { Roster } from "./roster.ts";
import type { Slice } from "./slice.ts";

/** A file system may keep times in steps of two seconds: a directory that changed just now may change again unseen. */
const MTIME_STEP_MS = 2_000;
/** A directory that changes while it is listed is listed again at once, this often. */
const LISTINGS_MAX = 3;

export interface DirectoriesOptions {
  readonly inputs: readonly InputConfig[];
  readonly patterns: Patterns;
  readonly roster: Roster;
  readonly state: StateStore;
  readonly known: KnownFamilies;
  readonly clock: Clock;
  readonly reports: Reports;
  readonly slice: Slice;
  /** A directory is listed for the first time, or gone. */
  found(directory: Directory): void;
  lost(directory: Directory): void;
}

/** Knows the directories that hold the user's files, and notices what comes, goes and is renamed in them. */
export class Directories {
  readonly all: Map<string, Directory> = new Map();
  readonly #o: DirectoriesOptions;
  #entriesLeft = 0;

  constructor(options: DirectoriesOptions) {
    this.#o = options;
  }

  /** Finds where to look: a path that is a directory is looked at itself, another one's parent is. */
  refreshRoots(): void {
    for (const { root, literal } of this.#o.patterns.all) {
      this.#ensure(literal && !isDirectory(root) ? dirname(root) : root, true, 0);
    }
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

  #ensure(path: string, isRoot: boolean, depth: number): void {
    if (this.all.has(path) || depth > WALK_MAX_DEPTH) return;
    const directory = newDirectory(path, isRoot, depth, this.#o.clock.monotonicMs());
    this.all.set(path, directory);
    this.#o.found(directory);
  }

  /**
   * Looks whether a directory has changed, and if so lists it and arranges its families. `full` lists it anyway; so does a
   * hint when it may be about a file that is not open.
   */
  async check(directory: Directory, full: boolean, isHinted: boolean): Promise<void> {
    const { clock } = this.#o;
    const nowMs = clock.monotonicMs();
    const mtimeNs = this.#statMtime(directory);
    if (mtimeNs === undefined) await this.#vanish(directory);
    else if (
      full ||
      (isHinted && dormantFiles(directory).length > 0) ||
      this.#mayHaveChanged(directory, mtimeNs, nowMs)
    ) {
      await this.#list(directory, mtimeNs);
    }
    directory.dueAtMs = nextLookMs(nowMs, activeAtMs(directory));
  }

  #mayHaveChanged(directory: Directory, mtimeNs: bigint, nowMs: number): boolean {
    if (directory.mtimeNs !== mtimeNs || !directory.isComplete) return true;
    const ageMs = this.#o.clock.nowMs() - Number(mtimeNs / 1_000_000n);
    return Math.abs(ageMs) < MTIME_STEP_MS || nowMs - directory.listedAtMs >= SWEEP_COLD_MS;
  }

  /** Undefined when there is no such directory (any more). A root may be a link, what lies below may not. */
  #statMtime(directory: Directory): bigint | undefined {
    try {
      const look = directory.isRoot ? statDirectory(directory.path) : lookAt(directory.path);
      return look?.kind === "directory" ? look.mtimeNs : undefined;
    } catch (error) {
      this.#reportUnreadable(directory, error);
      return directory.mtimeNs ?? 0n;
    }
  }

  async #list(directory: Directory, mtimeBeforeNs: bigint): Promise<void> {
    let mtimeNs = mtimeBeforeNs;
    for (let tries = 1; ; tries++) {
      let listing: Listing;
      try {
        listing = await listDirectory(directory.path, this.#listOptions());
      } catch (error) {
        return this.#reportUnreadable(directory, error);
      }
      for (const code of ["directory_missing", "directory_unreadable"]) this.#o.reports.healed(code, directory.path);
      for (const path of listing.directories) this.#ensure(path, false, directory.depth + 1);
      directory.isComplete = await this.#arrangeAll(directory, listing);
      const now = this.#o.clock.monotonicMs();
      if (directory.mtimeNs !== mtimeNs) directory.changedAtMs = now;
      directory.listedAtMs = now;
      directory.mtimeNs = mtimeNs;
      const after = this.#statMtime(directory);
      if (after === undefined || after === mtimeNs || tries === LISTINGS_MAX) return;
      mtimeNs = after;
    }
  }

  #listOptions(): ListOptions {
    const { patterns, reports, slice } = this.#o;
    return {
      patterns,
      reports,
      slice,
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
    const { roster, inputs, state, clock, reports, known } = this.#o;
    try {
      const oldestKnownMs = known.oldestMs(family.base);
      const complete = arrange(family, entries, { roster, inputs, state, nowMs: clock.nowMs(), oldestKnownMs });
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
    await this.#arrangeAll(directory, { families: new Map(), directories: [], isWhole: true });
    if (directory.isRoot) {
      const message = `there is no directory ${directory.path}; it is looked for again and again`;
      this.#o.reports.once("warn", "directory_missing", directory.path, message);
    } else if (directory.families.size === 0) {
      this.all.delete(directory.path);
      this.#o.lost(directory);
    }
  }

  #reportUnreadable(directory: Directory, error: unknown): void {
    const code = systemCode(error) ?? "error";
    if (code === "ENOENT") return;
    const message = `the directory ${directory.path} cannot be read (${code}); it is tried again and again`;
    this.#o.reports.once("warn", "directory_unreadable", directory.path, message);
  }
}

function isDirectory(path: string): boolean {
  try {
    return lookAt(path)?.kind === "directory";
  } catch {
    return false;
  }
}

function statDirectory(path: string): { kind: "directory" | "other"; mtimeNs: bigint } | undefined {
  const stats = statSync(osPath(path), { bigint: true, throwIfNoEntry: false });
  return stats && { kind: stats.isDirectory() ? "directory" : "other", mtimeNs: stats.mtimeNs };
}
