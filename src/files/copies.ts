import { closeSync } from "node:fs";
import type { Place, SourceFile } from "../core/source.ts";
import { type FileRecord, type StateStore, seenSize } from "../core/state.ts";
import { beginAlike, provenBytes } from "./comparison.ts";
import { Dormant } from "./dormant.ts";
import {
  type Original,
  type Sibling,
  byFit,
  furthest,
  isCopy,
  isJournaled,
  isLonger,
  isSameFile,
  isUnread,
  isYounger,
  obeys,
} from "./evidence.ts";
import type { Entry, Family } from "./family.ts";
import { Heads } from "./head.ts";
import { fileId, type Look, lookAtOpen } from "./open.ts";
import type { Openings } from "./openings.ts";
import type { Roster } from "./roster.ts";
import { isInFamily } from "./siblings.ts";
import type { Source } from "./source.ts";

export interface CopiesOptions {
  readonly roster: Roster;
  readonly openings: Openings;
  readonly state: StateStore;
  /** Where the sinks are in a file. */
  places(file: SourceFile): readonly Place[];
}

/** An unknown sibling is a file of its own, nothing that is read (now), or (a source) the rest of a known content. */
export type Verdict = "own" | "held" | "later" | Source;

/**
 * Tells copies from files of their own (docs/decisions/0010). A sibling that equals the start of the live file holds nothing
 * that is not read there. Once its content is gone from its own file, by truncation or because that file is gone, the copy
 * is that file: the same key, the same offsets, from where each sink has come to.
 */
export class Copies {
  readonly #o: CopiesOptions;
  /** Not every directory has been looked at, so a content that was not found yet may still have its own file. */
  #isFirstLook = true;
  #hasPostponed = false;

  constructor(options: CopiesOptions) {
    this.#o = options;
  }

  beginFirstLook(): void {
    this.#isFirstLook = true;
    this.#hasPostponed = false;
  }

  /** Every directory has been looked at. True when some siblings have waited for that. */
  endFirstLook(): boolean {
    this.#isFirstLook = false;
    return this.#hasPostponed;
  }

  /** `entry` is a sibling that nothing is known of; `entries` are all files of the family. */
  judge(family: Family, entry: Entry, entries: readonly Entry[], originals: readonly Original[]): Verdict {
    const opened = this.#o.openings.reach(entry.look);
    if (opened === undefined) return "later";
    let verdict: Verdict = "own";
    try {
      const sibling = { ...opened, heads: new Heads(opened.fd) };
      const all = [...originals, ...this.#journaled(opened.look)];
      verdict = this.#compare(family, sibling, all) ?? this.#continue(family, sibling, entries) ?? "own";
      return verdict;
    } finally {
      if (typeof verdict === "string") closeSync(opened.fd);
    }
  }

  /** Whether this is the copy in which the journal says that a content lives on. */
  isKnown(look: Look): boolean {
    return this.#o.roster.identity.homeless(look, () => false).length > 0;
  }

  /** Whether a file that was put aside may have become something else, though it looks as it did. */
  mayBelongTo(family: Family): boolean {
    return this.#orphans(family).length > 0;
  }

  /**
   * Holds a sibling back that equals the start of a file. It may be the first to tell that a file was truncated, which then
   * has another content to compare with; also while they are compared.
   */
  #compare(family: Family, sibling: Sibling, originals: readonly Original[]): "held" | "later" | undefined {
    const { parking, contents } = this.#o.roster;
    for (const original of originals) {
      if (!isYounger(sibling.look, original)) continue;
      let { latest } = original.source;
      if (contents.orphans.has(latest)) continue;
      if (latest.isParked && !this.#mayHold(sibling, latest)) continue;
      if (!parking.reopen(latest) && latest.isParked) return "later";
      if (latest.fd >= 0) this.#notice(latest);
      ({ latest } = latest);
      if (latest.fd < 0) continue;
      if (beginAlike(sibling.fd, latest.fd, sibling.look.size)) return this.#hold(family, sibling.look, latest);
      this.#notice(latest);
    }
    return undefined;
  }

  /**
   * What was read of a source does not contradict that the sibling is a copy of it. That opens no file, of which there may be
   * thousands; but only one that is not written to any more holds what was read for sure.
   */
  #mayHold({ fd, look, heads }: Sibling, source: Source): boolean {
    const { record, status } = source;
    if (status === "live") return true;
    return heads.has(record) && provenBytes(this.#o.places(source), fd, look.size) >= 0;
  }

  #notice(source: Source): void {
    if (source.isAtCopy) return;
    const { contents } = this.#o.roster;
    const { size } = lookAtOpen(source.fd, source.path);
    if (!contents.isIntact(source, size)) contents.replace(source);
  }

  /** The open file that the journal says this is a copy of, wherever it is now. */
  #journaled(look: Look): Original[] {
    const sources = [...this.#o.roster.sources].filter(({ record }) => isJournaled(record, look));
    return sources.map((source) => ({ source, wasKnown: true }));
  }

