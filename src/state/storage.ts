import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../core/clock.ts";
import { describe, ExitCode, PannierError } from "../core/errors.ts";
import { JOURNAL_MAX_BYTES, JOURNAL_SYNC_INTERVAL_MS, SNAPSHOT_RETRY_MS } from "../core/limits.ts";
import type { Log } from "../core/log.ts";
import { OLD_JOURNAL, prepareDirectory } from "./directory.ts";
import type { Entry } from "./entries.ts";
import { Journal } from "./journal.ts";
import { type Lock, takeLock } from "./lock.ts";
import { writeSnapshot } from "./snapshot.ts";
import type { Handler } from "./socket.ts";
import type { Table } from "./table.ts";

/** What `openState` has put together. */
export interface StorageParts {
  readonly directory: string;
  readonly lock: Lock;
  readonly journal: Journal;
  readonly table: Table;
  readonly scope: string;
  readonly uuid: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly journalMaxBytes?: number | undefined;
}

/** Where entries are kept: the journal, the snapshots that it is folded into, and the directory they are in. */
export class Storage {
  readonly #parts: StorageParts;
  #journal: Journal;
  #lock: Lock;
  #handler: Handler | undefined;
  readonly #journalMaxBytes: number;
  #snapshotting: Promise<void> | undefined;
  #snapshotNotBeforeMs = 0;
  /** `journal.old` is there: a snapshot that would replace it has not been completed. */
  #hasOldJournal = false;
  /** What the directory's path leads to is not what it was, and could not be made anew yet. */
  #isAway = false;
  #moving: Promise<void> | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #closed = false;
  #failing = false;

  constructor(parts: StorageParts) {
    this.#parts = parts;
    this.#lock = parts.lock;
    this.#journal = this.#watch(parts.journal);
    this.#journalMaxBytes = parts.journalMaxBytes ?? JOURNAL_MAX_BYTES;
  }

  /** The last change could not be written. Whoever wanted it tries again, so this ends once there is room. */
  get failing(): boolean {
    return this.#failing;
  }

  onRequest(handler: Handler): void {
    this.#handler = handler;
    this.#lock.onRequest(handler);
  }

