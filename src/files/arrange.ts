import type { StateStore } from "../core/state.ts";
import type { Entry, Family } from "./family.ts";
import type { Patterns } from "./patterns.ts";
import type { Roster } from "./roster.ts";
import type { Volume } from "./volume.ts";

export interface ArrangeOptions {
  readonly roster: Roster;
  readonly patterns: Patterns;
  readonly state: StateStore;
  readonly volume: Volume;
  /** Wall clock, milliseconds. */
  readonly nowMs: number;
  /** Modification time at first sight of the oldest file of this family that the state knows. */
  readonly oldestKnownMs: number | undefined;
}

/**
 * Brings a family in line with what its directory holds now: `entries`, oldest first, each file once. Files that were
 * renamed keep their descriptor and get their new path; files that are new are opened, each with the one before it as its
 * predecessor; so any number of rotations since the last look ends in the right order. False: a file could not be opened
 * now, look again soon.
 */
export function arrange(family: Family, entries: readonly Entry[], options: ArrangeOptions): boolean {
  const { roster } = options;
  const byId = new Map(entries.map((entry) => [entry.look.id, entry]));
  for (const member of family.members) {
    const entry = byId.get(member.id);
    if (member.status === "replaced") continue;
    if (entry === undefined) roster.leave(member);
    else {
      roster.move(member, entry.look.path);
      if (member.isParked) roster.parking.see(member, entry.look);
    }
  }
  forgetVanished(family, byId, options);

  let complete = true;
  const { newest } = family;
  // The newest file may have no name here any more. It is older than all that is opened now, and newer than the rest.
  const nameless = newest?.closed === false && !byId.has(newest.id) ? newest : undefined;
  let previous = nameless;
  let isBehindKnown = nameless !== undefined;
  for (const entry of entries) {
    const status = isLive(entry, entries) ? "live" : "rotated";
    let source = roster.known.get(entry.look.id);
    if (source !== undefined && source.family !== family && !roster.adopt(source, entry.look, family)) continue;
    if (source === undefined && !family.isAsleep(entry.look)) {
      const isNewerThanState = isNewer(entry, options.oldestKnownMs, isBehindKnown);
      const onlyKnown = !isNewerThanState && !isWanted(family, entry, options);
      if (onlyKnown && !roster.identity.knows(entry.look.inode)) continue;
      source = roster.open(family, entry, { status, predecessor: previous, onlyKnown, isNewerThanState });
      if (source === undefined && !onlyKnown) complete = false;
    }
    if (source === undefined) continue;
    roster.setStatus(source, source.renamed ? "rotated" : status);
    previous = nameless !== undefined && nameless.ordinal > source.ordinal ? nameless : source;
    isBehindKnown = true;
  }
  family.newest = previous;
  return complete;
}

/** Only the newest name is written to, and only if the user asked for that name. */
function isLive(entry: Entry, entries: readonly Entry[]): boolean {
  return entry === entries[entries.length - 1] && (entry.suffix === "" || entry.matched);
}

/** A sibling that no pattern names is read when all is to be read; else only when it is newer than the state. */
function isWanted(family: Family, entry: Entry, options: ArrangeOptions): boolean {
  return entry.suffix === "" || entry.matched || options.patterns.inputs[family.input].startAt === "beginning";
}

/** It came after a file that the state knows. Where the clock of the file system was too coarse, its place decides. */
function isNewer(entry: Entry, oldestKnownMs: number | undefined, isBehindKnown: boolean): boolean {
  if (oldestKnownMs === undefined) return false;
  return entry.look.mtimeMs > oldestKnownMs || (entry.look.mtimeMs === oldestKnownMs && isBehindKnown);
}

/** Drops closed files that are no longer here; those that are nowhere are marked as gone. */
function forgetVanished(family: Family, byId: ReadonlyMap<string, Entry>, options: ArrangeOptions): void {
  for (const dormant of family.dormant) {
    const { record, path, id } = dormant;
    const entry = byId.get(id);
    if (entry === undefined) {
      if (options.volume.lookAt(path)?.id === id) continue;
      if (record !== undefined && !options.roster.identity.isHeld(record))
        options.state.markGone(record, options.nowMs);
      family.wake(id);
    } else if (entry.look.path !== path) {
      if (record !== undefined) options.state.moveFile(record, entry.look.path);
      dormant.path = entry.look.path;
    }
  }
}
