import type { Clock } from "../core/clock.ts";
import { WALK_MAX_DEPTH } from "../core/limits.ts";
import { type Directory, newDirectory } from "./directory.ts";
import type { Reports } from "./reports.ts";
import type { Volume } from "./volume.ts";

export interface TreeOptions {
  readonly clock: Clock;
  readonly reports: Reports;
  readonly volume: Volume;
  /** A directory is listed for the first time, or gone. */
  found(directory: Directory): void;
  lost(directory: Directory): void;
}

/** The directories that are looked at, each once, however many ways lead to it. */
export class Tree {
  readonly all: Map<string, Directory> = new Map();
  readonly #byId = new Map<string, Directory>();
  readonly #o: TreeOptions;

  constructor(options: TreeOptions) {
    this.#o = options;
  }

  addRoot(path: string): void {
    const known = this.all.get(path);
    if (known === undefined) this.#add(path, true, 0);
    else known.isRoot = true;
  }

  /** A directory was found in one that is looked at. */
  addBelow(parent: Directory, path: string): void {
    if (this.all.has(path)) return;
    if (parent.depth >= WALK_MAX_DEPTH) {
      const message = `${path} lies more than ${WALK_MAX_DEPTH} directories deep and is not looked into (name a directory further down)`;
      this.#o.reports.once("warn", "too_deep", "", message);
    } else if (!this.#isElsewhere(path)) this.#add(path, false, parent.depth + 1);
  }

  /** It was looked at; `id` is `device:inode`. */
  identify(directory: Directory, id: string): void {
    if (directory.id === id) return;
    this.#forgetId(directory);
    directory.id = id;
    if (directory.isRoot || !this.#byId.has(id)) this.#byId.set(id, directory);
  }

  remove(directory: Directory): void {
    this.all.delete(directory.path);
    this.#forgetId(directory);
    this.#o.lost(directory);
  }

  #add(path: string, isRoot: boolean, depth: number): void {
    const directory = newDirectory(path, isRoot, depth, this.#o.clock.monotonicMs());
    this.all.set(path, directory);
    this.#o.found(directory);
  }

  #forgetId(directory: Directory): void {
    if (this.#byId.get(directory.id) === directory) this.#byId.delete(directory.id);
  }

  /**
   * The directory is also looked at under another path, which is still its own: a link or a mount leads back to it. To go
   * there as well could go on for ever.
   */
  #isElsewhere(path: string): boolean {
    const { volume, reports } = this.#o;
    try {
      const look = volume.lookAt(path);
      const other = look && this.#byId.get(look.id);
      if (look === undefined || other === undefined || other.path === path) return false;
      if (volume.lookAt(other.path)?.id !== look.id) return false;
      const message = `${path} is the same directory as ${other.path}, and its files are followed there`;
      reports.once("info", "directory_twice", path, message);
      return true;
    } catch {
      return false;
    }
  }
}
