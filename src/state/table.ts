import type { Placement } from "../core/record.ts";
import { CursorList } from "./cursors.ts";
import type { Boundary, CursorRecord, FileRecord } from "../core/state.ts";
import type { BoundaryEntry, CommitEntry, Entry, FileEntry, PlaceEntry } from "./entries.ts";

/** Most cursors never have a salt, and an empty Map takes 240 bytes; so they share this one until they need their own. */
const NO_SALTS: Map<number, number> = new Map();
const NO_BOUNDARIES: Boundary[] = [];
const NO_PLACEMENTS: Placement[] = [];

/** A cursor. Its tails are kept as strings, which take a quarter of a Buffer's memory; reading one makes a new Buffer. */
class Cursor implements CursorRecord {
  sink: string;
  readonly start: number;
  committed: number;
  tailText = "";
  sentTailText = "";
  lastTime = "";
  sent: number;
  delivered = 0;
  filtered = 0;
  deadLettered = 0;
  cut = 0;
  lost = 0;
  boundaries: Boundary[] = NO_BOUNDARIES;
  salts: Map<number, number> = NO_SALTS;
  placements: Placement[] = NO_PLACEMENTS;

  constructor(sink: string, start: number) {
    this.sink = sink;
    this.start = start;
    this.committed = start;
    this.sent = start;
  }

  get tail(): Buffer {
    return bytesOf(this.tailText);
  }

  get sentTail(): Buffer {
    return bytesOf(this.sentTailText);
  }
}

function bytesOf(text: string): Buffer {
  // Not Buffer.from: that would hand out a slice of a pool page, and who keeps the slice keeps the page.
  const bytes = Buffer.allocUnsafeSlow(text.length);
  bytes.write(text, "latin1");
  return bytes;
}

function textOf(base64: string): string {
  return Buffer.from(base64, "base64").toString("latin1");
}

/**
 * The state in memory: what all entries together say. Live changes and entries read at start go through the same `apply`,
 * so what a restart finds is what was there.
 */
export class Table {
  readonly files: Map<number, FileRecord> = new Map();
  nextUid = 1;

  /** Does what the entry says. An entry about a file or cursor that is not there is left out: its file was dropped. */
  apply(entry: Entry): void {
    switch (entry.t) {
      case "file":
        return this.#addFile(entry);
      case "name":
        return this.#name(entry.file, entry.head, entry.headBytes, entry.key);
      case "move": {
        const file = this.files.get(entry.file);
        if (file !== undefined) file.lastPath = entry.path;
        return;
      }
      case "gone": {
        const file = this.files.get(entry.file);
        if (file !== undefined) file.goneAtMs = entry.at;
        return;
      }
      case "copy": {
        const { device, inode, born: birthtimeMs, size = Infinity } = entry;
        const file = this.files.get(entry.file);
        if (file !== undefined) file.copy = { device, inode, birthtimeMs, size };
        return;
      }
      case "size":
        return this.#see(entry.file, entry.seen);
      case "cursor": {
        const cursors = this.files.get(entry.file)?.cursors as CursorList | undefined;
        if (cursors?.has(entry.sink) === false) cursors.add(new Cursor(entry.sink, entry.start));
        return;
      }
      case "sent": {
        const cursor = this.cursor(entry.file, entry.sink);
        if (cursor === undefined || entry.to <= cursor.sent) return;
        cursor.sent = entry.to;
        cursor.sentTailText = entry.to > cursor.committed ? textOf(entry.tail ?? "") : "";
        return;
      }
      case "boundary":
        return this.#bound(entry);
      case "salt": {
        const cursor = this.cursor(entry.file, entry.sink);
        if (cursor === undefined || entry.from < cursor.committed) return;
        if (cursor.salts === NO_SALTS) cursor.salts = new Map();
        cursor.salts.set(entry.from, entry.salt);
        return;
      }
      case "place":
        return this.#place(entry);
      case "commit":
        return this.#commit(entry);
      case "sink":
        return this.#renameSink(entry.was, entry.name);
      case "pannier":
      case "start":
      case "stop":
      case "end":
        return;
    }
  }

  cursor(uid: number, sink: string): Cursor | undefined {
    return this.files.get(uid)?.cursors.get(sink) as Cursor | undefined;
  }

