import { type Dirent, opendirSync } from "node:fs";
import type { Entry } from "./family.ts";
import { lookAt } from "./open.ts";
import { nameOf, osPath } from "./names.ts";
import type { Patterns } from "./patterns.ts";
import type { Reports } from "./reports.ts";
import { compareAge, parseSibling } from "./siblings.ts";
import type { Slice } from "./slice.ts";

/** What one directory holds of the user's files. */
export interface Listing {
  /** By base path; each family's entries oldest first, each file once. */
  readonly families: Map<string, Entry[]>;
  /** Directories in it that may hold more. */
  readonly directories: string[];
  /** False when a sweep had looked at enough before the end. */
  isWhole: boolean;
}

interface Candidate {
  readonly name: string;
  readonly base: string;
  readonly suffix: string;
  readonly matched: boolean;
}

export interface ListOptions {
  readonly patterns: Patterns;
  readonly reports: Reports;
  readonly slice: Slice;
  /** Counts an entry; false when a sweep has looked at enough. */
  count(): boolean;
}

const BATCH_ENTRIES = 256;

/** Reads a directory, in slices. Throws what `opendir` throws. */
export async function listDirectory(path: string, options: ListOptions): Promise<Listing> {
  const { slice } = options;
  const listing: Listing = { families: new Map(), directories: [], isWhole: true };
  const candidates: Candidate[] = [];
  // Names are read as Latin-1, one character per byte, since UTF-8 would lose the bytes that are none.
  const handle = opendirSync(osPath(path), { encoding: "latin1", bufferSize: BATCH_ENTRIES });
  try {
    for (let entry = handle.readSync(); entry !== null; entry = handle.readSync()) {
      listing.isWhole = options.count();
      if (!listing.isWhole) break;
      classify(path, entry, options.patterns, listing, candidates, options.reports);
      if (slice.isOver()) await slice.rest();
    }
  } finally {
    handle.closeSync();
  }
  // Newest names first: a rotation renames towards the older ones, so that a file which is renamed between two looks is
  // seen twice rather than never.
  candidates.sort((a, b) => a.name.length - b.name.length || (a.name < b.name ? -1 : 1));
  for (const candidate of candidates) {
    lookAtCandidate(path, candidate, listing, options);
    if (slice.isOver()) await slice.rest();
  }
  for (const [base, entries] of listing.families) listing.families.set(base, oldestFirst(entries));
  return listing;
}

export function join(directory: string, name: string): string {
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}

function isAscii(name: string): boolean {
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) > 0x7f) return false;
  return true;
}

function classify(
  directory: string,
  entry: Dirent,
  patterns: Patterns,
  listing: Listing,
  candidates: Candidate[],
  reports: Reports,
): void {
  const name = isAscii(entry.name) ? entry.name : nameOf(Buffer.from(entry.name, "latin1"));
  const path = join(directory, name);
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
  } else if (matched) {
    candidates.push({ name, base: path, suffix: "", matched });
  }
}

function lookAtCandidate(directory: string, candidate: Candidate, listing: Listing, options: ListOptions): void {
  const { name, base, suffix, matched } = candidate;
  const path = join(directory, name);
  const look = lookAt(path);
  if (look === undefined) return;
  if (look.kind !== "file") {
    const what = look.kind === "link" ? "a symbolic link (name its target instead)" : "no regular file";
    options.reports.once("warn", "not_a_regular_file", path, `${path} is ${what} and is not followed`);
    return;
  }
  if (matched) options.patterns.noteHit(path);
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
