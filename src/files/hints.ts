import type { FSWatcher, watch } from "chokidar";
import { describe, systemCode } from "../core/errors.ts";
import { WATCHED_DIRECTORIES_MAX } from "../core/limits.ts";
import type { Log } from "../core/log.ts";
import type { Directory } from "./directory.ts";

/** Makes a watch; chokidar's, unless a test brings its own. */
export type Watch = typeof watch;

/** No watch can be had at all; any other error is about one directory, which is tried again after its next look. */
const EXHAUSTED: ReadonlySet<string> = new Set([
  "EMFILE",
  "ENFILE",
  "ENOSPC",
  "ENOSYS",
  "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM",
  "ERR_MODULE_NOT_FOUND",
]);

/**
 * Asks to be told when something happens in a quiet directory. A watch says it once and is taken down: what is busy is looked
 * at four times a second anyway, and hearing of every write would cost more than reading what was written (see
 * `docs/decisions/0007-hints.md`). Without notifications (NFS, no inotify instances left, chokidar not installed) everything
 * is still found by the sweep, a little later.
 */
export class Hints {
  readonly #log: Log;
  readonly #onHint: (directory: Directory) => void;
  #watch: Watch | undefined;
  readonly #watchers = new Map<Directory, FSWatcher | undefined>();
  #enabled = false;

  constructor(log: Log, onHint: (directory: Directory) => void, watchDirectory?: Watch) {
    this.#log = log;
    this.#onHint = onHint;
    this.#watch = watchDirectory;
  }

  /** From now on directories can be armed. */
  async start(): Promise<void> {
    this.#enabled = true;
    try {
      this.#watch ??= (await import("chokidar")).watch;
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** It can be armed from now on. */
  add(directory: Directory): void {
    // chokidar knows paths as text; a name that is none is left to the sweep.
    if (this.#watchers.size >= WATCHED_DIRECTORIES_MAX || !directory.path.isWellFormed()) return;
    this.#watchers.set(directory, undefined);
  }

  remove(directory: Directory): void {
    this.#disarm(directory);
    this.#watchers.delete(directory);
  }

  /** Watches a quiet directory until something happens in it; nothing happens while it is watched. */
  arm(directory: Directory): void {
    if (this.#watch === undefined || !this.#enabled) return;
    if (!this.#watchers.has(directory) || this.#watchers.get(directory) !== undefined) return;
    try {
      const { path } = directory;
      // Its files are ignored, so that none is asked about: "raw" tells of every event in the directory nevertheless.
      const ignored = (each: string): boolean => each !== path;
      const options = {
        depth: 0,
        ignored,
        ignoreInitial: true,
        persistent: false,
        followSymlinks: false,
        atomic: false,
      };
      const watcher = this.#watch(path, options);
      this.#watchers.set(directory, watcher);
      watcher.on("raw", () => this.#fire(directory, watcher));
      watcher.on("error", (error) => this.#fail(directory, watcher, error));
      // A directory that is not there leaves nothing to watch; it is armed again when it was found.
      watcher.on("ready", () => {
        if (Object.keys(watcher.getWatched()).length === 0 && this.#watchers.get(directory) === watcher)
          this.#disarm(directory);
      });
    } catch (error) {
      if (EXHAUSTED.has(systemCode(error) ?? "")) this.#giveUp(error);
    }
  }

  #fire(directory: Directory, watcher: FSWatcher): void {
    if (this.#watchers.get(directory) !== watcher) return;
    this.#disarm(directory);
    this.#onHint(directory);
  }

  #fail(directory: Directory, watcher: FSWatcher, error: unknown): void {
    if (EXHAUSTED.has(systemCode(error) ?? "")) this.#giveUp(error);
    else this.#fire(directory, watcher);
  }

  #disarm(directory: Directory): void {
    void this.#watchers.get(directory)?.close();
    if (this.#watchers.has(directory)) this.#watchers.set(directory, undefined);
  }

  #giveUp(error: unknown): void {
    if (!this.#enabled) return;
    this.stop();
    const message = `no notifications about files (${describe(error)}): they are looked at every 0.25 to 9 s instead`;
    this.#log.info("hints_unavailable", message, { error: systemCode(error) });
  }

  stop(): void {
    this.#enabled = false;
    for (const watcher of this.#watchers.values()) void watcher?.close();
    this.#watchers.clear();
  }
}
