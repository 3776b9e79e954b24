import type { Place } from "../core/source.ts";
import { COPIED_AT_ONCE_BYTES } from "../core/limits.ts";
import { type CopyPlace, type FileRecord, seenSize } from "../core/state.ts";
import { beginAlike, hasLineEnd, provenBytes } from "./comparison.ts";
import type { Heads } from "./head.ts";
import type { Look, Opened } from "./open.ts";
import type { Source } from "./source.ts";

type FileFacts = Omit<CopyPlace, "size">;

/** An open sibling that may be a copy. */
export interface Sibling extends Opened {
  readonly heads: Heads;
}

/** A file that may have been copied. */
export interface Original {
  readonly source: Source;
  /** It was known before the directory was listed. */
  readonly wasKnown: boolean;
}

/**
 * A copy is made after its original. Where the file system does not tell when, the order in which they were seen does.
 * Without this, a file that was rotated away unseen and happens to begin like its successor would be taken for a copy of it.
 */
export function isYounger(look: Look, { source, wasKnown }: Original): boolean {
  const { birthtimeMs } = source.record;
  if (!look.birthtimeIsReal || birthtimeMs === 0) return wasKnown;
  return look.birthtimeMs > birthtimeMs || (look.birthtimeMs === birthtimeMs && wasKnown);
}

/** A content that is in no file, or in no open one. */
export interface Content {
  readonly record: FileRecord;
  /** Bytes of it that were seen. */
  readonly size: number;
  /** Where the sinks are in it, or were. */
  readonly places: readonly Place[];
}

/** A content as the journal knows it. Of most of the thousands that may be, the first line shows that they are others. */
export function journaled(record: FileRecord): Content {
  return {
    record,
    size: seenSize(record),
    get places() {
      return knownPlaces(record);
    },
  };
}

/**
 * How many bytes of a content are proven to be in a sibling; -1 when it is no copy of it, Infinity when the two were once found
 * to be alike. The first line alone proves nothing, it may be a mere header: a remembered tail must be in its place. What no
 * sink has read yet proves nothing and can be doubled by nothing: it is in any younger file that is large enough, and begins
 * like it as far as that is known.
 */
export function proof(content: Content, sibling: Sibling, held?: FileRecord): number {
  const { record, size } = content;
  const { fd, look, heads } = sibling;
  const wasAlike = record === held || wasFoundAlike(record, look);
  if (!wasAlike && look.birthtimeIsReal && look.birthtimeMs < record.birthtimeMs) return -1;
  if (record.key === "") return (wasAlike ? size > 0 : isUnread(record) && look.size >= size) ? 0 : -1;
  if (wasAlike && look.size < record.headBytes) return Infinity;
  if (!heads.has(record)) return -1;
  const { places } = content;
  const proven = provenBytes(places, fd, look.size);
  if (proven < 0) return -1;
  if (wasAlike) return Infinity;
  if (proven > 0) return proven;
  return places.every(({ tail }) => tail.length === 0) && obeys(sibling, record) ? 0 : -1;
}

/**
 * Nothing in a file contradicts what was decided about a content: it is as long as what was sent of it, and where a line was
 * ended though it had no end, there is none. That would be torn otherwise, in a file that has other lines behind the same header.
 */
function obeys({ fd, look }: Opened, { cursors }: FileRecord): boolean {
  for (const { sent, boundaries } of cursors.values()) {
    if (sent > look.size) return false;
    for (const { from, to, unterminated } of boundaries)
      if (to > look.size || (unterminated === true && hasLineEnd(fd, from, to))) return false;
  }
  return true;
}

/** There are bytes in it, and no sink has any of them behind itself: skipped, or counted as lost. */
function isUnread(record: FileRecord): boolean {
  return record.seenBytes > 0 && furthest(record) === 0;
}

/** Where the sinks have come to in it, and what was sent of it, as the journal knows. */
export function knownPlaces({ cursors }: FileRecord): Place[] {
  return Array.from(cursors.values(), ({ committed, tail, sent, sentTail }) => [
    { offset: committed, tail },
    { offset: sent, tail: sentTail },
  ]).flat();
}

export function furthest({ cursors }: FileRecord): number {
  return Math.max(0, ...Array.from(cursors.values(), ({ committed }) => committed));
}

/** A content that a sibling holds, by its owner, and how much of that is proven. */
export interface Match<T> {
  readonly one: T;
  readonly proven: number;
}

/**
 * Of some contents, the one that a sibling holds: that of which most is proven. Where nothing tells them apart, first those of
 * which it can hold all that was seen, and of these the ones whose first line it has: one of which nothing was read fits
 * everywhere.
 */
export function best<T>(
  sibling: Sibling,
  all: readonly T[],
  contentOf: (one: T) => Content,
  held?: FileRecord,
): Match<T> | undefined {
  const isTooLarge = ({ size }: Content): number => Number(size > sibling.look.size);
  return all
    .map((one) => ({ one, content: contentOf(one) }))
    .map((each) => ({ ...each, proven: proof(each.content, sibling, held) }))
    .filter(({ proven }) => proven >= 0)
    .toSorted(
      (a, b) =>
        b.proven - a.proven ||
        isTooLarge(a.content) - isTooLarge(b.content) ||
        b.content.record.headBytes - a.content.record.headBytes,
    )
    .at(0);
}

export function isJournaled({ copy }: FileRecord, look: Look): boolean {
  return copy !== undefined && isSameFile(copy, look);
}

/**
 * The journal knows it for a copy, and it is as it was then. A larger one was found while it was written, and by then had at
 * least what a tool writes at once; or it is a file of its own that merely began alike, and goes on with other lines.
 */
function wasFoundAlike({ copy }: FileRecord, look: Look): boolean {
  if (copy === undefined || !isSameFile(copy, look)) return false;
  return look.size === copy.size || copy.size >= COPIED_AT_ONCE_BYTES;
}

/** One file, whatever its content and its place. */
export function isSameFile(a: FileFacts, b: FileFacts): boolean {
  return a.inode === b.inode && a.device === b.device && a.birthtimeMs === b.birthtimeMs;
}

/** Of two copies the later one has more; a source that goes on with a copy goes on with the longest. */
export function isLonger(sibling: Sibling, source: Source): boolean {
  if (!source.isAtCopy || source.fd < 0 || sibling.look.size <= source.size) return false;
  return mayBeginAlike(sibling, source.record, source.size) && beginAlike(sibling.fd, source.fd, source.size);
}

/** The first line does not tell the first bytes of a sibling from those of a content. Nothing is read to find that out. */
export function mayBeginAlike({ heads }: Sibling, record: FileRecord, bytes: number): boolean {
  return record.key === "" || bytes < record.headBytes || heads.has(record);
}
