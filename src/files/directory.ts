import type { Dormant, Family } from "./family.ts";

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
  listedAtMs: number;
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
    listedAtMs: -Infinity,
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
