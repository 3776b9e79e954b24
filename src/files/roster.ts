import { closeSync } from "node:fs";
import type { Clock } from "../core/clock.ts";
import type { SourceFile, SourceStatus } from "../core/source.ts";
import type { FileRecord, StateStore } from "../core/state.ts";
import { Dormant } from "./dormant.ts";
import type { FileEvents } from "./events.ts";
import type { Entry, Family } from "./family.ts";
import { headOf, readFirst } from "./head.ts";
import { Identity, type Identified } from "./identity.ts";
import { type Look, lookAtOpen } from "./open.ts";
import { Parking } from "./parking.ts";
import type { Patterns } from "./patterns.ts";
import type { Reports } from "./reports.ts";
import { type OpenHow, Source, type SourceFacts } from "./source.ts";
import { Telling } from "./telling.ts";
import type { Volume } from "./volume.ts";

export interface RosterOptions {
  readonly patterns: Patterns;
  readonly state: StateStore;
  readonly maxOpenFiles: number;
  readonly clock: Clock;
  readonly reports: Reports;
  readonly volume: Volume;
  readonly events: FileEvents;
  readonly isNeeded: (source: SourceFile) => boolean;
}

/** Owns every followed file and its descriptor. */
export class Roster {
  readonly sources: Set<Source> = new Set();
  readonly identity: Identity;
  readonly telling: Telling;
  /** A file of this family that is found now was there before it was looked for: before this process, or before a reload. */
  isFirstLook: (base: string) => boolean = () => true;
  readonly #byId = new Map<string, Source>();
  readonly #o: RosterOptions;
  readonly parking: Parking;
  #ordinal = 0;

  constructor(options: RosterOptions) {
    this.#o = options;
    this.identity = new Identity(options.state);
    this.telling = new Telling(options.events, options.reports);
    this.parking = new Parking(options, this);
  }

  /** No file can be opened, because none can be closed. */
  get isFull(): boolean {
    return this.parking.isFull;
  }

  /** Followed files by `device:inode`, without replaced ones. */
  get known(): ReadonlyMap<string, Source> {
    return this.#byId;
  }

