import type { Dirent } from "node:fs";
import { type ListOptions, readEntries } from "./entries.ts";
import type { Entry } from "./family.ts";
import { type Folder, join } from "./folder.ts";
import { addSiblingsOfTargets } from "./linked.ts";
import { describeStats } from "./open.ts";
import { compareAge, parseSibling } from "./siblings.ts";

/** What one directory holds of the user's files. */
export interface Listing {
  /** By base path; each family's entries oldest first, each file once. */
  readonly families: Map<string, Entry[]>;
  /** Directories in it that may hold more. */
  readonly directories: string[];
  /** False when a sweep had looked at enough before the end. */
  isWhole: boolean;
  /** Files are reached through links in it, so that more can change than the directory tells. */
  hasLinks: boolean;
}

interface Candidate {
  readonly name: string;
  /** Undefined for a link that no pattern names: perhaps it leads to a directory. */
  readonly base: string | undefined;
  readonly suffix: string;
  readonly matched: boolean;
}

/** What an empty directory holds. */
export function emptyListing(): Listing {
  return { families: new Map(), directories: [], isWhole: true, hasLinks: false };
}

/** Reads the directory of this path, which is held, in slices. Throws what `opendir` throws. */
export async function listDirectory(path: string, folder: Folder, options: ListOptions): Promise<Listing> {
  const { slice } = options;
  const listing = emptyListing();
  const candidates: Candidate[] = [];
  listing.isWhole = await readEntries(folder, options, (name, entry) => {
    classify(join(path, name), name, entry, { directory: path, options, listing, candidates });
  });
  // Newest names first: a rotation renames towards the older ones, so that a file which is renamed between two looks is
  // seen twice rather than never.
  candidates.sort((a, b) => a.name.length - b.name.length || (a.name < b.name ? -1 : 1));
  for (const candidate of candidates) {
    lookAtCandidate(path, folder, candidate, listing, options);
    if (slice.isOver()) await slice.rest();
  }
  if (listing.hasLinks) {
    const isWhole = await addSiblingsOfTargets(listing.families.values(), options);
    listing.isWhole &&= isWhole;
  }
  for (const [base, entries] of listing.families) listing.families.set(base, oldestFirst(entries));
  return listing;
}

interface Classifying {
  readonly directory: string;
  readonly options: ListOptions;
  readonly listing: Listing;
  readonly candidates: Candidate[];
}

function classify(path: string, name: string, entry: Dirent, into: Classifying): void {
  const { directory, listing, candidates } = into;
  const { patterns, reports } = into.options;
  const isLink = entry.isSymbolicLink();
  if (entry.isDirectory()) {
    if (patterns.mayHold(path)) listing.directories.push(path);
    return;
  }
  const sibling = parseSibling(name, (base) => patterns.ownerOf(join(directory, base)) >= 0);
  const matched = patterns.ownerOf(path) >= 0;
  if (sibling?.compressed === true) {
    const message = `${path} is compressed and not read; what was not shipped before it was compressed is lost`;
    reports.once("info", "compressed_sibling", join(directory, sibling.base), message);
  } else if (sibling !== undefined) {
    candidates.push({ name, base: join(directory, sibling.base), suffix: sibling.suffix, matched });
  } else if (matched || (isLink && patterns.mayHold(path))) {
    candidates.push({ name, base: matched ? path : undefined, suffix: "", matched });
  }
}

function lookAtCandidate(
  directory: string,
  folder: Folder,
  candidate: Candidate,
  listing: Listing,
  { volume, patterns, reports }: ListOptions,
): void {
  const { name, base, suffix, matched } = candidate;
  const path = join(directory, name);
  const stats = folder.look(name);
  const look = stats?.isSymbolicLink() === true ? volume.lookAt(path) : stats && describeStats(path, stats);
  if (look === undefined) return;
  if (look.target !== undefined) {
    listing.hasLinks = true;
    // What is followed under its own name is not followed through a link as well.
    if (look.kind === "directory" && patterns.mayHold(path) && !patterns.mayHold(look.target))
      listing.directories.push(path);
    if (look.kind === "directory" || patterns.ownerOf(look.target) >= 0) return;
  }
  if (base === undefined) return;
  if (look.kind !== "file") {
    const what =
      look.kind === "link"
        ? "a symbolic link that leads out of the watched directories (name its target instead, or the target's directory in allow_links_into)"
        : "no regular file";
    reports.once("warn", "not_a_regular_file", path, `${path} is ${what} and is not followed`);
    return;
  }
  if (matched) patterns.noteHit(path);
  const entries = listing.families.get(base);
  if (entries === undefined) listing.families.set(base, [{ look, suffix, matched }]);
  else entries.push({ look, suffix, matched });
}

/** A file with two names in one family counts under its newest one. */
function oldestFirst(entries: Entry[]): Entry[] {
  if (entries.length === 1) return entries;
  entries.sort(compareAge);
  const byId = new Map<string, Entry>();
  for (const entry of entries) {
    byId.delete(entry.look.id);
    byId.set(entry.look.id, entry);
  }
  return [...byId.values()];
}
