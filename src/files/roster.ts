import { closeSync } from "node:fs";
import type { Clock } from "../core/clock.ts";
import type { Place, SourceFile, SourceStatus } from "../core/source.ts";
import type { FileRecord, StateStore } from "../core/state.ts";
import { Contents } from "./contents.ts";
import { Dormant } from "./dormant.ts";
import type { FileEvents } from "./events.ts";
import type { Family } from "./family.ts";
import { Identity } from "./identity.ts";
import { type Look, lookAtOpen } from "./open.ts";
import { Parking } from "./parking.ts";
import type { Reports } from "./reports.ts";
import { Source, type SourceFacts } from "./source.ts";
import { Telling } from "./telling.ts";
import type { Volume } from "./volume.ts";

/** A file's size is journaled again when it is larger by this much: 100 entries a second at 100 MB/s, none for idle files. */
const SEEN_STEP_BYTES = 1024 * 1024;

export interface RosterOptions {
  readonly state: StateStore;
  readonly maxOpenFiles: number;
  readonly clock: Clock;
  readonly reports: Reports;
  readonly volume: Volume;
  readonly events: FileEvents;
  readonly isNeeded: (source: SourceFile) => boolean;
  /** Where the sinks are in a file. */
  places(file: SourceFile): readonly Place[];
  /** A copy of what it held may be in its directory, which is to be listed soon. */
  onOrphan(orphan: Source): void;
}

/** Owns every followed file and its descriptor. */
export class Roster {
  readonly sources: Set<Source> = new Set();
  readonly identity: Identity;
  readonly telling: Telling;
  /** Those that came from another family. */
  readonly moved: Set<Source> = new Set();
  /** A file of this family that is found now was there before it was looked for: before this process, or before a reload. */
  isFirstLook: (base: string) => boolean = () => true;
  readonly #byId = new Map<string, Source>();
  readonly #o: RosterOptions;
  readonly contents: Contents;
  readonly parking: Parking;
  #ordinal = 0;

  constructor(options: RosterOptions) {
    this.#o = options;
    this.identity = new Identity(options.state);
    this.telling = new Telling(options.events, options.reports);
    this.contents = new Contents(options, this);
    this.parking = new Parking(options, this);
  }

  /** Followed files by `Look.id`, without replaced ones. */
  get known(): ReadonlyMap<string, Source> {
    return this.#byId;
  }

  /** A source for an open file, or for the new content of one. */
  add(look: Look, facts: Omit<SourceFacts, "ordinal" | "look" | "nowMs">): Source {
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
    if (source.isParked && source.status === "unlinked") this.parking.comeBack(source);
    if (source.record.lastPath !== path) this.#o.state.moveFile(source.record, path);
  }

  setStatus(source: Source, status: SourceStatus): void {
    if (source.status === status || source.status === "replaced" || source.status === "unlinked") return;
    source.status = status;
    this.noteSize(source);
    this.#touch(source);
    this.#o.events.statusChanged(source);
  }

  /** The file is at none of its family's names any more. */
  leave(source: Source): void {
    if (source.isParked) return this.parking.miss(source);
    if (source.fd < 0) return;
    this.setStatus(source, lookAtOpen(source.fd, source.path).links === 0 ? "unlinked" : "rotated");
  }

  /** A file of another family is found under this name. Nothing happens when it is still where it was: this is a second link. */
  adopt(source: Source, look: Look, family: Family): void {
    if (this.#o.volume.lookAt(source.path)?.id === source.id) return;
    this.#shift(source, family);
    source.renamed = true;
    this.move(source, look.path);
    // What it held before may have been copied before or after it was moved.
    for (const orphan of this.contents.orphans) if (orphan.latest === source) this.#shift(orphan, family);
  }

  #shift(source: Source, family: Family): void {
    source.formerFamily = source.family;
    source.family.remove(source);
    family.add(source);
    source.family = family;
    this.moved.add(source);
  }

  /** Contents that a copy beside the files of this family may hold. */
  contentsOf(family: Family): Source[] {
    return [...family.members, ...[...this.moved].filter(({ formerFamily }) => formerFamily === family)];
  }

