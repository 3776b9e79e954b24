import { basename, dirname } from "node:path";
import type { Clock } from "../core/clock.ts";
import { describe, systemCode } from "../core/errors.ts";
import { RECLAIM_QUIET_MS, RECLAIM_RETRY_MS } from "../core/limits.ts";
import type { Log } from "../core/log.ts";
import type { Directory } from "./directory.ts";
import type { Dormant } from "./dormant.ts";
import type { Family } from "./family.ts";
import type { Openings } from "./openings.ts";
import type { Patterns } from "./patterns.ts";
import type { Reports } from "./reports.ts";
import { parseSibling } from "./siblings.ts";
import type { Volume } from "./volume.ts";

export interface ReclaimOptions {
  readonly patterns: Patterns;
  readonly openings: Openings;
  readonly volume: Volume;
  readonly clock: Clock;
  readonly log: Log;
  readonly reports: Reports;
  readonly sinks: readonly string[];
  /** Brings every commit so far to the disk; false when that failed. */
  sync(): Promise<boolean>;
}

/**
 * Deletes rotated files that nobody needs any more (`reclaim: rotated`), so that a volume with a limit does not fill up. A file
 * goes when all of this holds:
 *
 *   * it lies beside the live file under a rotated name of it, no link led to it, and `exclude` does not match it;
 *   * the application has gone on: the live file has bytes, and this one was not written to for a while;
 *   * every sink has committed it from its first byte to its last, and those commits are on the disk.
 *
 * A crash before the unlink leaves a file that the next start finds as it was, and deletes then.
 */
export class Reclaim {
  files = 0;
  bytes = 0;
  /** Names of all sinks. */
  sinks: readonly string[];
  readonly #o: ReclaimOptions;
  /** Files that a sync has seen committed. */
  readonly #durable = new WeakSet<Dormant>();
  #isSyncing = false;
  #notBeforeMs = -Infinity;

  constructor(options: ReclaimOptions) {
    this.#o = options;
    this.sinks = options.sinks;
  }

  /** Deletes what can go now. What is only committed is synced first and goes at the next look. */
  run(directory: Directory): void {
    const { patterns, clock } = this.#o;
    if (clock.monotonicMs() < this.#notBeforeMs) return;
    const committed: Dormant[] = [];
    for (const family of directory.families.values()) {
      if (patterns.inputs[family.input]?.reclaim !== "rotated") continue;
      for (const dormant of family.dormant) {
        if (!this.#isFinished(dormant, family)) continue;
        if (this.#durable.has(dormant)) this.#reclaim(dormant, family);
        else committed.push(dormant);
      }
    }
    if (committed.length > 0 && !this.#isSyncing) void this.#sync(committed);
  }

  async #sync(committed: readonly Dormant[]): Promise<void> {
    this.#isSyncing = true;
    if (await this.#o.sync()) for (const dormant of committed) this.#durable.add(dormant);
    this.#isSyncing = false;
  }

  /** The application is done with the file, and so is every sink. */
  #isFinished({ record, path, size, mtimeMs, isLinked }: Dormant, family: Family): boolean {
    if (record === undefined || size === 0 || isLinked) return false;
    if (Math.abs(this.#o.clock.nowMs() - mtimeMs) < RECLAIM_QUIET_MS) return false;
    const hasSuccessor =
      family.members.some((live) => live.path === family.base && live.status === "live" && live.size > 0) ||
      family.dormant.some((live) => live.path === family.base && live.size > 0);
    if (!hasSuccessor || !isSiblingOf(path, family.base)) return false;
    if (this.#o.patterns.isExcluded(path, family.input)) return false;
    return this.sinks.every((sink) => {
      const cursor = record.cursors.get(sink);
      return cursor !== undefined && cursor.start === 0 && cursor.committed >= size;
    });
  }

  /**
   * It is opened again first: that makes sure that it is still the file which was committed, and whoever writes to it in the
   * last moment is still read to the end through the descriptor.
   */
  #reclaim(dormant: Dormant, family: Family): void {
    const { openings, volume, clock, log, reports } = this.#o;
    const look = volume.lookAt(dormant.path);
    if (look === undefined || dormant.record === undefined || !dormant.is(look) || !dormant.looksLike(look)) return;
    const source = openings.reopen(family, dormant.record, look);
    if (source === undefined) return;
    try {
      if (!volume.remove(look, `${basename(family.base)}.${clock.nowMs()}${source.ordinal}`)) return;
    } catch (error) {
      this.#notBeforeMs = clock.monotonicMs() + RECLAIM_RETRY_MS;
      const hint =
        systemCode(error) === "EROFS" ? "mount the volume writable" : "pannier needs to write in the directory";
      const message = `${look.path} is delivered and cannot be deleted (${describe(error)}): ${hint}, or set reclaim: never`;
      reports.once("warn", "reclaim_failed", dirname(look.path), message);
      return;
    }
    this.files += 1;
    this.bytes += look.size;
    reports.healed("reclaim_failed", dirname(look.path));
    log.info("file_reclaimed", `${look.path} is deleted: every sink has all of its ${look.size} bytes`, {
      file: look.path,
      bytes: look.size,
    });
  }
}

function isSiblingOf(path: string, base: string): boolean {
  return (
    dirname(path) === dirname(base) &&
    parseSibling(basename(path), (name) => name === basename(base))?.compressed === false
  );
}
