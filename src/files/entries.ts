import { type Dirent, opendirSync } from "node:fs";
import type { Folder } from "./folder.ts";
import { nameOf } from "./names.ts";
import type { Patterns } from "./patterns.ts";
import type { Reports } from "./reports.ts";
import type { Slice } from "./slice.ts";
import type { Volume } from "./volume.ts";

export interface ListOptions {
  readonly patterns: Patterns;
  readonly reports: Reports;
  readonly slice: Slice;
  readonly volume: Volume;
  /** Counts an entry; false when a sweep has looked at enough. */
  count(): boolean;
}

const BATCH_ENTRIES = 256;

/**
 * Hands over every entry of a held directory, in slices. False when a sweep has looked at enough before its end: `count` says
 * so. Throws what `opendir` throws.
 */
export async function readEntries(
  folder: Folder,
  options: ListOptions,
  take: (name: string, entry: Dirent) => void,
): Promise<boolean> {
  // Names are read as Latin-1, one character per byte, since UTF-8 would lose the bytes that are none.
  const handle = opendirSync(folder.self, { encoding: "latin1", bufferSize: BATCH_ENTRIES });
  try {
    for (let entry = handle.readSync(); entry !== null; entry = handle.readSync()) {
      if (!options.count()) return false;
      take(isAscii(entry.name) ? entry.name : nameOf(Buffer.from(entry.name, "latin1")), entry);
      if (options.slice.isOver()) await options.slice.rest();
    }
    return true;
  } finally {
    handle.closeSync();
  }
}

function isAscii(name: string): boolean {
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) > 0x7f) return false;
  return true;
}
