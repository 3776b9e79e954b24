import { closeSync } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "../core/clock.ts";
import { PARKED_MISSING_MS } from "../core/limits.ts";
import { isUnchanged } from "./directory.ts";
import type { Look } from "./open.ts";
import type { Reports } from "./reports.ts";
import { type Descriptors, Room } from "./room.ts";
import type { Roster } from "./roster.ts";
import type { Source } from "./source.ts";
import type { Volume } from "./volume.ts";

export interface ParkingOptions {
  readonly volume: Volume;
  readonly clock: Clock;
  readonly reports: Reports;
  readonly maxOpenFiles: number;
  readonly isNeeded: (source: Source) => boolean;
}

/**
 * Files that some sink still wants and that have no descriptor, because others needed it. They keep their place among the
 * followed files, the sweep goes on following their names, and when it is their turn they are opened again.
 */
export class Parking implements Descriptors {
  maxOpenFiles: number;
  readonly #o: ParkingOptions;
  readonly #roster: Roster;
  readonly #room: Room;
  /** With their sizes when they were closed. */
  readonly #parked = new Map<Source, number>();

  constructor(options: ParkingOptions, roster: Roster) {
    this.maxOpenFiles = options.maxOpenFiles;
    this.#o = options;
    this.#roster = roster;
    this.#room = new Room(options);
  }

  get openCount(): number {
    return this.#roster.known.size - this.#parked.size;
  }

  openSources(): Source[] {
    return [...this.#roster.known.values()].filter(({ fd }) => fd >= 0);
  }

  close(source: Source): void {
    this.#roster.close(source);
  }

  get isFull(): boolean {
    return this.#room.isFull;
  }

  /** The last new file that asked found no room, and will soon. */
  get isPatient(): boolean {
    return this.#room.isPatient;
  }

  /** One more file, a new one, can be open, perhaps because others gave way. */
  makeRoom(): boolean {
    return this.#room.make(this, true);
  }

  /** Closes a file, unless it could not be found again: its name leads elsewhere, or its content has no name yet. */
  park(source: Source): void {
    if (!this.#roster.contents.ensureKey(source, false) || this.#o.volume.lookAt(source.path)?.id !== source.id) return;
    closeSync(source.fd);
    source.fd = -1;
    source.missingSinceMs = undefined;
    this.#parked.set(source, source.size);
  }

  /** The file has a descriptor, perhaps again. False when it cannot be opened now. */
  reopen(source: Source): boolean {
    if (!source.isParked) return source.fd >= 0;
    const look = this.#o.volume.lookAt(source.path);
    if (look?.id !== source.id || !this.#room.make(this, false)) return false;
    const opened = this.#o.volume.open(look);
    if (opened === undefined) return false;
    const { contents } = this.#roster;
    const { size, mtimeMs } = opened.look;
    const closedSize = this.#parked.get(source) ?? source.size;
    source.fd = opened.fd;
    this.#parked.delete(source);
    contents.forget(source);
    // If it has other content, what it grew by while nobody could read it is of that.
    if (size >= source.size && !contents.isIntact(source, size)) source.size = closedSize;
    this.#roster.noteWrite(source, size, mtimeMs);
    return source.fd >= 0;
  }

  forget(source: Source): void {
    this.#parked.delete(source);
  }

  /** It was looked at under its path. */
  see(source: Source, look: Look): void {
    if (look.size < source.size) this.reopen(source);
    else if (look.size > source.size || look.mtimeMs !== source.mtimeMs)
      this.#roster.noteWrite(source, look.size, look.mtimeMs);
  }

  /** It is at none of its names: renamed to where it is found soon, or deleted. */
  miss(source: Source): void {
    source.missingSinceMs ??= this.#o.clock.monotonicMs();
    this.#roster.setStatus(source, "rotated");
  }

  /** It was taken for gone, and is found again: it has a name, and nobody has to look for a copy of it. */
  comeBack(source: Source): void {
    this.#roster.contents.forget(source);
    source.status = "rotated";
  }

  /**
   * Looks whether it has grown, and lets go of it when every sink has it or when it is gone. While it is needed, its path is
   * taken as it is: there may be thousands, and nothing is opened.
   */
  check(source: Source): void {
    const { isNeeded, volume } = this.#o;
    if (isNeeded(source) && isUnchanged(source)) return;
    const look = volume.lookAt(source.path);
    if (look?.id === source.id) {
      this.#roster.move(source, source.path);
      this.see(source, look);
      if (source.isParked && !isNeeded(source)) this.#roster.close(source, look);
      return;
    }
    if (!this.#isGone(source)) return;
    this.#roster.setStatus(source, "unlinked");
    this.#roster.contents.orphan(source);
  }

  /**
   * It has been gone from every place that is looked at for so long that it was not just renamed. A directory that is gone as a
   * whole says nothing: a volume may come back.
   */
  #isGone(source: Source): boolean {
    const { volume, clock } = this.#o;
    if (source.missingSinceMs === undefined || clock.monotonicMs() - source.missingSinceMs < PARKED_MISSING_MS)
      return false;
    return volume.lookAt(dirname(source.path))?.kind === "directory";
  }
}
