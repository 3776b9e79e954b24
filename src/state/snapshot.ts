import { fsync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { promisify } from "../core/builtins.ts";
import { GONE_FILE_KEPT_MS } from "../core/limits.ts";
import type { FileRecord } from "../core/state.ts";
import { SNAPSHOT } from "./directory.ts";
import { FORMAT_VERSION } from "./entries.ts";
import type { Entry } from "./entries.ts";
import { entriesOf } from "./entries-of.ts";
import { LineFile } from "./line-file.ts";
import type { Table } from "./table.ts";

const fsyncLater = promisify(fsync);

/** Files between two pauses: about a millisecond of work. */
const FILES_PER_SLICE = 100;

/** Where and of what a snapshot is made. */
export interface SnapshotTask {
  readonly directory: string;
  readonly directoryFd: number;
  readonly table: Table;
  /** Journals below this number are in the snapshot. */
  readonly sequence: number;
  readonly uuid: string | undefined;
  readonly nowMs: number;
}

/**
 * Writes the whole state to a new file and puts it in the place of the snapshot: written, fsynced, renamed, directory
 * fsynced. It does so in slices while the pipelines go on, so that neither the loop nor memory notices 10,000 files. A file
 * that changes meanwhile may be in it with the change or without; the change is in the journal `sequence` in any case, and
 * reading that over the snapshot gives the same. Files that are gone for long leave the table here.
 */
export async function writeSnapshot(task: SnapshotTask): Promise<void> {
  const { directory, table, uuid } = task;
  const path = join(directory, `${SNAPSHOT}.new`);
  const file = new LineFile(path);
  try {
    let count = 0;
    file.append([head(task, uuid)]);
    const slice: Entry[] = [];
    let files = 0;
    for (const record of table.files.values()) {
      if (isForgotten(record, task.nowMs)) {
        table.files.delete(record.uid);
        continue;
      }
      for (const entry of entriesOf(record)) slice.push(entry);
      files += 1;
      if (files % FILES_PER_SLICE !== 0) continue;
      count += slice.length;
      file.append(slice);
      slice.length = 0;
      await setImmediate();
    }
    count += slice.length;
    file.append([...slice, { t: "end", count }]);
    await file.sync();
    renameSync(path, join(directory, SNAPSHOT));
    await fsyncLater(task.directoryFd);
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    file.close();
  }
}

function head(task: SnapshotTask, uuid: string | undefined): Entry {
  const { sequence } = task;
  const nextUid = task.table.nextUid;
  return {
    t: "pannier",
    format: FORMAT_VERSION,
    kind: "snapshot",
    sequence,
    nextUid,
    ...(uuid !== undefined && { uuid }),
  };
}

function isForgotten(file: FileRecord, nowMs: number): boolean {
  return file.goneAtMs !== 0 && nowMs - file.goneAtMs > GONE_FILE_KEPT_MS;
}
