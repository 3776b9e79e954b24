import { closeSync } from "node:fs";
import type { SourceFile } from "../core/source.ts";
import type { FileRecord, StateStore } from "../core/state.ts";
import { beginAlike, endsWith } from "./content.ts";
import { journalCopy } from "./contents.ts";
import { Dormant } from "./dormant.ts";
import type { Entry, Family } from "./family.ts";
import { readFirst } from "./head.ts";
import { type Bytes, hasHead, hasTails } from "./identity.ts";
import { type Look, lookAtOpen, type Opened } from "./open.ts";
import type { Openings } from "./openings.ts";
import type { Roster } from "./roster.ts";
import { isInFamily } from "./siblings.ts";
import type { Source } from "./source.ts";

export interface CopiesOptions {
  readonly roster: Roster;
  readonly openings: Openings;
  readonly state: StateStore;
  /** The bytes before every sink's place in it are those that were read. */
  isIntact(file: SourceFile): boolean;
}

/** A file that may have been copied: the one with the base name, or the last that had it. */
export interface Original {
  readonly source: Source;
  /** It was known before the directory was listed. */
  readonly wasKnown: boolean;
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

  /** `entry` is a sibling that nothing is known of. */
  judge(family: Family, entry: Entry, originals: readonly Original[]): Verdict {
    const { openings, roster } = this.#o;
    const opened = openings.reach(entry.look);
    if (opened === undefined) return "later";
    let verdict: Verdict = "own";
    try {
      for (const original of [...originals, ...this.#journaled(opened.look)]) {
        if (original.source.status === "replaced" && original.source.fd < 0) continue;
        if (!isYounger(opened.look, original)) continue;
        if (original.source.isParked && !roster.parking.reopen(original.source)) return "later";
        // The copy may be what tells first that the original was truncated; also while they are compared.
        this.#notice(original.source);
        const source = original.source.latest;
        if (beginAlike(opened.fd, source.fd, opened.look.size)) return this.#hold(family, opened.look, source.record);
        this.#notice(source);
      }
      verdict = this.#continue(family, opened) ?? "own";
      return verdict;
    } finally {
      if (typeof verdict === "string") closeSync(opened.fd);
    }
  }

  /** Whether this is the copy in which the journal says that a content lives on. */
  isKnown(look: Look): boolean {
    return this.#o.roster.identity.homeless((record) => isJournaled(record, look)).length > 0;
  }

  #notice(source: Source): void {
    if (isAtCopy(source)) return;
    const isShorter = lookAtOpen(source.fd, source.path).size < source.size;
    if (isShorter || !this.#o.isIntact(source)) this.#o.roster.contents.replace(source);
  }

  /** Whether a file that was put aside may have become something else, though it looks as it did. */
  mayBelongTo(family: Family): boolean {
    return family.members.some((member) => this.#o.roster.contents.orphans.has(member));
  }

  /** The open file that the journal says this is a copy of, wherever it is now. */
  #journaled(look: Look): Original[] {
    const sources = [...this.#o.roster.sources].filter(({ record }) => isJournaled(record, look));
    return sources.map((source) => ({ source, wasKnown: true }));
  }

  #hold(family: Family, look: Look, record: FileRecord): "held" {
    if (look.size > 0) journalCopy(this.#o.state, record, look);
    family.wake(look.id);
    family.putAside(new Dormant(undefined, look, record));
    return "held";
  }

  /** Goes on with the copy in the place of a content's own file. */
  #continue(family: Family, opened: Opened): Source | "held" | "later" | undefined {
    const { roster, openings, state } = this.#o;
    const { contents } = roster;
    const { fd, look } = opened;
    const bytes = { first: readFirst(fd), endsWith: endsWith.bind(undefined, fd) };
    const held = family.asleep(look)?.copyOf;
    for (const member of family.members.toSorted((a, b) => byProof(a.record, b.record))) {
      const isHere = contents.orphans.has(member) && (member.record === held || isCopy(member.record, look, bytes));
      if (!isHere && !isLonger(opened, member)) continue;
      contents.reseat(member, opened);
      return member;
    }
    const asleep = family.dormant.find(({ record }) => record !== undefined && isCopy(record, look, bytes));
    if (asleep?.record !== undefined && look.size <= asleep.size) return this.#hold(family, look, asleep.record);
    const homeless = roster.identity.homeless(
      (each) => isJournaled(each, look) || isInFamily(each.lastPath, family.base),
    );
    if (this.#isFirstLook && homeless.length > 0) {
      this.#hasPostponed = true;
      return "later";
    }
    const record = homeless.toSorted(byProof).find((each) => isCopy(each, look, bytes));
    if (record === undefined) return undefined;
    journalCopy(state, record, look);
    roster.identity.hold(record);
    return openings.begin(family, opened, { record, isKnown: true, isNewerThanState: true, status: "rotated" });
  }
}

/**
 * A copy is made after its original. Where the file system does not tell when, the order in which they were seen does.
 * Without this, a file that was rotated away unseen and happens to begin like its successor would be taken for a copy of it.
 */
function isYounger(look: Look, { source, wasKnown }: Original): boolean {
  const { birthtimeMs } = source.record;
  if (!look.birthtimeIsReal || birthtimeMs === 0) return wasKnown;
  return look.birthtimeMs > birthtimeMs || (look.birthtimeMs === birthtimeMs && wasKnown);
}

/**
 * Whether a file holds what is left of a content that is nowhere else. The first line alone proves nothing, it may be a mere
 * header: a remembered tail must be in its place, or the journal know the copy. Where nothing is committed yet, nothing can be
 * skipped by mistake.
 */
function isCopy(record: FileRecord, look: Look, bytes: Bytes): boolean {
  if (record.key === "" || !hasHead(record, bytes.first)) return false;
  if (look.birthtimeIsReal && look.birthtimeMs < record.birthtimeMs) return false;
  const tails = hasTails(record, look.size, bytes);
  if (tails !== undefined) return tails;
  if (isJournaled(record, look)) return true;
  return [...record.cursors.values()].every(({ committed }) => committed === 0);
}

/**
 * What was committed further is asked first: of contents that begin alike, such as with the same header, the one of which more
 * is found in the copy is the one that was copied.
 */
function byProof(a: FileRecord, b: FileRecord): number {
  return furthest(b) - furthest(a);
}

function furthest({ cursors }: FileRecord): number {
  return Math.max(0, ...Array.from(cursors.values(), ({ committed }) => committed));
}

function isJournaled({ copy }: FileRecord, look: Look): boolean {
  return copy?.inode === look.inode && copy.device === look.device && copy.birthtimeMs === look.birthtimeMs;
}

/** Of two copies the later one has more; a source that goes on with a copy goes on with the longest. */
function isLonger({ fd, look }: Opened, source: Source): boolean {
  if (source.fd < 0 || look.size <= source.size) return false;
  return isAtCopy(source) && beginAlike(fd, source.fd, source.size);
}

/** It goes on with a copy, which may be shorter than what was read. */
function isAtCopy({ id, record: { copy } }: Source): boolean {
  return copy !== undefined && id === `${copy.device}:${copy.inode}`;
}
