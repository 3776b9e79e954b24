import { crc32 } from "node:zlib";
import type { PlacementKind } from "../core/record.ts";

/**
 * What the journal and the snapshot consist of: one entry per line, `CRC32 SPACE JSON LF`, the checksum in eight lower-case
 * hex digits over the JSON's bytes. Entries carry absolute values, so that reading one twice changes nothing, and reading an
 * old one after a newer one is noticed and ignored; that is what lets a snapshot be written while the journal goes on.
 */
export type Entry =
  | HeadEntry
  | StartEntry
  | StopEntry
  | FileEntry
  | NameEntry
  | MoveEntry
  | GoneEntry
  | CopyEntry
  | SizeEntry
  | CursorEntry
  | SentEntry
  | BoundaryEntry
  | SaltEntry
  | PlaceEntry
  | CommitEntry
  | SinkEntry
  | EndEntry;

/** Version of the format. A reader refuses a higher one; within a version, entries and members may be added. */
export const FORMAT_VERSION = 1;

/** First line of both files. A snapshot holds everything that journals with a number below `sequence` say. */
export interface HeadEntry {
  readonly t: "pannier";
  readonly format: number;
  readonly kind: "journal" | "snapshot";
  readonly sequence: number;
  /** Snapshot only: the lowest number that no file record ever had. */
  readonly nextUid?: number;
  /** The identifier that names this state directory where nothing else does. */
  readonly uuid?: string;
}

/** A process took the directory over. */
export interface StartEntry {
  readonly t: "start";
  readonly at: number;
  readonly pid: number;
  readonly scope: string;
}

/** A process gave the directory back; the last entry of a clean stop. */
export interface StopEntry {
  readonly t: "stop";
  readonly at: number;
}

/** A file is known. The optional members are only in snapshots; the journal says them by `name`, `move` and `gone`. */
export interface FileEntry {
  readonly t: "file";
  readonly file: number;
  readonly device: string;
  readonly inode: string;
  readonly born: number;
  readonly path: string;
  readonly mtime: number;
  readonly generation: number;
  readonly now?: string;
  readonly head?: string;
  readonly headBytes?: number;
  readonly key?: string;
  readonly gone?: number;
}

export interface NameEntry {
  readonly t: "name";
  readonly file: number;
  readonly head: string;
  readonly headBytes: number;
  readonly key: string;
}

export interface MoveEntry {
  readonly t: "move";
  readonly file: number;
  readonly path: string;
}

export interface GoneEntry {
  readonly t: "gone";
  readonly file: number;
  readonly at: number;
}

/** Another file that holds the beginning of its content. */
export interface CopyEntry {
  readonly t: "copy";
  readonly file: number;
  readonly device: string;
  readonly inode: string;
  readonly born: number;
  /** Missing where an older pannier wrote the state. */
  readonly size?: number;
}

/** It was seen to be so large. */
export interface SizeEntry {
  readonly t: "size";
  readonly file: number;
  readonly seen: number;
}

export interface CursorEntry {
  readonly t: "cursor";
  readonly file: number;
  readonly sink: string;
  readonly start: number;
}

export interface SentEntry {
  readonly t: "sent";
  readonly file: number;
  readonly sink: string;
  readonly to: number;
  /** Base64. */
  readonly tail?: string;
}

export interface BoundaryEntry {
  readonly t: "boundary";
  readonly file: number;
  readonly sink: string;
  readonly from: number;
  readonly to: number;
  readonly kept?: number;
  readonly unterminated?: boolean;
}

export interface SaltEntry {
  readonly t: "salt";
  readonly file: number;
  readonly sink: string;
  readonly from: number;
  readonly salt: number;
}

/** What a sink decided about records from an offset on. */
export interface PlaceEntry {
  readonly t: "place";
  readonly file: number;
  readonly sink: string;
  readonly from: number;
  readonly what: PlacementKind;
  readonly value: string;
}

/** The five terms are totals since the cursor's start. Members that are 0 or "" are left out. */
export interface CommitEntry {
  readonly t: "commit";
  readonly file: number;
  readonly sink: string;
  readonly to: number;
  /** Base64. */
  readonly tail: string;
  readonly time?: string;
  readonly delivered?: number;
  readonly filtered?: number;
  readonly deadLettered?: number;
  readonly cut?: number;
  readonly lost?: number;
  /** Size of the file, where it was more than `to`. */
  readonly seen?: number;
}

/** A sink has a new name; its cursors go with it. */
export interface SinkEntry {
  readonly t: "sink";
  readonly was: string;
  readonly name: string;
}

/** Last line of a snapshot: the number of entries between it and the head. */
export interface EndEntry {
  readonly t: "end";
  readonly count: number;
}

const CRC_DIGITS = 8;
/** Checksum, a space and the smallest entry, `{"t":"x"}`. */
const LINE_MIN_BYTES = CRC_DIGITS + 1 + 9;
const SPACE = 0x20;

/** The line of an entry, line end included. */
export function encodeEntry(entry: Entry): string {
  const json = JSON.stringify(entry);
  return `${crc32(json).toString(16).padStart(CRC_DIGITS, "0")} ${json}\n`;
}

/** The entry on a line (without its end), or undefined when the line is damaged. Its type may be one that is not known here. */
export function decodeEntry(line: Buffer): { readonly t: string } | undefined {
  if (line.length < LINE_MIN_BYTES || line[CRC_DIGITS] !== SPACE) return undefined;
  const json = line.subarray(CRC_DIGITS + 1);
  if (crc32(json).toString(16).padStart(CRC_DIGITS, "0") !== line.toString("latin1", 0, CRC_DIGITS)) return undefined;
  try {
    const entry: unknown = JSON.parse(json.toString());
    return typeof entry === "object" && entry !== null && "t" in entry && typeof entry.t === "string"
      ? (entry as { t: string })
      : undefined;
  } catch {
    return undefined;
  }
}
