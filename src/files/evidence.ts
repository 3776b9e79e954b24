import type { Place } from "../core/source.ts";
import type { CopyPlace, FileRecord } from "../core/state.ts";
import { beginAlike, hasLineEnd, provenBytes } from "./comparison.ts";
import type { Heads } from "./head.ts";
import type { Look, Opened } from "./open.ts";
import type { Source } from "./source.ts";

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

/**
 * Whether a file holds what is left of a content that is nowhere else. The first line alone proves nothing, it may be a mere
 * header: a remembered tail must be in its place, or the journal know the copy. Where nothing was sent yet, nothing can be
 * skipped by mistake; where not even the first line was read, any younger file that is large enough will do.
 */
export function isCopy(record: FileRecord, sibling: Sibling): boolean {
  const { fd, look, heads } = sibling;
  if (look.birthtimeIsReal && look.birthtimeMs < record.birthtimeMs) return false;
  if (record.key === "") return isUnread(record) && look.size >= record.seenBytes;
  if (!heads.has(record)) return false;
  const proven = provenBytes(knownPlaces(record), fd, look.size);
  return (
    proven > 0 || (proven === 0 && (isJournaled(record, look) || (furthest(record) === 0 && obeys(sibling, record))))
  );
}

/**
 * Nothing in a file contradicts what was decided about a content: it is as long as what was sent of it, and where a line was
 * ended though it had no end, there is none. That would be torn otherwise, in a file that has other lines behind the same header.
 */
export function obeys({ fd, look }: Opened, { cursors }: FileRecord): boolean {
  for (const { sent, boundaries } of cursors.values()) {
    if (sent > look.size) return false;
    for (const { from, to, unterminated } of boundaries)
      if (to > look.size || (unterminated === true && hasLineEnd(fd, from, to))) return false;
  }
  return true;
}

/** There are bytes in it, and no sink has any of them behind itself: skipped, or counted as lost. */
export function isUnread(record: FileRecord): boolean {
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

/**
 * Order of contents that a sibling of this size may hold, when no remembered tail tells them apart: first those of which it
 * can hold all that was seen, and of these the ones whose first line it has. One of which nothing was read fits everywhere.
 */
export function byFit(sizeBytes: number): (a: Seen, b: Seen) => number {
  const isTooLarge = ({ size }: Seen): number => Number(size > sizeBytes);
  return (a, b) => isTooLarge(a) - isTooLarge(b) || b.record.headBytes - a.record.headBytes;
}

/** A content, and how many bytes of it were seen. */
export interface Seen {
  readonly record: FileRecord;
  readonly size: number;
}

export function isJournaled({ copy }: FileRecord, look: Look): boolean {
  return copy !== undefined && isSameFile(copy, look);
}

/** One file, whatever its content and its place. */
export function isSameFile(a: CopyPlace, b: CopyPlace): boolean {
  return a.inode === b.inode && a.device === b.device && a.birthtimeMs === b.birthtimeMs;
}

/** Of two copies the later one has more; a source that goes on with a copy goes on with the longest. */
export function isLonger({ fd, look }: Opened, source: Source): boolean {
  if (source.fd < 0 || look.size <= source.size) return false;
  return source.isAtCopy && beginAlike(fd, source.fd, source.size);
}
