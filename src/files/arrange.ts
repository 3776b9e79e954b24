import type { StateStore } from "../core/state.ts";
import type { Copies } from "./copies.ts";
import type { Original } from "./evidence.ts";
import type { Entry, Family } from "./family.ts";
import type { Openings } from "./openings.ts";
import type { Patterns } from "./patterns.ts";
import type { Reports } from "./reports.ts";
import type { Roster } from "./roster.ts";
import type { Source } from "./source.ts";
import type { Volume } from "./volume.ts";

export interface ArrangeOptions {
  readonly roster: Roster;
  readonly openings: Openings;
  readonly copies: Copies;
  readonly patterns: Patterns;
  readonly reports: Reports;
  readonly state: StateStore;
  readonly volume: Volume;
  /** Modification time at first sight of the oldest file of this family that the state knows. */
  readonly oldestKnownMs: number | undefined;
}

/**
 * Brings a family in line with what its directory holds now: `entries`, oldest first, each file once. False: a file could not
 * be opened now, look again soon.
 */
export function arrange(family: Family, entries: readonly Entry[], options: ArrangeOptions): boolean {
  const arrangement = new Arrangement(family, entries, options);
  arrangement.notice();
  arrangement.openKnown();
  arrangement.openInOrder();
  return arrangement.isComplete;
}

/**
 * Files that were renamed keep their descriptor and get their new path. What the state knows is opened first, and with it the
 * live file, so that copies can be told from files of their own. Then every file that is opened gets the one before it as its
 * predecessor; so any number of rotations since the last look ends in the right order.
 */
class Arrangement {
  isComplete = true;
  /** A known file could not be opened now, so nobody can say what is a copy of it. */
  #isBlind = false;
  readonly #family: Family;
  readonly #entries: readonly Entry[];
  readonly #byId: ReadonlyMap<string, Entry>;
  readonly #o: ArrangeOptions;
  readonly #before: readonly Source[];
  /** What was open before, or was opened because it was known. */
  #known: readonly Source[] = [];
  /** It was looked whether those have other contents since the listing. */
  #isNoticed = false;
  /** The newest file may have no name here any more. It is older than all that is opened now, and newer than the rest. */
  #nameless: Source | undefined;
  /** `Look.id` of the file with the base name, and whether it was known before this look. */
  #live: { readonly id: string; readonly wasKnown: boolean } | undefined;

  constructor(family: Family, entries: readonly Entry[], options: ArrangeOptions) {
    this.#family = family;
    this.#entries = entries;
    this.#byId = new Map(entries.map((entry) => [entry.look.id, entry]));
    this.#o = options;
    this.#before = family.members;
  }

  /** What became of the files that were here. */
  notice(): void {
    const { roster } = this.#o;
    for (const member of this.#family.members) {
      const entry = this.#byId.get(member.id);
      if (member.status === "replaced") continue;
      if (entry === undefined) roster.leave(member);
      else {
        roster.move(member, entry.look.path);
        if (member.isParked) roster.parking.see(member, entry.look);
      }
    }
    this.#forgetVanished();
    const { newest } = this.#family;
    this.#nameless = newest?.closed === false && !this.#byId.has(newest.id) ? newest : undefined;
  }

