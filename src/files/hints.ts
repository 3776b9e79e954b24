import { type FSWatcher, watch } from "node:fs";
import { describe, systemCode } from "../core/errors.ts";
import { WATCHED_DIRECTORIES_MAX } from "../core/limits.ts";
import type { Log } from "../core/log.ts";
import type { Directory } from "./directory.ts";
import { osPath } from "./names.ts";

/** No watch can be had at all; any other error is about one directory, which is tried again after its next look. */
const EXHAUSTED: ReadonlySet<string> = new Set([
  "EMFILE",
  "ENFILE",
  "ENOSPC",
  "ENOSYS",
  "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM",
]);

/**
 * Asks the operating system to say when something happens in a directory. A watch says it once and is taken down until
 * `rearm`: between two looks nobody needs to hear of every write, and a busy file would cost more in events than in reading.
 * Without notifications (NFS, no inotify instances left) everything is still found by the sweep, a little later.
 */
export class Hints {
  readonly #log: Log;
  readonly #onHint: (directory: Directory) => void;
  readonly #watch: typeof watch;
  readonly #watchers = new Map<Directory, FSWatcher | undefined>();
  #enabled = false;

  constructor(log: Log, onHint: (directory: Directory) => void, watchDirectory: typeof watch = watch) {
    this.#log = log;
    this.#onHint = onHint;
    this.#watch = watchDirectory;
  }

  /** Watches begin now, also those of directories that were added before. */
  start(): void {
    this.#enabled = true;
    for (const directory of this.#watchers.keys()) this.rearm(directory);
  }

  add(directory: Directory): void {
    if (this.#watchers.size >= WATCHED_DIRECTORIES_MAX) return;
    this.#watchers.set(directory, undefined);
    this.rearm(directory);
  }

  remove(directory: Directory): void {
    this.#watchers.get(directory)?.close();
    this.#watchers.delete(directory);
  }

  /** Watches a directory again; nothing happens while it is watched. */
  rearm(directory: Directory): void {
    if (!this.#enabled || !this.#watchers.has(directory) || this.#watchers.get(directory) !== undefined) return;
    try {
      const watcher = this.#watch(osPath(directory.path), { persistent: false });
      watcher.on("change", () => this.#fire(directory, watcher));
      watcher.on("error", () => this.#fire(directory, watcher));
      this.#watchers.set(directory, watcher);
    } catch (error) {
      if (EXHAUSTED.has(systemCode(error) ?? "")) this.#giveUp(error);
    }
  }

  #fire(directory: Directory, watcher: FSWatcher): void {
    watcher.close();
    if (this.#watchers.get(directory) !== watcher) return;
    this.#watchers.set(directory, undefined);
    this.#onHint(directory);
  }

  #giveUp(error: unknown): void {
    this.stop();
    const message = `no notifications about files (${describe(error)}): they are looked at every 0.25 to 9 s instead`;
    this.#log.info("hints_unavailable", message, { error: systemCode(error) });
  }

  stop(): void {
    this.#enabled = false;
    for (const watcher of this.#watchers.values()) watcher?.close();
    this.#watchers.clear();
  }
}
