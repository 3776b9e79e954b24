import { fsync, fsyncSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "../core/builtins.ts";
import { describe } from "../core/errors.ts";
import { JOURNAL_SYNC_INTERVAL_MS } from "../core/limits.ts";
import type { Log } from "../core/log.ts";
import { JOURNAL, OLD_JOURNAL } from "./directory.ts";
import { FORMAT_VERSION } from "./entries.ts";
import type { Entry } from "./entries.ts";
import { LineFile } from "./line-file.ts";

const fsyncLater = promisify(fsync);

/** What a journal needs to know of its directory. */
export interface JournalPlace {
  readonly directory: string;
  readonly directoryFd: number;
  readonly uuid: string | undefined;
  readonly log: Log;
}

/**
 * The journal that is being written. Entries are written when `append` returns and fsynced in groups: the first entry after a
 * sync starts a timer, so a silent agent has none.
 */
export class Journal {
  readonly #place: JournalPlace;
  #file: LineFile;
  /** Journals that were rotated away and may hold bytes that are not on the disk yet. */
  #rotated: LineFile[] = [];
  /** The name `journal` may still mean the rotated file after a power cut. */
  #directoryDirty = false;
  #timer: NodeJS.Timeout | undefined;
  #syncing: Promise<boolean> | undefined;
  /** The last sync was refused, and that was said. */
  #failing = false;
  #isSuspect = false;
  #closed = false;
  sequence: number;
  /** Called after every group of syncs. */
  afterSync: () => void = () => {};

  private constructor(place: JournalPlace, file: LineFile, sequence: number) {
    this.#place = place;
    this.#file = file;
    this.sequence = sequence;
  }

  /** Begins journal `sequence` in the place of any that are there: the snapshot has them. */
  static create(place: JournalPlace, sequence: number, first: Entry): Journal {
    const file = newFile(place, sequence, [first]);
    try {
      file.syncNow();
      renameSync(newPath(place), join(place.directory, JOURNAL));
      rmSync(join(place.directory, OLD_JOURNAL), { force: true });
      fsyncSync(place.directoryFd);
    } catch (error) {
      file.close();
      throw error;
    }
    return new Journal(place, file, sequence);
  }

  get sizeBytes(): number {
    return this.#file.size;
  }

  /** Appends all or none. With `durable` they are on the disk when this returns, and so is all before them. */
  append(entries: readonly Entry[], durable: boolean): void {
    const before = this.#file.size;
    this.#file.append(entries);
    if (durable) {
      try {
        for (const file of this.#rotated) file.syncNow();
        if (this.#directoryDirty) fsyncSync(this.#place.directoryFd);
        this.#directoryDirty = false;
        this.#file.syncNow();
      } catch (error) {
        this.#file.rollBack(before);
        throw error;
      }
    }
    this.#arm();
  }

  /** Goes on in a new file; the one so far stays as `journal.old` until a snapshot has it. */
  rotate(): void {
    const { directory } = this.#place;
    const file = newFile(this.#place, this.sequence + 1, []);
    try {
      // So that a power cut leaves its head at least, and a journal that is missing is told from one that is young.
      file.syncNow();
      renameSync(join(directory, JOURNAL), join(directory, OLD_JOURNAL));
      try {
        renameSync(newPath(this.#place), join(directory, JOURNAL));
      } catch (error) {
        renameSync(join(directory, OLD_JOURNAL), join(directory, JOURNAL));
        throw error;
      }
    } catch (error) {
      file.close();
      throw error;
    }
    this.#rotated.push(this.#file);
    this.#directoryDirty = true;
    this.#file = file;
    this.#isSuspect = false;
    this.sequence += 1;
  }

  /** Everything that was appended is on the disk; false when that failed. Never two at once. */
  async sync(): Promise<boolean> {
    while (this.#syncing !== undefined) await this.#syncing;
    this.#syncing = this.#syncAll();
    try {
      return await this.#syncing;
    } finally {
      this.#syncing = undefined;
    }
  }

  /**
   * The disk refused a sync of this file: what was written since the last good one is safe from a crash, not from a power
   * cut, and no later sync makes it so, since the kernel may have given up on those pages. A new file, with a snapshot, does.
   */
  get isSuspect(): boolean {
    return this.#isSuspect;
  }

  /** The name `journal` still means the file that is being written. */
  isInPlace(): boolean {
    return this.#file.isAt(join(this.#place.directory, JOURNAL));
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    while (this.#syncing !== undefined) await this.#syncing;
    for (const file of [...this.#rotated, this.#file]) file.close();
    this.#rotated = [];
  }

  async #syncGroup(): Promise<void> {
    const synced = await this.sync();
    this.#timer = undefined;
    this.afterSync();
    if (!synced && !this.#closed) this.#arm();
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => void this.#syncGroup(), JOURNAL_SYNC_INTERVAL_MS).unref();
  }

  async #syncAll(): Promise<boolean> {
    const rotated = this.#rotated.length;
    const file = this.#file;
    try {
      for (const old of this.#rotated.slice(0, rotated)) await old.sync();
      if (this.#directoryDirty) {
        this.#directoryDirty = false;
        await fsyncLater(this.#place.directoryFd);
      }
      await file.sync();
      this.#failing = false;
    } catch (error) {
      this.#directoryDirty = true;
      this.#isSuspect = true;
      if (this.#failing) return false;
      this.#failing = true;
      this.#place.log.error(
        "state_sync_failed",
        `the journal in ${this.#place.directory} cannot be synced to the disk: ${describe(error)}`,
        {
          hint: "a crash of pannier loses nothing, a power cut could lose the progress since; check the disk",
        },
      );
      return false;
    }
    for (const old of this.#rotated.splice(0, rotated)) old.close();
    return true;
  }
}

function newPath(place: JournalPlace): string {
  return join(place.directory, `${JOURNAL}.new`);
}

function newFile(place: JournalPlace, sequence: number, entries: readonly Entry[]): LineFile {
  const uuid = place.uuid;
  const head: Entry = {
    t: "pannier",
    format: FORMAT_VERSION,
    kind: "journal",
    sequence,
    ...(uuid !== undefined && { uuid }),
  };
  const file = new LineFile(newPath(place));
  try {
    file.append([head, ...entries]);
  } catch (error) {
    file.close();
    throw error;
  }
  return file;
}