  /** Drops closed files that are no longer here; those that are nowhere are marked as gone. */
  #forgetVanished(): void {
    const { roster, state, volume } = this.#o;
    const family = this.#family;
    for (const dormant of family.dormant) {
      const { record, path, id } = dormant;
      const entry = this.#byId.get(id);
      if (entry === undefined) {
        if (volume.lookAt(path)?.id === id) continue;
        if (record !== undefined && !roster.identity.isHeld(record)) roster.vanish(family, record, false);
        family.wake(id);
      } else if (entry.look.path !== path) {
        if (record !== undefined) state.moveFile(record, entry.look.path);
        dormant.path = entry.look.path;
      }
    }
  }

  /** Opens what the state knows, and the file with the base name; takes in what came from other families. */
  openKnown(): void {
    const { roster, openings, copies } = this.#o;
    const family = this.#family;
    const hasUnknown = this.#entries.some((entry) => entry.suffix !== "" && this.#isUnknown(entry));
    let isBehindKnown = this.#nameless !== undefined;
    for (const entry of this.#entries) {
      const { look } = entry;
      const isBase = entry.suffix === "";
      const open = roster.known.get(look.id);
      if (open !== undefined && open.family !== family) roster.adopt(open, look, family);
      let isOpen = open !== undefined;
      const wasKnown = isOpen || roster.identity.knows(look.inode);
      // A live file that was put aside is opened again when there is something that may be a copy of it.
      const isDue = family.asleep(look) === undefined || (isBase && hasUnknown);
      if (!isOpen && isDue && (isBase || wasKnown)) {
        const isNewerThanState = wasKnown || this.#isNewer(entry, isBehindKnown);
        const how = { status: this.#statusOf(entry), onlyKnown: !isBase, isNewerThanState };
        const answer = openings.open(family, entry, how);
        isOpen = typeof answer !== "string";
        if (answer === "later") this.#postpone(entry);
      }
      isBehindKnown ||= isOpen;
      if (isBase) this.#live = { id: look.id, wasKnown };
    }
    this.#known = roster.contentsOf(family);
    for (const entry of this.#entries) {
      if (entry.suffix === "" || !this.#isUnknown(entry) || !copies.isKnown(entry.look)) continue;
      this.#openSibling(entry, undefined);
      this.#known = roster.contentsOf(family);
    }
  }

  openInOrder(): void {
    const { roster } = this.#o;
    const family = this.#family;
    let previous = this.#nameless;
    for (const entry of this.#entries) {
      let source = roster.known.get(entry.look.id);
      if (source !== undefined && source.family !== family) continue;
      if (source === undefined && entry.suffix !== "") source = this.#openSibling(entry, previous);
      if (source === undefined) continue;
      if (!this.#before.includes(source) && source !== previous) source.precededBy(previous);
      roster.setStatus(source, source.renamed ? "rotated" : this.#statusOf(entry));
      previous = this.#nameless !== undefined && this.#nameless.ordinal > source.ordinal ? this.#nameless : source;
    }
    family.newest = previous?.latest;
  }

  /** A sibling that is in no record is a copy, a file of its own, or not wanted. */
  #openSibling(entry: Entry, previous: Source | undefined): Source | undefined {
    const { copies, openings, roster } = this.#o;
    const family = this.#family;
    const dormant = family.asleep(entry.look);
    if (dormant !== undefined && (dormant.record !== undefined || !copies.mayBelongTo(family))) return undefined;
    if (this.#isBlind) return undefined;
    if (!this.#isNoticed) copies.notice(this.#known);
    this.#isNoticed = true;
    const verdict = copies.judge(family, entry, this.#entries, this.#originals(entry, previous));
    if (verdict === "later") this.isComplete = false;
    if (typeof verdict !== "string") return verdict;
    if (verdict !== "own" || dormant !== undefined) return undefined;
    // Whatever is new in a file that was known is newer than what was known of it.
    const isNewerThanState = roster.identity.knows(entry.look.inode) || this.#isNewer(entry, previous !== undefined);
    if (!isNewerThanState && !this.#isWanted(entry)) return undefined;
    const how = { status: this.#statusOf(entry), onlyKnown: false, isNewerThanState };
    const source = openings.open(family, entry, how);
    if (typeof source !== "string") return source;
    this.isComplete = false;
    return undefined;
  }

  /** What a sibling may be a copy of: files that were open before it was seen, the one with the base name, the one before it. */
  #originals(entry: Entry, previous: Source | undefined): Original[] {
    // What is still written to under a name of its own is no copy, even if it begins like the file of the day before.
    if (this.#statusOf(entry) === "live") return [];
    const live = this.#live && this.#o.roster.known.get(this.#live.id);
    const originals: Original[] = live === undefined ? [] : [{ source: live, wasKnown: this.#live?.wasKnown === true }];
    for (const known of this.#known) {
      // An orphan that goes on with a copy by now has left its file to another content.
      for (let source: Source | undefined = known; source !== undefined; source = source.successor)
        originals.push({ source, wasKnown: true });
    }
    if (previous !== undefined && previous !== live) originals.push({ source: previous, wasKnown: false });
    return originals;
  }

  /** Until then nothing can be said of copies of it, unless it may never be opened. */
  #postpone({ look }: Entry): void {
    this.isComplete = false;
    this.#isBlind ||= !this.#o.reports.stands("file_unreadable", look.path);
  }

  #isUnknown({ look }: Entry): boolean {
    return this.#o.roster.known.get(look.id) === undefined && this.#family.asleep(look) === undefined;
  }

  /** Only the newest name is written to, and only if the user asked for that name. */
  #statusOf(entry: Entry): "live" | "rotated" {
    return entry === this.#entries.at(-1) && (entry.suffix === "" || entry.matched) ? "live" : "rotated";
  }

  /** A sibling that no pattern names is read when all is to be read; else only when it is newer than the state. */
  #isWanted(entry: Entry): boolean {
    return entry.matched || this.#o.patterns.inputs[this.#family.input].startAt === "beginning";
  }

  /** It came after a file that the state knows. Where the clock of the file system was too coarse, its place decides. */
  #isNewer(entry: Entry, isBehindKnown: boolean): boolean {
    const { oldestKnownMs } = this.#o;
    if (oldestKnownMs === undefined) return false;
    return entry.look.mtimeMs > oldestKnownMs || (entry.look.mtimeMs === oldestKnownMs && isBehindKnown);
  }
}
