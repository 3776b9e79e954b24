/** Fixed limits of the Loki sink, with their units and reasons. */

const KiB = 1024;

/**
 * Loki. It refuses what is an hour behind the newest entry of its stream: a file that lags by half of that goes to a stream of
 * its own, until it has caught up and a stretch of it has gone there, so that times to and fro do not fill the journal.
 */
export const LOKI_BACKFILL_LAG_MS = 30 * 60_000;
export const LOKI_CAUGHT_UP_MS = 5 * 60_000;
export const LOKI_BACKFILL_MIN_BYTES = 64 * KiB;
/**
 * By default Loki splits a stream when its bytes a second, averaged over some seconds, and those of the push at hand come to more
 * than 1,536 KiB. So a stream gets so much a second (a push holds a second's worth of a slow log), and so much more at once.
 */
export const LOKI_FLOW_BYTES_PER_S = 640 * KiB;
export const LOKI_FLOW_AHEAD_BYTES = 256 * KiB;
/** What is faster goes to four times as many streams, 64 at most (40 MiB a second), and back when it was slow for so long. */
export const LOKI_PARTS_STEP = 4;
export const LOKI_PARTS_MAX = 64;
export const LOKI_FLOW_WINDOW_MS = 10_000;
/** A stretch of a file that goes to one of them: each takes a push of its own, and is much less than what Loki splits. */
export const LOKI_PART_BYTES = 256 * KiB;
/**
 * Of one stream, a push holds so much, and all of them so much a second, after so much at once: a second of it and two pushes,
 * one of them at hand, are 1,536 KiB.
 */
export const LOKI_PUSH_MAX_BYTES = 256 * KiB;
/** With so much, a push does not wait for more of its stream behind what goes elsewhere. */
export const LOKI_PUSH_ENOUGH_BYTES = 64 * KiB;
export const LOKI_PUSH_BYTES_PER_S = 704 * KiB;
export const LOKI_PUSH_AHEAD_BYTES = 320 * KiB;
/** Sets of labels of one sink; Loki's own limit is 5,000 for a tenant. One takes some hundred bytes. */
export const LOKI_STREAMS_MAX = 2_000;
export const LOKI_STREAM_BYTES = 1 * KiB;
/** Labels of a stream, by default. */
export const LOKI_LABELS_MAX = 15;
/** Loki's default for `max_line_size`, until it says another. */
export const LOKI_LINE_MAX_BYTES = 256 * KiB;
/**
 * After a refusal for speed: this share of the limit, so much growth a second, and so much of it after a further refusal. The
 * next try is after this share of the time that the push takes, twice that if it was too early, and so on.
 */
export const LOKI_PACE_SHARE = 0.97;
export const LOKI_PACE_GROWTH_PER_S = 0.02;
export const LOKI_PACE_LOWERED = 0.9;
export const LOKI_PACE_WAIT_SHARE = 0.125;
export const LOKI_PACE_WAIT_MAX_MS = 5_000;
export const LOKI_PACE_LATE_MS = 100;
/** So many refusals of one push for speed are as planned; then it is said. */
export const LOKI_PACE_TRIES = 8;
/** A clamp is decided anew when it is older than this, so that records whose clock is ahead do not fall behind. */
export const LOKI_CLAMP_MAX_AGE_S = 60;
/** Room of a push for the labels of its streams. */
export const LOKI_PUSH_LABELS_BYTES = 64 * KiB;
/** Lines of files without times get a new one so often at most: each is an entry in the journal. */
export const LOKI_ASSIGNED_STEP_MS = 1_000;
