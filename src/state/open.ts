import { resolve } from "node:path";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import { prepareDirectory, unusable } from "./directory.ts";
import { Journal } from "./journal.ts";
import { Loader } from "./load.ts";
import { takeLock } from "./lock.ts";
import { findScope } from "./scope.ts";
import { writeSnapshot } from "./snapshot.ts";
import { Storage } from "./storage.ts";
import { Store } from "./store.ts";

export interface StateOptions {
  readonly directory: string;
  /** POD_UID. */
  readonly podUid: string | undefined;
  /** Where the machine id is; by default /etc/machine-id outside containers, none inside. */
  readonly machineIdPath?: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** For tests: a snapshot is made at this size instead of JOURNAL_MAX_BYTES. */
  readonly journalMaxBytes?: number | undefined;
}

/**
 * Locks the state directory and reads what is there. What was read is written again as a snapshot with a new journal before
 * anything else happens: that leaves every damaged, torn or half rotated file behind, and proves that the volume takes the
 * whole state. Throws PannierError with exit code 74 when the directory cannot be used.
 */
export async function openState(options: StateOptions): Promise<Store> {
  const { clock, log, podUid, machineIdPath, journalMaxBytes } = options;
  const directory = resolve(options.directory);
  prepareDirectory(directory);
  const lock = await takeLock(directory).catch((error: unknown) => {
    throw unusable(directory, error);
  });
  try {
    const { table, found, nextSequence, uuid: keptUuid } = new Loader(directory, log).load();
    const { text: scope, uuid } = findScope({ podUid, machineIdPath, keptUuid });
    const directoryFd = lock.directory.fd;
    const nowMs = clock.nowMs();
    await writeSnapshot({ directory, directoryFd, table, sequence: nextSequence, uuid, nowMs });
    const start = { t: "start", at: nowMs, pid: process.pid, scope } as const;
    const journal = Journal.create({ directory, directoryFd, uuid, log }, nextSequence, start);
    const storage = new Storage({ directory, lock, journal, table, scope, uuid, clock, log, journalMaxBytes });
    return new Store({ storage, table, found, scope });
  } catch (error) {
    await lock.release();
    throw unusable(directory, error);
  }
}
