import { closeSync } from "node:fs";
import type { Place } from "../core/source.ts";
import type { FileRecord } from "../core/state.ts";
import { provenBytes } from "./comparison.ts";
import type { Entry, Family } from "./family.ts";
import { readFirst } from "./head.ts";
import type { Identified } from "./identity.ts";
import { type Look, type Opened, lookAtOpen } from "./open.ts";
import type { Patterns } from "./patterns.ts";
import type { Roster } from "./roster.ts";
import type { BeginHow, OpenHow, Source } from "./source.ts";
import type { Volume } from "./volume.ts";

export interface OpeningsOptions {
  readonly patterns: Patterns;
  readonly roster: Roster;
  readonly volume: Volume;
  readonly opened: (source: Source) => void;
}

/** Opens files and begins to follow them. */
export class Openings {
  readonly #o: OpeningsOptions;

  constructor(options: OpeningsOptions) {
    this.#o = options;
  }

  /**
   * Opens the file of an entry and finds or makes its record. "later" when that is not possible now: it has just been renamed,
   * or all descriptors are in use. "unknown" with `onlyKnown` when no record is its.
   */
  open(family: Family, entry: Entry, how: OpenHow): Source | "later" | "unknown" {
    const opened = this.reach(entry.look);
    if (opened === undefined) return "later";
    const { fd, look } = opened;
    let identified: Identified | undefined;
    try {
      const bytes = { first: readFirst(fd), proven: (places: readonly Place[]) => provenBytes(places, fd, look.size) };
      identified = this.#o.roster.identity.identify(look, bytes, how.onlyKnown);
    } finally {
      if (identified === undefined) closeSync(fd);
    }
    if (identified === undefined) return "unknown";
    // Truncated since it was looked at, it has new content, which is as large as it is now. The size before was the old one's,
    // and would be missing later.
    const now = identified.isKnown ? look : lookAtOpen(fd, look.path);
    return this.begin(family, { fd, look: now }, { ...how, ...identified });
  }

  /** Opens a file again that was put aside, if it still is what it was. */
  reopen(family: Family, record: FileRecord, seen: Look): Source | undefined {
    const opened = this.reach(seen);
    if (opened === undefined) return undefined;
    if (opened.look.size !== seen.size || opened.look.mtimeNs !== seen.mtimeNs || this.#isHeld(record)) {
      closeSync(opened.fd);
      return undefined;
    }
    this.#o.roster.identity.hold(record);
    return this.begin(family, opened, { record, isKnown: true, isNewerThanState: false, status: "rotated" });
  }

  #isHeld(record: FileRecord): boolean {
    return this.#o.roster.identity.isHeld(record);
  }

  /** A descriptor for what stands under a path; undefined when there is none now. */
  reach(seen: Look): Opened | undefined {
    const { roster, volume } = this.#o;
    return roster.parking.makeRoom() ? volume.open(seen) : undefined;
  }

  /** Goes on with an open file that was identified and whose record is held. */
  begin(family: Family, { fd, look }: Opened, how: BeginHow): Source {
    const { roster, patterns, opened } = this.#o;
    const { record, isKnown, status } = how;
    family.wake(look.id);
    const presentAtStart = roster.isFirstLook(family.base);
    // Known without a cursor: the last run ended before a sink could begin.
    const isOld = isKnown ? record.cursors.size > 0 : presentAtStart && !how.isNewerThanState;
    const fromEnd = isOld && patterns.inputs[family.input].startAt === "end";
    const startOffset = fromEnd ? look.size : 0;
    const source = roster.add(look, { record, family, fd, presentAtStart, startOffset, status });
    roster.telling.tell(source, () => {
      roster.move(source, look.path);
      opened(source);
    });
    return source;
  }
}
