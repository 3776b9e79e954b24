import type { Placement } from "../core/record.ts";
import type {
  Boundary,
  Commit,
  CopyPlace,
  CursorRecord,
  FileRecord,
  Found,
  SentMark,
  StateStore,
} from "../core/state.ts";
import type { Entry } from "./entries.ts";
import { entriesOf, sentEntry } from "./entries-of.ts";
import type { Handler } from "./socket.ts";
import type { Storage } from "./storage.ts";
import type { Table } from "./table.ts";
import { commitEntries } from "./totals.ts";

/** The state of all files: every change is first an entry in the journal, then a change in memory. */
export class Store implements StateStore {
  readonly found: Found;
  readonly scope: string;
  readonly #table: Table;
  readonly #storage: Storage;

  constructor(parts: { storage: Storage; table: Table; found: Found; scope: string }) {
    this.#storage = parts.storage;
    this.#table = parts.table;
    this.found = parts.found;
    this.scope = parts.scope;
  }

  /** The last change could not be written. Whoever wanted it tries again, so this ends once there is room. */
  get failing(): boolean {
    return this.#storage.failing;
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

  addCopy(file: FileRecord, { device, inode, birthtimeMs: born, size }: CopyPlace): void {
    const { copy } = file;
    if (copy?.device === device && copy.inode === inode && copy.birthtimeMs === born && copy.size === size) return;
    this.#change(file, { t: "copy", file: file.uid, device, inode, born, size });
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

  markSent(marks: readonly SentMark[]): void {
    const rising = marks.filter(({ cursor, to }) => to > cursor.sent);
    if (rising.length === 0) return;
    const entries = rising.map(({ file, cursor, to, tail }) => sentEntry(file.uid, cursor.sink, to, tail));
    this.#write(entries, false, this.#dropped(rising));
  }

  addBoundary(file: FileRecord, cursor: CursorRecord, boundary: Boundary): void {
    this.#change(file, { t: "boundary", file: file.uid, sink: cursor.sink, ...boundary });
  }

  addSalt(file: FileRecord, cursor: CursorRecord, from: number, salt: number): void {
    this.#change(file, { t: "salt", file: file.uid, sink: cursor.sink, from, salt }, true);
  }

  addPlacement(file: FileRecord, cursor: CursorRecord, placement: Placement): void {
    this.#change(file, { t: "place", file: file.uid, sink: cursor.sink, ...placement });
  }

  commit(commits: readonly Commit[]): void {
    if (commits.length > 0) this.#write(commitEntries(commits), false, this.#dropped(commits));
  }

  /** Who answers what `askRunning` of another process asks. */
  onRequest(handler: Handler): void {
    this.#storage.onRequest(handler);
  }

  /** Everything so far is on the disk; false when the disk refused. */
  sync(): Promise<boolean> {
    return this.#storage.sync();
  }

  /** Folds the journal into a new snapshot; never rejects. */
  snapshot(): Promise<void> {
    return this.#storage.snapshot();
  }

  stop(): Promise<void> {
    return this.#storage.stop();
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
    this.#storage.append([...dropped.flatMap((file) => [...entriesOf(file)]), ...entries], durable);
    for (const file of dropped) this.#table.adopt(file);
    for (const entry of entries) this.#table.apply(entry);
    this.#storage.foldIfDue();
  }
}
