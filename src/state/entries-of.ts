import type { CursorRecord, FileRecord, Terms } from "../core/state.ts";
import type { CommitEntry, Entry, SentEntry } from "./entries.ts";

/** The entries that say all about one file; a snapshot is these for every file. */
export function* entriesOf(file: FileRecord): Generator<Entry> {
  yield {
    t: "file",
    file: file.uid,
    device: file.device,
    inode: file.inode,
    born: file.birthtimeMs,
    path: file.path,
    mtime: file.seenMtimeMs,
    generation: file.generation,
    ...(file.lastPath !== file.path && { now: file.lastPath }),
    ...(file.headHash !== "" && { head: file.headHash, headBytes: file.headBytes }),
    ...(file.key !== "" && { key: file.key }),
    ...(file.goneAtMs !== 0 && { gone: file.goneAtMs }),
  };
  if (file.copy !== undefined) {
    const { device, inode, birthtimeMs: born, size } = file.copy;
    yield { t: "copy", file: file.uid, device, inode, born, ...(Number.isFinite(size) && { size }) };
  }
  let committed = 0;
  for (const cursor of file.cursors.values()) {
    yield* entriesOfCursor(file.uid, cursor);
    committed = Math.max(committed, cursor.committed);
  }
  if (file.seenBytes > committed) yield { t: "size", file: file.uid, seen: file.seenBytes };
}

function* entriesOfCursor(file: number, cursor: CursorRecord): Generator<Entry> {
  const { sink, start, committed, sent } = cursor;
  yield { t: "cursor", file, sink, start };
  if (committed > start) yield commitEntry(file, sink, committed, cursor.tail, cursor.lastTime, cursor);
  if (sent > start) yield sentEntry(file, sink, sent, cursor.sentTail);
  for (const boundary of cursor.boundaries) yield { t: "boundary", file, sink, ...boundary };
  for (const [from, salt] of cursor.salts) yield { t: "salt", file, sink, from, salt };
  for (const placement of cursor.placements) yield { t: "place", file, sink, ...placement };
}

export function sentEntry(file: number, sink: string, to: number, tail: Buffer): SentEntry {
  return { t: "sent", file, sink, to, ...(tail.length > 0 && { tail: tail.toString("base64") }) };
}

/** A commit with the totals of `terms`; what is 0 or empty is left out. */
export function commitEntry(
  file: number,
  sink: string,
  to: number,
  tail: Buffer,
  time: string,
  terms: Terms,
): CommitEntry {
  return {
    t: "commit",
    file,
    sink,
    to,
    tail: tail.toString("base64"),
    ...(time !== "" && { time }),
    ...(terms.delivered > 0 && { delivered: terms.delivered }),
    ...(terms.filtered > 0 && { filtered: terms.filtered }),
    ...(terms.deadLettered > 0 && { deadLettered: terms.deadLettered }),
    ...(terms.cut > 0 && { cut: terms.cut }),
    ...(terms.lost > 0 && { lost: terms.lost }),
  };
}
