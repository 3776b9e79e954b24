import { basename, dirname } from "node:path";
import { systemCode } from "../core/errors.ts";
import { type ListOptions, readEntries } from "./entries.ts";
import type { Entry } from "./family.ts";
import { type Folder, join } from "./folder.ts";
import type { Listing } from "./listing.ts";
import { describeStats } from "./open.ts";
import { parseSibling } from "./siblings.ts";

/**
 * Who rotates a file that a link leads to (a container runtime) renames it where it lies, not where the link lies. So the
 * rotated siblings beside the target belong to the link's family, as those beside a plain file do to its own.
 */
export async function siblingsOfTarget(
  target: string,
  listing: Pick<Listing, "beyond" | "isWhole">,
  options: ListOptions,
): Promise<Entry[]> {
  const { volume, reports } = options;
  const directory = dirname(target);
  let folder: Folder | undefined;
  try {
    folder = volume.enter(directory);
    if (folder === undefined) return [];
    const names = listing.beyond.get(directory) ?? (await namesIn(folder, listing, options));
    listing.beyond.set(directory, names);
    return lookAtSiblings(basename(target), names, folder, directory);
  } catch (error) {
    const message = `the directory ${directory}, which links lead into, cannot be read (${systemCode(error) ?? "error"}): files that were rotated in it are not seen`;
    reports.once("warn", "directory_unreadable", directory, message);
    return [];
  } finally {
    folder?.close();
  }
}

/** One reading of a directory serves all links into it. */
async function namesIn(folder: Folder, listing: Pick<Listing, "isWhole">, options: ListOptions): Promise<string[]> {
  const names: string[] = [];
  const isWhole = await readEntries(folder, options, (name, entry) => {
    if (entry.isFile()) names.push(name);
  });
  listing.isWhole &&= isWhole;
  return names;
}

function lookAtSiblings(target: string, names: readonly string[], folder: Folder, directory: string): Entry[] {
  const entries: Entry[] = [];
  for (const name of names) {
    if (name.length <= target.length || !name.startsWith(target)) continue;
    const sibling = parseSibling(name, (base) => base === target);
    if (sibling?.compressed !== false) continue;
    const stats = folder.look(name);
    const path = join(directory, name);
    if (stats?.isFile() === true)
      entries.push({ look: describeStats(path, stats, path), suffix: sibling.suffix, matched: false });
  }
  return entries;
}
