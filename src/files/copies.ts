import { closeSync } from "node:fs";
import type { Place, SourceFile } from "../core/source.ts";
import type { FileRecord, StateStore } from "../core/state.ts";
import { beginAlike, provenBytes } from "./comparison.ts";
import { Dormant } from "./dormant.ts";
import {
  type Content,
  type Match,
  type Original,
  type Sibling,
  best,
  isJournaled,
  isLonger,
  isSameFile,
  isYounger,
  journaled,
  mayBeginAlike,
  proof,
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

  /**
   * Finds out which of these have another content by now. Once for all siblings that were listed before: what is not the
   * beginning of a file then is no copy of what the file gets later.
   */
  notice(sources: readonly Source[]): void {
    for (const { latest } of sources) if (latest.fd >= 0) this.#notice(latest);
  }

  /** `entry` is a sibling that nothing is known of; `entries` are all files of the family, whose `originals` were noticed since. */
  judge(family: Family, entry: Entry, entries: readonly Entry[], originals: readonly Original[]): Verdict {
    const opened = this.#o.openings.reach(entry.look);
    if (opened === undefined) return "later";
    let verdict: Verdict = "own";
    try {
      const sibling = { ...opened, heads: new Heads(opened.fd) };
      const all = [...originals, ...this.#journaled(opened.look)];
      const isAsListed = opened.look.size === entry.look.size && opened.look.mtimeNs === entry.look.mtimeNs;
      verdict = this.#compare(family, sibling, all, isAsListed) ?? this.#continue(family, sibling, entries) ?? "own";
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
   * has another content to compare with; also while they are compared. There may be thousands of files, so those that begin
   * with another line are passed over without a look, unless the sibling has changed since they were looked at.
   */
  #compare(
    family: Family,
    sibling: Sibling,
    originals: readonly Original[],
    isAsListed: boolean,
  ): "held" | "later" | undefined {
    const { parking, contents } = this.#o.roster;
    for (const original of originals) {
      if (!isYounger(sibling.look, original)) continue;
      let { latest } = original.source;
      if (contents.orphans.has(latest)) continue;
      if (isAsListed && !mayBeginAlike(sibling, latest.record, sibling.look.size)) continue;
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

  /**
   * Goes on with the copy in the place of a content's own file. What an earlier process knew and this one has not found yet
   * comes first where more of it is proven: an orphan of which nothing was read fits everywhere. It also does where nothing was
   * read of either and both were in one file, one after the other: siblings are judged in their order, and so are their copies.
   */
  #continue(family: Family, sibling: Sibling, entries: readonly Entry[]): Source | "held" | "later" | undefined {
    const { roster } = this.#o;
    const held = family.asleep(sibling.look)?.copyOf;
    // Of two that fit alike, the one that was always here.
    const orphans = this.#orphans(family, sibling.look).toSorted((a, b) => isFormer(a) - isFormer(b));
    const orphan = best(sibling, orphans, (each) => this.#content(each), held);
    if (orphan !== undefined) {
      const homeless = this.#homeless(family, sibling.look, entries);
      const home = best(sibling, homeless, journaled);
      if (home !== undefined && isBefore(home, orphan)) return this.#findHome(family, sibling, homeless);
    }
    const source = orphan?.one ?? family.members.find((member) => isLonger(sibling, member));
    if (source !== undefined) {
      roster.contents.reseat(source, family, sibling);
      return source;
    }
    const asleep = family.dormant.find(({ record }) => record !== undefined && proof(journaled(record), sibling) >= 0);
    if (asleep?.record !== undefined && sibling.look.size <= asleep.size)
      return this.#hold(family, sibling.look, { record: asleep.record, isAtCopy: isAt(asleep) });
    return this.#findHome(family, sibling, this.#homeless(family, sibling.look, entries));
  }

  #content(orphan: Source): Content {
    return { record: orphan.record, size: orphan.size, places: this.#o.places(orphan) };
  }

  /** Contents that are in no open file and may be in this one. */
  #homeless(family: Family, look: Look, entries: readonly Entry[]): FileRecord[] {
    // Its own file may have come from elsewhere since it was copied, or before, and have any name here, or none.
    const files = [...entries.map((entry) => entry.look), ...family.members.map((member) => member.record)];
    // There may be thousands of records, of which hardly any has the inode of a file here.
    const inodes = new Set(files.map((file) => file.inode));
    const isNear = (record: FileRecord): boolean =>
      isInFamily(record.lastPath, family.base) ||
      isInFamily(record.path, family.base) ||
      (inodes.has(record.inode) && files.some((file) => isSameFile(file, record)));
    return this.#o.roster.identity.homeless(look, isNear);
  }

  /** Finds the content among those that are in no file. */
  #findHome(family: Family, sibling: Sibling, homeless: readonly FileRecord[]): Source | "later" | undefined {
    const { roster, openings, state } = this.#o;
    const { look } = sibling;
    if (this.#isFirstLook && homeless.length > 0) {
      this.#hasPostponed = true;
      return "later";
    }
    const record = best(sibling, homeless, journaled)?.one;
    if (record === undefined) return undefined;
    state.addCopy(record, look);
    roster.identity.hold(record);
    const how = { record, isKnown: true, isNewerThanState: true, status: "rotated" } as const;
    const source = openings.begin(family, sibling, how);
    source.isAtCopy = true;
    return source;
  }
}

/** More is proven of what an earlier process knew, or nothing of either and it is the earlier content of the orphan's own file. */
function isBefore(home: Match<FileRecord>, { one, proven }: Match<Source>): boolean {
  if (home.proven > 0 || proven > 0) return home.proven > proven;
  return home.one.inode === one.record.inode && home.one.uid < one.record.uid;
}

/** What was put aside is a copy. */
function isAt({ id, record }: Dormant): boolean {
  const copy = record?.copy;
  return copy !== undefined && fileId(copy.device, copy.inode, copy.birthtimeMs) === id;
}

function isFormer({ formerFamily }: Source): number {
  return Number(formerFamily !== undefined);
}
