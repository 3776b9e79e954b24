import { basename, dirname } from "node:path";
import { systemCode } from "../core/errors.ts";
import { type ListOptions, readEntries } from "./entries.ts";
import type { Entry } from "./family.ts";
import { join } from "./folder.ts";
import { describeStats } from "./open.ts";
import { parseSibling } from "./siblings.ts";

/**
 * Who rotates a file that a link leads to (a container runtime) renames it where it lies, not where the link lies. So the
 * rotated siblings beside the target belong to the link's family, as those beside a plain file do to its own. One reading of
 * a directory serves all links into it.
 */
export async function addSiblingsOfTargets(families: Iterable<Entry[]>, options: ListOptions): Promise<boolean> {
  const byDirectory = new Map<string, Map<string, Entry[]>>();
  for (const entries of families) {
    for (const { look } of entries) {
      if (look.target === undefined) continue;
      const directory = dirname(look.target);
      const byName = byDirectory.get(directory) ?? new Map<string, Entry[]>();
      byDirectory.set(directory, byName.set(basename(look.target), entries));
    }
  }
  let isWhole = true;
  for (const [directory, byName] of byDirectory) isWhole = (await addSiblings(directory, byName, options)) && isWhole;
  return isWhole;
}

async function addSiblings(
  directory: string,
  byName: ReadonlyMap<string, Entry[]>,
  options: ListOptions,
): Promise<boolean> {
  const { slice, volume, reports } = options;
  let folder;
  try {
    folder = volume.enter(directory);
    if (folder === undefined) return true;
    const found: { name: string; base: string; suffix: string }[] = [];
    const isWhole = await readEntries(folder, options, (name, entry) => {
      const sibling = entry.isFile() ? parseSibling(name, (base) => byName.has(base)) : undefined;
      if (sibling?.compressed === false) found.push({ name, ...sibling });
    });
    for (const { name, base, suffix } of found) {
      const stats = folder.look(name);
      const path = join(directory, name);
      if (stats?.isFile() === true)
        byName.get(base)!.push({ look: describeStats(path, stats, path), suffix, matched: false });
      if (slice.isOver()) await slice.rest();
    }
    return isWhole;
  } catch (error) {
    const message = `the directory ${directory}, which links lead into, cannot be read (${systemCode(error) ?? "error"}): files that were rotated in it are not seen`;
    reports.once("warn", "directory_unreadable", directory, message);
    return true;
  } finally {
    folder?.close();
  }
}