  /**
   * Opens the file of an entry and finds or makes its record. Undefined when that is not possible now (it has just been
   * renamed, or all descriptors are in use) or not wanted (`onlyKnown` and it is not).
   */
  open(family: Family, entry: Entry, how: OpenHow): Source | undefined {
    if (!this.parking.makeRoom()) return undefined;
    const opened = this.#o.volume.open(entry.look);
    if (opened === undefined) return undefined;
    const { fd, look } = opened;
    let identified: Identified | undefined;
    try {
      identified = this.identity.identify(look, readFirst(fd), how.onlyKnown);
    } finally {
      if (identified === undefined) closeSync(fd);
    }
    if (identified === undefined) {
      family.putAside(new Dormant(undefined, look));
      return undefined;
    }
    const { record, isKnown } = identified;
    family.wake(look.id);
    const presentAtStart = this.isFirstLook(family.base);
    // Known without a cursor: the last run ended before a sink could begin.
    const isOld = isKnown ? record.cursors.size > 0 : presentAtStart && !how.isNewerThanState;
    const fromEnd = isOld && this.#o.patterns.inputs[family.input].startAt === "end";
    const source = this.#add(look, {
      ...how,
      record,
      family,
      fd,
      presentAtStart,
      startOffset: fromEnd ? look.size : 0,
    });
    this.telling.tell(source, () => {
      this.move(source, look.path);
      this.#o.events.opened(source);
    });
    return source;
  }

  #add(look: Look, facts: Omit<SourceFacts, "ordinal" | "look" | "nowMs">): Source {
    const source = new Source({ ...facts, look, ordinal: this.#ordinal++, nowMs: this.#o.clock.monotonicMs() });
    this.sources.add(source);
    this.#byId.set(source.id, source);
    source.family.add(source);
    source.family.activeAtMs = source.quietSinceMs;
    return source;
  }

  /** Notes the path under which a file is found now. */
  move(source: Source, path: string): void {
    source.path = path;
    source.missingSinceMs = undefined;
    if (source.record.lastPath !== path) this.#o.state.moveFile(source.record, path);
  }

  setStatus(source: Source, status: SourceStatus): void {
    if (source.status === status || source.status === "replaced" || source.status === "unlinked") return;
    source.status = status;
    this.#touch(source);
    this.#o.events.statusChanged(source);
  }

  /** The file is at none of its family's names any more. */
  leave(source: Source): void {
    if (source.isParked) return this.parking.miss(source);
    if (source.fd < 0) return;
    this.setStatus(source, lookAtOpen(source.fd, source.path).links === 0 ? "unlinked" : "rotated");
  }

  /** A file of another family is found under this name. False: it is still where it was, this is a second link to it. */
  adopt(source: Source, look: Look, family: Family): boolean {
    if (this.#o.volume.lookAt(source.path)?.id === source.id) return false;
    source.family.remove(source);
    family.add(source);
    source.family = family;
    source.renamed = true;
    this.move(source, look.path);
    return true;
  }

  /** Was written to. One that is no longer for it was perhaps overwritten: whoever reads on compares the tail. */
  noteWrite(source: Source, size: number, mtimeMs: number): void {
    if (size > source.size) this.#touch(source);
    source.size = size;
    source.mtimeMs = mtimeMs;
    this.#o.events.grown(source);
  }

  #touch(source: Source): void {
    source.quietSinceMs = this.#o.clock.monotonicMs();
    source.dueAtMs = 0;
    source.family.activeAtMs = source.quietSinceMs;
  }

  /** Closes a file that nobody needs. It stays open when it was written to just now. */
  close(source: Source): void {
    const { state, clock } = this.#o;
    const { record, family } = source;
    if (source.fd >= 0) {
      const look = lookAtOpen(source.fd, source.path);
      if (look.size !== source.size || look.mtimeMs !== source.mtimeMs) return;
      if (look.links === 0) {
        this.identity.retire(record);
        state.markGone(record, clock.nowMs());
      } else {
        this.identity.release(record);
        family.putAside(new Dormant(record, look));
      }
      closeSync(source.fd);
      source.fd = -1;
      this.#byId.delete(source.id);
    } else {
      state.markGone(record, clock.nowMs());
    }
    this.#forget(source);
  }

  /**
   * The file has new content: it goes on as a new source with the same descriptor and a record of its own, which is durable
   * before a byte of it is read. The old source waits for what is in flight. Undefined when it was replaced before.
   */
  replace(old: Source): Source | undefined {
    if (old.fd < 0 || old.status === "replaced") return undefined;
    const look = lookAtOpen(old.fd, old.path);
    const record = this.identity.introduce(look, headOf(readFirst(old.fd), false));
    const next = this.#succeed(old, record, look, 0);
    this.telling.tell(next, () => this.#o.events.replaced(old, next));
    return next;
  }

  #succeed(old: Source, record: FileRecord, look: Look, startOffset: number): Source {
    this.identity.retire(old.record);
    const { family, presentAtStart, status, predecessor, fd } = old;
    const next = this.#add(look, { record, family, presentAtStart, startOffset, status, fd, predecessor });
    next.renamed = old.renamed;
    if (family.newest === old) family.newest = next;
    old.fd = -1;
    old.status = "replaced";
    return next;
  }

  /** Gives a file its key, once; see FileCatalogue.ensureKey. */
  ensureKey(source: Source, force: boolean): boolean {
    if (source.record.key !== "") return true;
    if (source.fd < 0) return false;
    const head = headOf(readFirst(source.fd), force);
    if (head === undefined) return false;
    if (this.identity.name(source.record, head)) return true;
    // The record was made while the file was empty, and now the file begins like one that had its inode before. It goes on
    // under a raised generation. Nothing was read of it, so nothing is lost: to the old source it is empty.
    const look = lookAtOpen(source.fd, source.path);
    const next = this.#succeed(source, this.identity.introduce(look, head), look, source.startOffset);
    source.size = 0;
    this.telling.tell(next, () => this.#o.events.replaced(source, next));
    return false;
  }

  /** No input follows it any more. The state keeps how far it was read, should one do so again. */
  giveUp(source: Source): void {
    if (source.fd >= 0) {
      if (lookAtOpen(source.fd, source.path).links === 0) this.setStatus(source, "unlinked");
      closeSync(source.fd);
      source.fd = -1;
    }
    if (source.status !== "replaced") {
      this.identity.release(source.record);
      this.#byId.delete(source.id);
    }
    this.#forget(source);
  }

  #forget(source: Source): void {
    source.closed = true;
    this.parking.forget(source);
    this.sources.delete(source);
    source.family.remove(source);
    if (source.family.newest === source) source.family.newest = undefined;
    this.#o.events.closed(source);
  }

  /** Closes every descriptor; nothing is told and nothing is journaled. */
  stop(): void {
    for (const source of this.sources) {
      if (source.fd >= 0) closeSync(source.fd);
      source.fd = -1;
      source.closed = true;
    }
    this.sources.clear();
    this.#byId.clear();
  }
}