  /** Writes all or none; see StateStore. Who calls has not changed anything yet. */
  append(entries: readonly Entry[], durable: boolean): void {
    const { directory, log } = this.#parts;
    if (this.#closed)
      throw new PannierError("state_closed", "the state was changed after its stop", {
        hint: "this is a defect of pannier",
      });
    try {
      if (this.#isAway) throw new Error("the directory is gone");
      this.#journal.append(entries, durable);
    } catch (error) {
      this.#failing = true;
      if (!this.#isAway) this.#snapshotSoon();
      throw new PannierError(
        "state_write_failed",
        `the journal in ${directory} cannot be written (${describe(error)}); no line is lost, sending waits until it can`,
        {
          hint: "the volume of state_dir is full, read-only, gone or broken: free some space there (pannier needs about 30 MB) or repair it; pannier tries again by itself",
          exitCode: ExitCode.state,
          cause: error,
        },
      );
    }
    if (this.#failing) log.info("state_recovered", `the journal in ${directory} can be written again`);
    this.#failing = false;
  }

  /** To be called when the entries are in the table too. */
  foldIfDue(): void {
    if (this.#journal.sizeBytes >= this.#journalMaxBytes || this.#journal.isSuspect) this.#snapshotSoon();
  }

  /** Everything so far is on the disk; false when the disk refused. */
  sync(): Promise<boolean> {
    return this.#journal.sync();
  }

  async stop(): Promise<void> {
    if (this.#closed) return;
    const { clock, log, directory } = this.#parts;
    if (!this.#journal.isInPlace()) this.#moveSoon();
    await this.#moving;
    this.#closed = true;
    await this.#snapshotting;
    clearTimeout(this.#retryTimer);
    try {
      this.#journal.append([{ t: "stop", at: clock.nowMs() }], false);
      await this.#journal.sync();
    } catch (error) {
      log.warn("state_stop_unrecorded", `the stop could not be written in ${directory}: ${describe(error)}`, {
        hint: "nothing is lost; the next start takes this for a crash",
      });
    }
    await this.#journal.close();
    await this.#lock.release();
  }

  /** A snapshot goes with a new journal, so it also heals a journal that cannot be written where it is now. */
  #snapshotSoon(): void {
    if (this.#parts.clock.monotonicMs() >= this.#snapshotNotBeforeMs) void this.snapshot();
  }

  /** Without a write that would, looks again later. */
  #retry(afterMs: number, action: () => void): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(action, afterMs).unref();
  }

  /** Folds the journal into a new snapshot. It never rejects: trouble is reported, and the journal still has everything. */
  snapshot(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#snapshotting ??= this.#snapshot().finally(() => {
      this.#snapshotting = undefined;
    });
    return this.#snapshotting;
  }

  /**
   * First the journal goes on in a new file, so that no entry is missed; then the snapshot is written; then the old journal
   * can go. After a crash between any two steps the older snapshot with both journals, or the newer one with the new journal,
   * say the same.
   */
  async #snapshot(): Promise<void> {
    const { directory, table, uuid, clock, log } = this.#parts;
    const journal = this.#journal;
    const wasSuspect = journal.isSuspect;
    try {
      if (!this.#hasOldJournal) journal.rotate();
      this.#hasOldJournal = true;
      const { sequence } = journal;
      const directoryFd = this.#lock.directory.fd;
      await writeSnapshot({ directory, directoryFd, table, sequence, uuid, nowMs: clock.nowMs() });
      rmSync(join(directory, OLD_JOURNAL), { force: true });
      this.#hasOldJournal = false;
      if (wasSuspect) this.#snapshotNotBeforeMs = clock.monotonicMs() + SNAPSHOT_RETRY_MS;
    } catch (error) {
      this.#snapshotNotBeforeMs = clock.monotonicMs() + SNAPSHOT_RETRY_MS;
      if (!this.#closed) this.#retry(SNAPSHOT_RETRY_MS, () => this.foldIfDue());
      log.warn(
        "state_snapshot_failed",
        `the snapshot in ${directory} cannot be written (${describe(error)}); the journal goes on growing`,
        {
          hint: "the volume of state_dir is full or broken: free some space there; nothing is lost, pannier tries again by itself",
        },
      );
    }
  }

  /** Looks with every sync whether it went well and whether the journal still stands where it was made. */
  #watch(journal: Journal): Journal {
    journal.afterSync = () => {
      if (this.#closed) return;
      if (journal.isInPlace()) this.foldIfDue();
      else this.#moveSoon();
    };
    return journal;
  }

  #moveSoon(): void {
    clearTimeout(this.#retryTimer);
    this.#moving ??= this.#move().finally(() => {
      this.#moving = undefined;
    });
  }

  /**
   * The directory was deleted, or another volume is mounted over it: what is written to the open journal would be gone with
   * this process. So the state begins anew at the same path with what is in memory. Another pannier may have begun there
   * meanwhile; two on the same files would send everything twice, so this one ends then, by an unhandled rejection.
   */
  async #move(): Promise<void> {
    const { directory, clock, log, scope, uuid } = this.#parts;
    await this.#snapshotting;
    if (!this.#isAway)
      log.error("state_gone", `the state directory ${directory} was deleted or replaced; it is made anew from memory`, {
        hint: "nothing is lost: pannier knows what it has sent. Whoever cleans up must leave state_dir alone while pannier runs",
      });
    this.#isAway = true;
    try {
      prepareDirectory(directory);
      if (!this.#lock.isInPlace()) await this.#takeLockAgain();
      const place = { directory, directoryFd: this.#lock.directory.fd, uuid, log };
      const start = { t: "start", at: clock.nowMs(), pid: process.pid, scope } as const;
      const before = this.#journal;
      this.#journal = this.#watch(Journal.create(place, before.sequence + 1, start));
      this.#hasOldJournal = true;
      this.#isAway = false;
      await before.close();
    } catch (error) {
      if (error instanceof PannierError && error.code === "state_locked") throw error;
      this.#failing = true;
      this.#retry(JOURNAL_SYNC_INTERVAL_MS, () => this.#moveSoon());
      return;
    }
    if (this.#failing) log.info("state_recovered", `the journal in ${directory} can be written again`);
    this.#failing = false;
    // The new journal has its number already; the snapshot is the one that it goes with.
    await this.snapshot();
  }

  async #takeLockAgain(): Promise<void> {
    const lock = await takeLock(this.#parts.directory);
    if (this.#handler !== undefined) lock.onRequest(this.#handler);
    const before = this.#lock;
    this.#lock = lock;
    await before.release();
  }
}
