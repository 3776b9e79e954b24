import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../src/core/clock.ts";
import type { Log } from "../../../src/core/log.ts";
import type { FileRecord, Terms } from "../../../src/core/state.ts";
import { openState } from "../../../src/state/open.ts";
import type { StateOptions } from "../../../src/state/open.ts";

export type State = Awaited<ReturnType<typeof openState>>;

/** A log that keeps the codes it was told. */
export class KeptLog implements Log {
  readonly codes: string[] = [];
  debug(code: string): void {
    this.codes.push(code);
  }
  info(code: string): void {
    this.codes.push(code);
  }
  warn(code: string): void {
    this.codes.push(code);
  }
  error(code: string): void {
    this.codes.push(code);
  }
}

/** Runs with a directory of its own and removes it. */
export async function inDirectory<T>(run: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "pannier-state-"));
  try {
    return await run(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

export function open(directory: string, options: Partial<StateOptions> = {}): Promise<State> {
  return openState({ directory, podUid: "pod-1", clock: systemClock, log: new KeptLog(), ...options });
}

export function addFile(state: State, path: string, generation = 0): FileRecord {
  return state.addFile({
    device: "8:1",
    inode: "4711",
    birthtimeMs: 1.5,
    path,
    seenMtimeMs: 1_700_000_000_000,
    generation,
  });
}

export const terms = (part: Partial<Terms>): Terms => ({
  delivered: 0,
  filtered: 0,
  deadLettered: 0,
  cut: 0,
  lost: 0,
  ...part,
});

/** A state as plain data, to compare. */
export function dump(files: ReadonlyMap<number, FileRecord>): unknown {
  return [...files.values()]
    .toSorted((a, b) => a.uid - b.uid)
    .map(({ cursors, ...file }) => ({
      ...file,
      cursors: [...cursors.values()]
        .toSorted((a, b) => (a.sink < b.sink ? -1 : 1))
        .map((cursor) => ({
          sink: cursor.sink,
          start: cursor.start,
          committed: cursor.committed,
          tail: cursor.tail.toString("hex"),
          lastTime: cursor.lastTime,
          sent: cursor.sent,
          sentTail: cursor.sentTail.toString("hex") || undefined,
          delivered: cursor.delivered,
          filtered: cursor.filtered,
          deadLettered: cursor.deadLettered,
          cut: cursor.cut,
          lost: cursor.lost,
          boundaries: cursor.boundaries,
          salts: [...cursor.salts].toSorted((a, b) => a[0] - b[0]),
        })),
    }));
}
