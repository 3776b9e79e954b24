import { type Stats, lstatSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { Folder, unlessGone } from "./folder.ts";
import { osPath } from "./names.ts";
import { type Pattern, type Patterns, isBelow } from "./patterns.ts";

/** A path taken apart: a trusted directory, and the names that lead on from it. */
export interface Route {
  readonly base: string;
  readonly names: readonly string[];
}

/**
 * The directories that the user named. Their own paths are trusted, links included; what lies below them is the
 * application's. Links below may lead into any of them and into `allow_links_into`, and nowhere else.
 */
export class Roots {
  readonly #patterns: Patterns;
  /** `allow_links_into`. */
  allowed: readonly string[];
  /** Paths that the user wrote and that were a file once: they never become a trusted directory, whatever is put there. */
  readonly #files = new Set<string>();
  /** Where links may lead; none lies below another. */
  #zones: readonly string[] = [];
  /** Parents of paths where nothing is yet. */
  #parents: readonly string[] = [];

  constructor(patterns: Patterns, allowLinksInto: readonly string[]) {
    this.#patterns = patterns;
    this.allowed = allowLinksInto;
  }

  /** Finds out where to look: a path that is a directory is looked at itself, another one's parent is. */
  refresh(): ReadonlySet<string> {
    const zones = new Set<string>();
    const parents = new Set<string>();
    for (const pattern of this.#patterns.all) {
      const kind = pattern.literal ? this.#kindOf(pattern) : "directory";
      if (kind === "directory") zones.add(pattern.root);
      else (kind === "file" ? zones : parents).add(dirname(pattern.root));
    }
    const roots = new Set([...zones, ...parents]);
    for (const path of this.allowed) zones.add(path);
    this.#zones = [...zones].filter((path) => ![...zones].some((other) => other !== path && isBelow(other, path)));
    this.#parents = [...parents];
    return roots;
  }

  /** The way to a path from the directory of the user's that it lies in. */
  routeTo(path: string): Route | undefined {
    const base = this.#zones.find((zone) => isBelow(zone, path)) ?? this.#parents.find((each) => isBelow(each, path));
    return base === undefined ? undefined : route(base, path);
  }

  /** The way to where a link leads, said in the words of the configuration; undefined when it leads out. */
  routeInside(target: string): Route | undefined {
    const zone = this.#zones.find((each) => isBelow(each, target));
    if (zone !== undefined) return route(zone, target);
    for (const each of this.#zones) {
      const realPath = realPathOf(each);
      if (realPath !== undefined && isBelow(realPath, target)) return { ...route(realPath, target), base: each };
    }
    return undefined;
  }

  /**
   * What a path without wildcards is. A link to a directory counts as one when root or pannier's own user made it: then it
   * was not the application that writes below.
   */
  #kindOf(pattern: Pattern): "directory" | "file" | "missing" {
    if (this.#files.has(pattern.text)) return "file";
    let stats: Stats | undefined;
    let isDirectory = false;
    try {
      const path = osPath(pattern.root);
      stats = unlessGone(() => lstatSync(path));
      const isOurs = stats?.uid === 0 || stats?.uid === process.geteuid?.();
      isDirectory =
        stats?.isSymbolicLink() === true
          ? isOurs && unlessGone(() => statSync(path))?.isDirectory() === true
          : stats?.isDirectory() === true;
    } catch {
      return "missing";
    }
    if (stats === undefined || isDirectory) return isDirectory ? "directory" : "missing";
    this.#files.add(pattern.text);
    return "file";
  }
}

function route(base: string, path: string): Route {
  const rest = path.slice(base === "/" ? 1 : base.length + 1);
  return { base, names: rest === "" ? [] : rest.split("/") };
}

function realPathOf(path: string): string | undefined {
  const folder = Folder.open(path, false);
  try {
    return folder?.realPath;
  } catch {
    return undefined;
  } finally {
    folder?.close();
  }
}
