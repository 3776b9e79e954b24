import type { Dirent } from "node:fs";
import { type ListOptions, readEntries } from "./entries.ts";
import type { Entry } from "./family.ts";
import { type Folder, join } from "./folder.ts";
import { siblingsOfTarget } from "./linked.ts";
import { type Look, describeStats } from "./open.ts";
import { compareAge, parseSibling } from "./siblings.ts";

/** A name in a directory that belongs to a family. */
export interface Name {
  readonly name: string;
  readonly path: string;
  readonly suffix: string;
  readonly matched: boolean;
}

/** The names in one directory that are of interest. What stands under them is looked at family by family. */
export interface Listing {
  /** By base path. */
  readonly families: Map<string, Name[]>;
  /** Directories in it that may hold more. */
  readonly directories: string[];
  /** False when a sweep had looked at enough before the end. */
  isWhole: boolean;
  /** Files are reached through links in it, so that more can change than the directory tells. */
  hasLinks: boolean;
  /** Names in the directories that its links lead into. */
  readonly beyond: Map<string, readonly string[]>;
}

/** What an empty directory holds. */
export function emptyListing(): Listing {
  return { families: new Map(), directories: [], isWhole: true, hasLinks: false, beyond: new Map() };
}

/** Reads the names in the directory of this path, which is held, in slices. Throws what `opendir` throws. */
export async function listDirectory(path: string, folder: Folder, options: ListOptions): Promise<Listing> {
  const listing = emptyListing();
  const links: string[] = [];
  listing.isWhole = await readEntries(folder, options, (name, entry) => {
    classify(path, name, entry, options, listing, links);
  });
  for (const link of links) {
    followToDirectory(link, listing, options);
    if (options.slice.isOver()) await options.slice.rest();
  }
  return listing;
}

function classify(
  directory: string,
  name: string,
  entry: Dirent,
  { patterns, reports }: ListOptions,
  listing: Listing,
  links: string[],
): void {
  const path = join(directory, name);
  if (entry.isDirectory()) {
    if (patterns.mayHold(path)) listing.directories.push(path);
    return;
  }
  if (entry.isSymbolicLink() && patterns.mayHold(path)) links.push(path);
  const sibling = parseSibling(name, (base) => patterns.ownerOf(join(directory, base)) >= 0);
  const matched = patterns.ownerOf(path) >= 0;
  if (sibling?.compressed === true) {
    const message = `${path} is compressed and not read; what was not shipped before it was compressed is lost`;
    reports.once("info", "compressed_sibling", join(directory, sibling.base), message);
  } else if (sibling !== undefined || matched) {
    const base = sibling === undefined ? path : join(directory, sibling.base);
    const names = listing.families.get(base);
    const one: Name = { name, path, suffix: sibling?.suffix ?? "", matched };
    if (names === undefined) listing.families.set(base, [one]);
    else names.push(one);
  }
}

/** A link may lead to a directory with more files in it, unless that one is looked into anyway. */
function followToDirectory(path: string, listing: Listing, { volume, patterns }: ListOptions): void {
  const look = volume.lookAt(path);
  if (look?.target === undefined || look.kind !== "directory") return;
  listing.hasLinks = true;
  if (!patterns.mayHold(look.target)) listing.directories.push(path);
}

/** Looks at the files of a family: oldest first, each file once. */
export async function lookAtFamily(
  names: readonly Name[],
  folder: Folder,
  listing: Listing,
  options: ListOptions,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  // Newest names first: a rotation renames towards the older ones, so that a file which is renamed between two looks is
  // seen twice rather than never.
  const newestFirst =
    names.length === 1 ? names : names.toSorted((a, b) => a.name.length - b.name.length || (a.name < b.name ? -1 : 1));
  for (const name of newestFirst) {
    const look = lookAtName(name, folder, options);
    if (look === undefined) continue;
    entries.push({ look, suffix: name.suffix, matched: name.matched });
    if (look.target === undefined) continue;
    listing.hasLinks = true;
    entries.push(...(await siblingsOfTarget(look.target, listing, options)));
  }
  return oldestFirst(entries);
}

/** The look at a file that is to be followed under this name. */
function lookAtName({ name, path, matched }: Name, folder: Folder, options: ListOptions): Look | undefined {
  const { volume, patterns, reports } = options;
  const stats = folder.look(name);
  const look = stats?.isSymbolicLink() === true ? volume.lookAt(path) : stats && describeStats(path, stats);
  if (look === undefined) return undefined;
  // What is followed under its own name is not followed through a link as well.
  if (look.target !== undefined && (look.kind === "directory" || patterns.ownerOf(look.target) >= 0)) return undefined;
  if (look.kind === "file") {
    if (matched) patterns.noteHit(path);
    return look;
  }
  const what =
    look.kind === "link"
      ? "a symbolic link that leads out of the watched directories (name its target instead, or the target's directory in allow_links_into)"
      : "no regular file";
  reports.once("warn", "not_a_regular_file", path, `${path} is ${what} and is not followed`);
  return undefined;
}

/** A file with two names in one family counts under its newest one. */
function oldestFirst(entries: Entry[]): Entry[] {
  if (entries.length <= 1) return entries;
  entries.sort(compareAge);
  const byId = new Map<string, Entry>();
  for (const entry of entries) {
    byId.delete(entry.look.id);
    byId.set(entry.look.id, entry);
  }
  return [...byId.values()];
}