  #hold(family: Family, look: Look, { record, isAtCopy }: { record: FileRecord; isAtCopy: boolean }): "held" {
    // The journal knows one copy of a content: that in which it lives, if it lives in one.
    if (look.size > 0 && !isAtCopy) this.#o.state.addCopy(record, look);
    family.wake(look.id);
    family.putAside(new Dormant(undefined, look, record));
    return "held";
  }

  /** Those that may be in a file of this family, or in this very file, wherever it has come from. */
  #orphans(family: Family, look?: Look): Source[] {
    return [...this.#o.roster.contents.orphans].filter(
      (orphan) =>
        orphan.family === family ||
        orphan.formerFamily === family ||
        (look !== undefined && isJournaled(orphan.record, look)),
    );
  }

  /** Goes on with the copy in the place of a content's own file. */
  #continue(family: Family, sibling: Sibling, entries: readonly Entry[]): Source | "held" | "later" | undefined {
    const { roster } = this.#o;
    const held = family.asleep(sibling.look)?.copyOf;
    const proofs = this.#orphans(family, sibling.look).map((orphan) => ({
      orphan,
      proof: this.#proof(orphan, sibling, held),
    }));
    const fit = byFit(sibling.look.size);
    // Of two that fit alike, the one that was always here.
    const isFormer = ({ formerFamily }: Source): number => Number(formerFamily !== undefined);
    const [best] = proofs
      .filter(({ proof }) => proof >= 0)
      .toSorted((a, b) => b.proof - a.proof || fit(a.orphan, b.orphan) || isFormer(a.orphan) - isFormer(b.orphan));
    const source = best?.orphan ?? family.members.find((member) => isLonger(sibling, member));
    if (source !== undefined) {
      roster.contents.reseat(source, family, sibling);
      return source;
    }
    const asleep = family.dormant.find(({ record }) => record !== undefined && isCopy(record, sibling));
    if (asleep?.record !== undefined && sibling.look.size <= asleep.size)
      return this.#hold(family, sibling.look, { record: asleep.record, isAtCopy: isAt(asleep) });
    return this.#findHome(family, sibling, entries);
  }

  /**
   * How many bytes of what was read of an orphan are proven to be in the sibling; -1 when it is no copy of it. Infinity when
   * they were once found to be alike. What nobody has read yet proves nothing and can be doubled by nothing: it is in any
   * younger file that is large enough, and begins like it as far as that is known.
   */
  #proof(orphan: Source, { fd, look, heads }: Sibling, held: FileRecord | undefined): number {
    const { record } = orphan;
    if (record === held || isJournaled(record, look)) return Infinity;
    if (look.birthtimeIsReal && look.birthtimeMs < record.birthtimeMs) return -1;
    if (record.key === "") return isUnread(record) && orphan.startOffset === 0 && look.size >= orphan.size ? 0 : -1;
    if (!heads.has(record)) return -1;
    const places = this.#o.places(orphan);
    const proven = provenBytes(places, fd, look.size);
    if (proven !== 0) return proven;
    return places.every(({ tail }) => tail.length === 0) && obeys({ fd, look }, record) ? 0 : -1;
  }

  /** Finds the content among those that are in no file: of those that begin alike, such as with the same header, the furthest. */
  #findHome(family: Family, sibling: Sibling, entries: readonly Entry[]): Source | "later" | undefined {
    const { roster, openings, state } = this.#o;
    const { look } = sibling;
    // Its own file may have come from elsewhere since it was copied, or before, and have any name here, or none.
    const isNear = (record: FileRecord): boolean =>
      [record.lastPath, record.path].some((path) => isInFamily(path, family.base)) ||
      entries.some((entry) => isSameFile(entry.look, record)) ||
      family.members.some((member) => isSameFile(member.record, record));
    const homeless = roster.identity.homeless(look, isNear);
    if (this.#isFirstLook && homeless.length > 0) {
      this.#hasPostponed = true;
      return "later";
    }
    const fit = byFit(look.size);
    const [record] = homeless
      .filter((each) => isCopy(each, sibling))
      .map((each) => ({ record: each, size: seenSize(each) }))
      .toSorted((a, b) => furthest(b.record) - furthest(a.record) || fit(a, b))
      .map((seen) => seen.record);
    if (record === undefined) return undefined;
    state.addCopy(record, look);
    roster.identity.hold(record);
    const how = { record, isKnown: true, isNewerThanState: true, status: "rotated" } as const;
    const source = openings.begin(family, sibling, how);
    source.isAtCopy = true;
    return source;
  }
}

/** What was put aside is a copy. */
function isAt({ id, record }: Dormant): boolean {
  const copy = record?.copy;
  return copy !== undefined && fileId(copy.device, copy.inode, copy.birthtimeMs) === id;
}