  /** A record that was dropped is in use after all. */
  adopt(file: FileRecord): void {
    this.files.set(file.uid, file);
  }

  #addFile(entry: FileEntry): void {
    this.nextUid = Math.max(this.nextUid, entry.file + 1);
    if (this.files.has(entry.file)) return;
    this.files.set(entry.file, {
      uid: entry.file,
      device: entry.device,
      inode: entry.inode,
      birthtimeMs: entry.born,
      path: entry.path,
      seenMtimeMs: entry.mtime,
      generation: entry.generation,
      lastPath: entry.now ?? entry.path,
      headHash: entry.head ?? "",
      headBytes: entry.headBytes ?? 0,
      key: entry.key ?? "",
      copy: undefined,
      seenBytes: 0,
      goneAtMs: entry.gone ?? 0,
      cursors: new CursorList(),
    });
  }

  #name(uid: number, headHash: string, headBytes: number, key: string): void {
    const file = this.files.get(uid);
    if (file === undefined || file.key !== "") return;
    file.headHash = headHash;
    file.headBytes = headBytes;
    file.key = key;
  }

  #see(uid: number, seenBytes: number): void {
    const file = this.files.get(uid);
    if (file !== undefined && seenBytes > file.seenBytes) file.seenBytes = seenBytes;
  }

  #bound(entry: BoundaryEntry): void {
    const cursor = this.cursor(entry.file, entry.sink);
    if (cursor === undefined || entry.to < cursor.committed) return;
    const { t: _t, file: _file, sink: _sink, ...boundary } = entry;
    const { from } = boundary;
    const others = cursor.boundaries.filter((other) => other.from !== from);
    const at = others.findIndex((other) => other.from > from);
    cursor.boundaries = others.toSpliced(at < 0 ? others.length : at, 0, boundary);
  }

  #place(entry: PlaceEntry): void {
    const cursor = this.cursor(entry.file, entry.sink);
    if (cursor === undefined) return;
    const { t: _t, file: _file, sink: _sink, ...placement } = entry;
    const others = cursor.placements.filter(({ from, what }) => from !== placement.from || what !== placement.what);
    const at = others.findIndex(({ from }) => from > placement.from);
    cursor.placements = others.toSpliced(at < 0 ? others.length : at, 0, placement);
  }

  /**
   * A commit never goes back: an older one, read after a snapshot that is ahead of it, is ignored. What lies before it is
   * decided, so boundaries and salts there can go; a boundary that ends exactly at it stays, because it says that the next
   * record continues one that had no end.
   */
  #commit(entry: CommitEntry): void {
    const cursor = this.cursor(entry.file, entry.sink);
    this.#see(entry.file, entry.seen ?? entry.to);
    if (cursor === undefined || entry.to < cursor.committed) return;
    cursor.committed = entry.to;
    cursor.tailText = textOf(entry.tail);
    if (entry.to >= cursor.sent) cursor.sentTailText = "";
    cursor.lastTime = entry.time ?? "";
    cursor.delivered = entry.delivered ?? 0;
    cursor.filtered = entry.filtered ?? 0;
    cursor.deadLettered = entry.deadLettered ?? 0;
    cursor.cut = entry.cut ?? 0;
    cursor.lost = entry.lost ?? 0;
    if (cursor.boundaries.length > 0) {
      const kept = cursor.boundaries.filter(({ to }) => to >= entry.to);
      cursor.boundaries = kept.length === 0 ? NO_BOUNDARIES : kept;
    }
    if (cursor.salts !== NO_SALTS) {
      for (const from of cursor.salts.keys()) if (from < entry.to) cursor.salts.delete(from);
      if (cursor.salts.size === 0) cursor.salts = NO_SALTS;
    }
    if (cursor.placements.length > 1) cursor.placements = placementsFrom(cursor.placements, entry.to);
  }

  #renameSink(was: string, name: string): void {
    for (const { cursors } of this.files.values()) {
      const cursor = cursors.get(was) as Cursor | undefined;
      if (cursor !== undefined && !cursors.has(name)) cursor.sink = name;
    }
  }
}

/** What still says something about offsets from `to` on: of each kind the last one before, and all behind. */
function placementsFrom(placements: readonly Placement[], to: number): Placement[] {
  return placements.filter(
    ({ what }, i) => !placements.some((later, j) => j > i && later.what === what && later.from <= to),
  );
}
