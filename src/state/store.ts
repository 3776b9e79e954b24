import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../core/clock.ts";
import { describe, ExitCode, PannierError } from "../core/errors.ts";
import { JOURNAL_MAX_BYTES, SNAPSHOT_RETRY_MS } from "../core/limits.ts";
import type { Log } from "../core/log.ts";
import type { Boundary, Commit, CopyPlace, CursorRecord, FileRecord, Found, StateStore } from "../core/state.ts";
import { OLD_JOURNAL } from "./directory.ts";
import type { Entry } from "./entries.ts";
import { entriesOf } from "./entries-of.ts";
import type { Journal } from "./journal.ts";
import type { Lock } from "./lock.ts";
import { writeSnapshot } from "./snapshot.ts";
import type { Handler } from "./socket.ts";
import type { Table } from "./table.ts";
import { commitEntries } from "./totals.ts";

/** What `openState` has put together. */
export interface StoreParts {
  readonly directory: string;
  readonly lock: Lock;
  readonly journal: Journal;
  readonly table: Table;
  readonly found: Found;
  readonly scope: string;
  readonly uuid: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly journalMaxBytes?: number | undefined;
}

/** The state of all files: every change is first an entry in the journal, then a change in memory. */
export class Store implements StateStore {
  readonly found: Found;
  readonly scope: string;
  readonly #parts: StoreParts;
  readonly #table: Table;
  readonly #journalMaxBytes: number;
  #snapshotting: Promise<void> | undefined;
  #snapshotNotBeforeMs = 0;
  /** `journal.old` is there: a snapshot that would replace it has not been completed. */
  #hasOldJournal = false;
  #closed = false;
  #failing = false;

  constructor(parts: StoreParts) {
    this.#parts = parts;
    this.#table = parts.table;
    this.found = parts.found;
    this.scope = parts.scope;
    this.#journalMaxBytes = parts.journalMaxBytes ?? JOURNAL_MAX_BYTES;
  }

  /** The last change could not be written. Whoever wanted it tries again, so this ends once there is room. */
  get failing(): boolean {
    return this.#failing;
  }

  get files(): ReadonlyMap<number, FileRecord> {
    return this.#table.files;
  }

  addFile(facts: Parameters<StateStore["addFile"]>[0]): FileRecord {
    // The number is used up even if the write fails: should half of it stay on a broken disk, nobody else has this number.
    const file = this.#table.nextUid++;
    const { device, inode, birthtimeMs: born, path, seenMtimeMs: mtime, generation } = facts;
    this.#write([{ t: "file", file, device, inode, born, path, mtime, generation }], generation > 0);
    return this.#table.files.get(file)!;
  }

  nameFile(file: FileRecord, headHash: string, headBytes: number, key: string): void {
    if (file.key !== "") return;
    this.#change(file, { t: "name", file: file.uid, head: headHash, headBytes, key });
  }

  moveFile(file: FileRecord, path: string): void {
    if (file.lastPath !== path) this.#change(file, { t: "move", file: file.uid, path });
  }

  markGone(file: FileRecord, goneAtMs: number): void {
    if (file.goneAtMs !== goneAtMs) this.#change(file, { t: "gone", file: file.uid, at: goneAtMs });
  }

  addCopy(file: FileRecord, { device, inode, birthtimeMs: born }: CopyPlace): void {
    const { copy } = file;
    if (copy?.device === device && copy.inode === inode && copy.birthtimeMs === born) return;
    this.#change(file, { t: "copy", file: file.uid, device, inode, born });
  }

  noteSize(file: FileRecord, seenBytes: number): void {
    if (seenBytes > file.seenBytes) this.#change(file, { t: "size", file: file.uid, seen: seenBytes });
  }

  openCursor(file: FileRecord, sink: string, start: number): CursorRecord {
    if (!file.cursors.has(sink)) this.#change(file, { t: "cursor", file: file.uid, sink, start });
    return file.cursors.get(sink)!;
  }

  /** The cursors of a sink that was called `was` before. */
  renameSink(was: string, name: string): void {
    for (const { cursors } of this.#table.files.values()) {
      if (!cursors.has(was) || cursors.has(name)) continue;
      this.#write([{ t: "sink", was, name }], false);
      return;
    }
  }

  markSent(marks: readonly { file: FileRecord; cursor: CursorRecord; to: number }[]): void {
    const rising = marks.filter(({ cursor, to }) => to > cursor.sent);
    if (rising.length === 0) return;
    const entries = rising.map(({ file, cursor, to }): Entry => ({ t: "sent", file: file.uid, sink: cursor.sink, to }));
    this.#write(entries, false, this.#dropped(rising));
  }

