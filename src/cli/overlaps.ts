import { readdirSync } from "node:fs";
import path from "node:path";
import type { InputConfig } from "../core/config.ts";
import { type Pattern, Patterns } from "../files/patterns.ts";

/** Directory entries that are looked at for the warnings of `check`. */
const ENTRIES_MAX = 10_000;

/** Paths that two inputs match belong to the first: a warning for each later input, naming one such path. */
export function overlapWarnings(inputs: readonly InputConfig[]): string[] {
  const compiled = inputs.map((input) => new Patterns([input]));
  const budget = { entries: ENTRIES_MAX };
  return compiled.flatMap((later, j) => {
    for (const [i, earlier] of compiled.slice(0, j).entries()) {
      const shared = sharedPath(earlier, later, budget);
      if (shared !== undefined)
        return [`inputs[${j}]: ${shared} is matched by inputs[${i}] as well, and belongs to that one`];
    }
    return [];
  });
}

function matches(patterns: Patterns, file: string): boolean {
  return patterns.ownerOf(file) >= 0;
}

/** A path that both match: one that is written out, a file that exists, or one that could. */
function sharedPath(earlier: Patterns, later: Patterns, budget: { entries: number }): string | undefined {
  const patterns = [...earlier.all, ...later.all];
  const written = patterns.flatMap((pattern) => (pattern.literal ? [pattern.root] : []));
  const isShared = (file: string): boolean => matches(earlier, file) && matches(later, file);
  const same = earlier.all.find((one) => later.all.some((other) => other.text === one.text));
  return (
    same?.text ??
    written.find(isShared) ??
    later.all.map((pattern) => existing(pattern, isShared, budget)).find(Boolean) ??
    patterns.flatMap(examples).find(isShared)
  );
}

/** Paths that a pattern is likely to match, since the files of a sidecar are not there yet when its configuration is checked. */
function examples({ text, root, literal }: Pattern): string[] {
  if (!literal)
    return ["", "x/"].map((between) => path.resolve(text.replaceAll("**/", between).replaceAll(/\*+|\?/g, "x")));
  return path.extname(root) === "" ? [path.join(root, "x.log")] : [];
}

/** The first file below the pattern's root that is wanted. */
function existing(
  pattern: Pattern,
  wanted: (file: string) => boolean,
  budget: { entries: number },
): string | undefined {
  const directories = [pattern.root];
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    for (const entry of entriesOf(directory)) {
      if (--budget.entries < 0) return undefined;
      const file = path.join(directory, entry.name);
      if (entry.isDirectory() && pattern.mayHold(file)) directories.push(file);
      else if (entry.isFile() && wanted(file)) return file;
    }
  }
  return undefined;
}

/** Nothing for what is no directory, or may not be read: `run` reports that. */
function entriesOf(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
}
