import type { Clock } from "../core/clock.ts";
import type { Place, SourceFile } from "../core/source.ts";
import type { FileRecord, StateStore } from "../core/state.ts";
import { provenBytes } from "./comparison.ts";
import type { FileEvents } from "./events.ts";
import type { Family } from "./family.ts";
import { headOf, readFirst } from "./head.ts";
import { type Look, type Opened, lookAtOpen } from "./open.ts";
import type { Roster } from "./roster.ts";
import type { Source } from "./source.ts";

export interface ContentsOptions {
  readonly state: StateStore;
  readonly clock: Clock;
  readonly events: FileEvents;
  /** Where the sinks are in a file. */
  places(file: SourceFile): readonly Place[];
  /** Its directory is to be listed soon: a copy of what it held may be there. */
  onOrphan(orphan: Source): void;
}

/**
 * What becomes of an open file when its content turns out to be another one. The file goes on as a new source. The old
 * source, an orphan now, waits until its directory was listed: copytruncate copies before it truncates, so what is left of
 * the old content is there already. The orphan then goes on with the copy as its file, at the same offsets and under the
 * same key, or its unread bytes are lost. A file without a descriptor that has gone from everywhere is an orphan as well.
 */
export class Contents {
  readonly orphans: Set<Source> = new Set();
  readonly #o: ContentsOptions;
  readonly #roster: Roster;

  constructor(options: ContentsOptions, roster: Roster) {
    this.#o = options;
    this.#roster = roster;
  }

  /** Whether the open file, of this size now, has not shrunk and still has what was read of it. */
  isIntact(source: Source, sizeBytes: number): boolean {
    return (
      sizeBytes >= Math.max(source.size, source.readTo) &&
      provenBytes(this.#o.places(source), source.fd, sizeBytes) >= 0
    );
  }

  /**
   * The file has new content: it goes on as a new source with the same descriptor and a record of its own, which is durable
   * before a byte of it is read. Undefined when it was replaced before.
   */
  replace(old: Source): Source | undefined {
    if (old.fd < 0 || old.status === "replaced") return undefined;
    const look = lookAtOpen(old.fd, old.path);
    old.size = Math.max(old.size, old.readTo);
    this.#roster.noteSize(old);
    const next = this.#succeed(old, headOf(readFirst(old.fd), false), look, 0);
    this.orphan(old);
    return next;
  }

  /** A content is in no file that is known to hold it. */
  orphan(source: Source): void {
    if (this.orphans.has(source)) return;
    source.orphanedAtMs = this.#o.clock.monotonicMs();
    this.orphans.add(source);
    this.#o.onOrphan(source);
  }

  #succeed(old: Source, head: Buffer | undefined, look: Look, startOffset: number): Source {
    const { events } = this.#o;
    const roster = this.#roster;
    const record = roster.identity.introduce(look, head);
    roster.identity.retire(old.record);
    const { family, presentAtStart, status, fd } = old;
    const next = roster.add(look, { record, family, presentAtStart, startOffset, status, fd });
    next.precededBy(old);
    next.renamed = old.renamed;
    if (family.newest === old) family.newest = next;
    old.fd = -1;
    old.status = "replaced";
    old.successor = next;
    roster.telling.tell(next, () => events.replaced(old, next));
    return next;
  }

  /** Gives a file its key, once; see FileCatalogue.ensureKey. */
  ensureKey(source: Source, force: boolean): boolean {
    if (source.record.key !== "") return true;
    if (source.fd < 0) return false;
    const head = headOf(readFirst(source.fd), force);
    if (head === undefined) return false;
    // These may be the first bytes of another content, or more than those that were said to be the end of a quiet file.
    const { size, mtimeMs } = lookAtOpen(source.fd, source.path);
    if (size < source.size) {
      this.replace(source);
      return false;
    }
    if (force && size > source.size) {
      this.#roster.noteWrite(source, size, mtimeMs);
      return false;
    }
    if (this.#roster.identity.name(source.record, head)) return true;
    // The record was made while the file was empty, and now the file begins like one that had its inode before. It goes on
    // under a raised generation. Nothing was read of it, so nothing is lost: to the old source it is empty.
    source.size = 0;
    const next = this.#succeed(source, head, lookAtOpen(source.fd, source.path), source.startOffset);
    this.#inheritCopies(next, source.record);
    return false;
  }

  /** What is known to be a copy of a record is one of that which takes its place. */
  #inheritCopies({ record, family }: Source, old: FileRecord): void {
    if (old.copy !== undefined) this.#o.state.addCopy(record, old.copy);
    for (const dormant of family.dormant) if (dormant.copyOf === old) dormant.copyOf = record;
  }

  /** A copy has what is left of an orphan's content, or a longer one has more of it than the one it has. The journal knows it before anything is read from there. */
  reseat(orphan: Source, family: Family, { fd, look }: Opened): void {
    const { state, events } = this.#o;
    const roster = this.#roster;
    state.addCopy(orphan.record, look);
    roster.identity.hold(orphan.record);
    roster.seat(orphan, family, fd, look);
    this.forget(orphan);
    roster.move(orphan, look.path);
    events.moved(orphan);
  }

  /** There is no copy: what was not read of an orphan is gone. */
  abandon(orphan: Source): void {
    this.forget(orphan);
    if (orphan.status === "replaced") return this.#o.events.lost(orphan);
    this.#o.state.markGone(orphan.record, this.#o.clock.nowMs());
    this.#roster.giveUp(orphan);
  }

  /** It is an orphan no longer. */
  forget(orphan: Source): void {
    orphan.orphanedAtMs = Infinity;
    this.orphans.delete(orphan);
  }
}