  /**
   * Was written to: more was added, or it was overwritten, or cut, and has perhaps grown past its end since. That size would be
   * taken for the old content's, and what a copy of that lacks for lost. One that is parked is compared when it is opened.
   */
  noteWrite(source: Source, size: number, mtimeMs: number): void {
    if (source.fd >= 0 && !this.contents.isIntact(source, size)) return void this.contents.replace(source);
    if (size > source.size) this.#touch(source);
    source.size = size;
    source.mtimeMs = mtimeMs;
    // What has left its name is about to be deleted: whoever finds it gone knows only what is journaled.
    if (source.status !== "live" || size - source.record.seenBytes >= SEEN_STEP_BYTES) this.noteSize(source);
    this.#o.events.grown(source);
  }

  #touch(source: Source): void {
    source.quietSinceMs = this.#o.clock.monotonicMs();
    source.dueAtMs = 0;
    source.family.activeAtMs = source.quietSinceMs;
  }

  /** Gives a source that has no file of its own any more, or only a copy, another file. Its own may have been moved to another family. */
  seat(source: Source, family: Family, fd: number, look: Look): void {
    if (source.fd >= 0) {
      source.family.putAside(new Dormant(undefined, lookAtOpen(source.fd, source.path), source.record));
      closeSync(source.fd);
    }
    if (source.family !== family) this.#shift(source, family);
    if (this.#byId.get(source.id) === source) this.#byId.delete(source.id);
    this.parking.forget(source);
    source.fd = fd;
    source.id = look.id;
    source.isAtCopy = true;
    source.size = look.size;
    source.readTo = 0;
    source.mtimeMs = look.mtimeMs;
    source.status = "rotated";
    this.#byId.set(look.id, source);
    family.wake(look.id);
    this.#touch(source);
  }

  /** Journals its size, so that a later start can tell how much is lost. Without that, less is known, and nothing else is worse. */
  noteSize(source: Source): void {
    if (source.isParked) return;
    try {
      this.#o.state.noteSize(source.record, source.size);
    } catch {
      // The journal cannot be written. That is reported by what depends on it.
    }
  }

  /** Closes a file that nobody needs. It stays open when it was written to just now. `seen`: how one without a descriptor looks. */
  close(source: Source, seen?: Look): void {
    const { state, clock } = this.#o;
    const { record, family, fd } = source;
    const look = fd >= 0 ? lookAtOpen(fd, source.path) : seen;
    if (look !== undefined) {
      if (source.status !== "replaced") {
        if (look.size !== source.size || look.mtimeMs !== source.mtimeMs) return;
        // A copy can be shorter than its original was, and a file cut back while pannier was down.
        if (record.seenBytes > source.size) return this.#lose(source);
      }
      if (look.links === 0) this.vanish(family, record, true);
      else {
        this.identity.release(record);
        family.putAside(new Dormant(record, look));
      }
      if (fd >= 0) closeSync(fd);
      source.fd = -1;
      this.#byId.delete(source.id);
    } else state.markGone(record, clock.nowMs());
    this.#forget(source);
  }

  /** The end of the content was seen once and is in no file any more. */
  #lose(source: Source): void {
    source.size = source.record.seenBytes;
    source.status = "replaced";
    this.#o.events.lost(source);
  }

  /** The file of a committed content is gone. The content may live on in a copy; else, with `isForGood`, never again. */
  vanish(family: Family, record: FileRecord, isForGood: boolean): void {
    const { state, clock } = this.#o;
    const copy = family.copyOf(record);
    if (copy === undefined) {
      state.markGone(record, clock.nowMs());
      if (isForGood) this.identity.retire(record);
      return;
    }
    state.moveFile(record, copy.path);
    this.identity.release(record);
    copy.inherit(record);
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
    this.moved.delete(source);
    this.contents.forget(source);
    this.sources.delete(source);
    source.family.remove(source);
    if (source.family.newest === source) source.family.newest = undefined;
    this.#o.events.closed(source);
  }

  /** Closes every descriptor; nothing is told. */
  stop(): void {
    for (const source of this.sources) {
      if (source.fd >= 0) closeSync(source.fd);
      this.noteSize(source);
      source.fd = -1;
      source.closed = true;
    }
    this.sources.clear();
    this.#byId.clear();
  }
}