  addBoundary(file: FileRecord, cursor: CursorRecord, boundary: Boundary): void {
    this.#change(file, { t: "boundary", file: file.uid, sink: cursor.sink, ...boundary });
  }

  addSalt(file: FileRecord, cursor: CursorRecord, from: number, salt: number): void {
    this.#change(file, { t: "salt", file: file.uid, sink: cursor.sink, from, salt }, true);
  }

  commit(commits: readonly Commit[]): void {
    if (commits.length > 0) this.#write(commitEntries(commits), false, this.#dropped(commits));
  }

  /** Who answers what `askRunning` of another process asks. */
  onRequest(handler: Handler): void {
    this.#parts.lock.onRequest(handler);
  }

  /** Everything so far is on the disk; false when the disk refused. */
  sync(): Promise<boolean> {
    return this.#parts.journal.sync();
  }

  async stop(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { journal, lock, clock, log, directory } = this.#parts;
    await this.#snapshotting;
    try {
      journal.append([{ t: "stop", at: clock.nowMs() }], false);
      await journal.sync();
    } catch (error) {
      log.warn("state_stop_unrecorded", `the stop could not be written in ${directory}: ${describe(error)}`, {
        hint: "nothing is lost; the next start takes this for a crash",
      });
    }
    await journal.close();
    await lock.release();
  }

  #change(file: FileRecord, entry: Entry, durable = false): void {
    this.#write([entry], durable, this.#dropped([{ file }]));
  }

  /** The files among these that are not in the table. */
  #dropped(changes: readonly { readonly file: FileRecord }[]): readonly FileRecord[] {
    return changes.map(({ file }) => file).filter((file) => this.#table.files.get(file.uid) !== file);
  }

  /**
   * `dropped` are files that had been gone for long and left the table with a snapshot. Whoever still holds such a record (an
   * unlinked file whose bytes wait for a sink that is down since yesterday) brings it back by changing it.
   */
  #write(entries: readonly Entry[], durable: boolean, dropped: readonly FileRecord[] = []): void {
    const { journal, directory, log } = this.#parts;
    if (this.#closed)
      throw new PannierError("state_closed", "the state was changed after its stop", {
        hint: "this is a defect of pannier",
      });
    try {
      journal.append([...dropped.flatMap((file) => [...entriesOf(file)]), ...entries], durable);
    } catch (error) {
      this.#failing = true;
      this.#snapshotSoon();
      throw new PannierError(
        "state_write_failed",
        `the journal in ${directory} cannot be written (${describe(error)}); no line is lost, sending waits until it can`,
        {
          hint: "the volume of state_dir is full, read-only or broken: free some space there (pannier needs about 30 MB) or repair it; pannier tries again by itself",
          exitCode: ExitCode.state,
          cause: error,
        },
      );
    }
    if (this.#failing) log.info("state_recovered", `the journal in ${directory} can be written again`);
    this.#failing = false;
    for (const file of dropped) this.#table.adopt(file);
    for (const entry of entries) this.#table.apply(entry);
    if (journal.sizeBytes >= this.#journalMaxBytes || journal.failing) this.#snapshotSoon();
  }

  /** A snapshot goes with a new journal, so it also heals a journal that cannot be written where it is now. */
  #snapshotSoon(): void {
    if (this.#parts.clock.monotonicMs() >= this.#snapshotNotBeforeMs) void this.snapshot();
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
    const { journal, directory, lock, uuid, clock, log } = this.#parts;
    try {
      if (!this.#hasOldJournal) journal.rotate();
      this.#hasOldJournal = true;
      const { sequence } = journal;
      await writeSnapshot({
        directory,
        directoryFd: lock.directory.fd,
        table: this.#table,
        sequence,
        uuid,
        nowMs: clock.nowMs(),
      });
      rmSync(join(directory, OLD_JOURNAL), { force: true });
      this.#hasOldJournal = false;
      if (journal.failing) this.#snapshotNotBeforeMs = clock.monotonicMs() + SNAPSHOT_RETRY_MS;
    } catch (error) {
      this.#snapshotNotBeforeMs = clock.monotonicMs() + SNAPSHOT_RETRY_MS;
      log.warn(
        "state_snapshot_failed",
        `the snapshot in ${directory} cannot be written (${describe(error)}); the journal goes on growing`,
        {
          hint: "the volume of state_dir is full or broken: free some space there; nothing is lost, pannier tries again by itself",
        },
      );
    }
  }
}
