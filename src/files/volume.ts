import { type BigIntStats, closeSync, constants, linkSync, openSync, renameSync, unlinkSync } from "node:fs";
import { normalize } from "node:path";
import { describe, systemCode } from "../core/errors.ts";
import { LINKS_MAX } from "../core/limits.ts";
import { Folder, O_PATH, canHold, join, unlessGone } from "./folder.ts";
import { type Look, type Opened, describeStats, lookAtOpen } from "./open.ts";
import type { Reports } from "./reports.ts";
import type { Roots, Route } from "./roots.ts";

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/** Where a path leads: a name in a held directory, or (undefined) that directory itself. */
export interface Spot {
  readonly folder: Folder;
  readonly name: string | undefined;
  readonly stats: BigIntStats;
  /** What of the path is left behind a link. */
  readonly rest: readonly string[];
  /** Links were followed on the way. */
  readonly isLinked: boolean;
}

/**
 * The only way to what an application wrote. It is walked from a directory that the user named, one component after the
 * other, each entered without following a link and held while the next is asked for; so no moment lies between looking at a
 * path and using it in which somebody could make it mean another place. A link on the way is read, and followed only if it
 * leads to where the user allows; that place is walked to in the same way.
 */
export class Volume {
  readonly #roots: Roots;
  readonly #reports: Reports;
  readonly #canHold: () => boolean;
  #holds: boolean | undefined;

  /** `holds`: whether directories can be held here. */
  constructor(roots: Roots, reports: Reports, holds: () => boolean = canHold) {
    this.#roots = roots;
    this.#reports = reports;
    this.#canHold = holds;
  }

  /** What stands under a path; undefined when nothing does. A link that is not followed is seen as the link. */
  lookAt(path: string): Look | undefined {
    return this.at(path, ({ folder, name, stats, isLinked }) => {
      if (!isLinked) return describeStats(path, stats);
      return describeStats(path, stats, name === undefined ? folder.path : join(folder.path, name));
    });
  }

  /** The directory of this path, which the caller closes. Undefined when there is none. */
  enter(path: string): Folder | undefined {
    const spot = this.#walk(path);
    if (spot?.name === undefined) return spot?.folder;
    try {
      return spot.folder.enter(spot.name);
    } finally {
      spot.folder.close();
    }
  }

  /**
   * Opens the regular file that was looked at, and nothing else; undefined when something else has taken its place. What may
   * not be opened is reported once and undefined as well.
   */
  open(seen: Look): Opened | undefined {
    try {
      const opened = this.#openChecked(seen);
      this.#reports.healed("file_unreadable", seen.path);
      return opened;
    } catch (error) {
      const message = `${seen.path} cannot be opened: ${describe(error)}; it is tried again and again`;
      this.#reports.once("warn", "file_unreadable", seen.path, message);
      return undefined;
    }
  }

