import { lstatSync } from "node:fs";
import type { Dormant } from "./dormant.ts";
import type { Family } from "./family.ts";
import type { Listing } from "./listing.ts";
import { osPath } from "./names.ts";
import type { Slice } from "./slice.ts";

/** A directory that holds files of the user's, or may. */
export interface Directory {
  readonly path: string;
  isRoot: boolean;
  readonly depth: number;
  readonly families: Map<string, Family>;
  /** `device:inode`; "" before the first look. */
  id: string;
  /** Files are reached through links in it, so that more can change than its own time tells. */
  hasLinks: boolean;
  /** As of the last listing; undefined: never listed. */
  mtimeNs: bigint | undefined;
  /** All that is in it could be looked at and opened. */
  isComplete: boolean;
  /** What is left of the last listing: families with files that wait for room among the open ones. */
  waiting: Listing | undefined;
  listedAtMs: number;
  /** When the last listing began after which nothing in it is unknown. */
  knownFromMs: number;
  /** What the last listing took. */
  listingMs: number;
  /** When the files that are not open were last looked at. */
  dormantAtMs: number;
  changedAtMs: number;
  dueAtMs: number;
}

export function newDirectory(path: string, isRoot: boolean, depth: number, nowMs: number): Directory {
  return {
    path,
    isRoot,
    depth,
    families: new Map(),
    id: "",
    hasLinks: false,
    mtimeNs: undefined,
    isComplete: false,
    waiting: undefined,
    listedAtMs: -Infinity,
    knownFromMs: -Infinity,
    listingMs: 0,
    dormantAtMs: -Infinity,
    changedAtMs: nowMs,
    dueAtMs: 0,
  };
}

/** When something last happened in it, to a name or to a file. */
export function activeAtMs(directory: Directory): number {
  let latestMs = directory.changedAtMs;
  for (const family of directory.families.values()) latestMs = Math.max(latestMs, family.activeAtMs);
  return latestMs;
}

/** Its known files that are not open. */
export function dormantFiles(directory: Directory): Dormant[] {
  return [...directory.families.values()].flatMap(({ dormant }) => dormant);
}

/**
 * The families with a file that is not open and no longer looks as it did. Nothing is opened here, so the path is taken as it
 * is, which costs a third of a safe look; thousands of files are looked at like this.
 */
export async function wokenFamilies(directory: Directory, slice: Slice): Promise<Family[]> {
  const woken: Family[] = [];
  for (const family of directory.families.values()) {
    if (!family.dormant.every(isUnchanged)) woken.push(family);
    slice.looked(family.dormant.length);
    if (slice.isOver()) await slice.rest();
  }
  return woken;
}

/** What stands under its path looks as the file did. */
export function isUnchanged({ path, size, mtimeMs }: Pick<Dormant, "path" | "size" | "mtimeMs">): boolean {
  const stats = lstatSync(osPath(path), { throwIfNoEntry: false });
  return stats?.size === size && stats.mtimeMs === mtimeMs;
}
