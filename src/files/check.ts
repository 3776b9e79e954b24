import { fstatSync } from "node:fs";
import { HOT_FOR_MS, TAIL_QUIET_ROTATED_MS } from "../core/limits.ts";
import { nextLookMs } from "./pace.ts";
import type { Roster } from "./roster.ts";
import type { Source } from "./source.ts";

/**
 * Looks at an open file through its descriptor: has it grown, shrunk, lost its last name, or can it be closed? A file with
 * a live name stays open; one without is closed when it has been quiet for a while and every sink has all of it.
 */
export function checkSource(
  source: Source,
  roster: Roster,
  nowMs: number,
  isNeeded: (source: Source) => boolean,
): void {
  if (source.isParked) {
    // There may be thousands: as often as those that are quiet.
    source.dueAtMs = nextLookMs(nowMs, Math.min(source.quietSinceMs, nowMs - HOT_FOR_MS));
    return roster.parking.check(source);
  }
  source.dueAtMs = nextLookMs(nowMs, source.quietSinceMs);
  if (source.status === "replaced") {
    if (!roster.contents.orphans.has(source) && !isNeeded(source)) roster.close(source);
    return;
  }
  if (!roster.telling.isTold(source)) return;
  const stats = fstatSync(source.fd);
  const wasTouched = stats.mtimeMs !== source.mtimeMs;
  if (stats.size !== source.size || wasTouched) roster.noteWrite(source, stats.size, stats.mtimeMs);
  if (stats.nlink === 0) roster.setStatus(source, "unlinked");
  source.dueAtMs = nextLookMs(nowMs, source.quietSinceMs);
  const isFinished = source.status === "rotated" || source.status === "unlinked";
  if (!isFinished || wasTouched) return;
  if (nowMs - source.quietSinceMs >= TAIL_QUIET_ROTATED_MS && !isNeeded(source)) roster.close(source);
}