  #openChecked(seen: Look): Opened | undefined {
    const fd = this.at(seen.path, ({ folder, name }) =>
      name === undefined ? undefined : this.#open(folder, name, seen),
    );
    if (fd === undefined) return undefined;
    let look: Look | undefined;
    let isIt = false;
    try {
      look = lookAtOpen(fd, seen.path);
      isIt = look.kind === "file" && look.id === seen.id;
      // A path that is not held may have led elsewhere for a moment: what it leads to now must be what was opened.
      if (!this.isHolding) isIt &&= this.lookAt(seen.path)?.id === look.id;
    } finally {
      if (!isIt) closeSync(fd);
    }
    return isIt ? { fd, look } : undefined;
  }

  /**
   * The file is first named without being opened, and opened when it is known to be the right one: a FIFO or a device that was
   * put in its place is never touched. Node adds O_CLOEXEC.
   */
  #open(folder: Folder, name: string, seen: Look): number | undefined {
    if (!this.isHolding) return unlessGone(() => openSync(folder.at(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    const named = unlessGone(() => openSync(folder.at(name), O_PATH | O_NOFOLLOW));
    if (named === undefined) return undefined;
    try {
      const look = lookAtOpen(named, seen.path);
      if (look.kind !== "file" || look.id !== seen.id) return undefined;
      return openSync(`/proc/self/fd/${named}`, O_RDONLY | O_NONBLOCK);
    } finally {
      closeSync(named);
    }
  }

  /**
   * Deletes the file that was looked at. It is first renamed to `aside`, a free name in its directory: a rotation that gives its
   * name to another file in that very moment is noticed before anything is deleted, and undone. False when it was not deleted.
   */
  remove(seen: Look, aside: string): boolean {
    const removed = this.at(seen.path, ({ folder, name, isLinked }) => {
      if (name === undefined || isLinked || !this.isHolding || folder.look(aside) !== undefined) return false;
      if (unlessGone(() => renameSync(folder.at(name), folder.at(aside)) ?? true) === undefined) return false;
      const stats = folder.look(aside);
      if (stats !== undefined && describeStats(seen.path, stats).id === seen.id) {
        unlinkSync(folder.at(aside));
        return true;
      }
      giveBack(folder, aside, name);
      return false;
    });
    return removed === true;
  }

  /** Calls the action with the place that a path leads to; undefined when it leads nowhere. */
  at<T>(path: string, action: (spot: Spot) => T | undefined): T | undefined {
    const spot = this.#walk(path);
    if (spot === undefined) return undefined;
    try {
      return action(spot);
    } finally {
      spot.folder.close();
    }
  }

  #walk(path: string): Spot | undefined {
    let route = this.#roots.routeTo(path);
    for (let links = 0; route !== undefined; links++) {
      const spot = this.#descend(route, links > 0);
      if (spot?.name === undefined || !spot.stats.isSymbolicLink()) return spot;
      const target = links < LINKS_MAX ? spot.folder.readLink(spot.name) : undefined;
      const next: Route | undefined = target === undefined ? undefined : this.#aim(spot.folder, target);
      // A link at the end of the path can be looked at as what it is; one on the way to something is its end.
      if (next === undefined && spot.rest.length === 0) return spot;
      spot.folder.close();
      route = next && { base: next.base, names: [...next.names, ...spot.rest] };
    }
    return undefined;
  }

  /** Goes along names as far as no link stands in the way. */
  #descend({ base, names }: Route, isLinked: boolean): Spot | undefined {
    const start = Folder.open(base, this.isHolding);
    if (start === undefined) return undefined;
    let folder: Folder = start;
    let spot: Spot | undefined;
    try {
      for (const [i, name] of names.entries()) {
        const rest = names.slice(i + 1);
        const child = rest.length === 0 ? undefined : folder.enter(name);
        if (child === undefined) {
          const stats = folder.look(name);
          if (stats !== undefined && (rest.length === 0 || stats.isSymbolicLink()))
            spot = { folder, name, stats, rest, isLinked };
          return spot;
        }
        folder.close();
        folder = child;
      }
      const stats = folder.lookAtSelf();
      if (stats !== undefined) spot = { folder, name: undefined, stats, rest: [], isLinked };
      return spot;
    } finally {
      if (spot === undefined) folder.close();
    }
  }

  #aim(folder: Folder, target: string): Route | undefined {
    const whole = target.startsWith("/") ? target : join(folder.realPath, target);
    return this.#roots.routeInside(normalize(whole).replace(/(.)\/$/, "$1"));
  }

  /** Directories can be held here; asked for once, and said if not. */
  get isHolding(): boolean {
    if (this.#holds === undefined) {
      this.#holds = this.#canHold();
      const message =
        "/proc/self/fd is missing: files are compared after they were opened instead of being reached through held directories, and reclaim is off (mount /proc; run on Linux)";
      if (!this.#holds) this.#reports.once("warn", "proc_unavailable", "", message);
    }
    return this.#holds;
  }
}

/** Unlike a rename, `link` does not replace a file that has come to the name since: then this one keeps its rotated name. */
function giveBack(folder: Folder, aside: string, name: string): void {
  try {
    linkSync(folder.at(aside), folder.at(name));
  } catch (error) {
    if (systemCode(error) === "EEXIST") return;
    throw error;
  }
  unlinkSync(folder.at(aside));
}
