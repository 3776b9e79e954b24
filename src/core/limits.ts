/** Every fixed limit of the program, with its unit and its reason; those of delivery are in delivery-limits.ts. What a user can set is in `config/`. */

const KiB = 1024;
const MiB = 1024 * KiB;

/** Bytes before a cursor that must still be there when it is read again (design: the tail check). */
export const TAIL_BYTES = 64;

/** The head of a file names it: its first line, cut here, so that identity never needs a long line. */
export const HEAD_MAX_BYTES = 1 * KiB;

/**
 * Tools copy in blocks of at least this: BusyBox and Java of 4 and 8 KiB, logrotate of 8, coreutils of 128 and more. A file that
 * was smaller when it equalled the start of another and has grown since is no copy that was found half made.
 */
export const COPIED_AT_ONCE_BYTES = 4 * KiB;

/** What one synchronous turn of the inner loop reads: 1–2 ms of work, so that timers and sockets stay on time. */
export const CHUNK_BYTES = 256 * KiB;
/** So many NULs before a line are a hole in the file and not what an application says in it. */
export const HOLE_MIN_BYTES = 64;
/** What the read buffer holds beyond the largest line. */
export const READ_SLACK_BYTES = 64 * KiB;

/** Largest batch body. Elasticsearch takes 100 MiB, but beyond 2 MiB throughput does not rise while memory does. */
export const BATCH_MAX_BYTES = 2 * MiB;
/** Records in a batch: 2 MiB of the shortest possible documents, rounded up. The per-record arrays are sized by it. */
export const BATCH_MAX_RECORDS = 16_384;

/** Stretches of files in one batch: one per file and uninterrupted run. A batch with this many is sealed. */
export const BATCH_MAX_SEGMENTS = 1_024;

/** Requests in flight per sink where not set. */
export const IN_FLIGHT_MAX = 2;

/** A line becomes at most this many bytes per byte (a control character becomes six: \u0000). */
export const ESCAPE_FACTOR = 6;

/** Nesting of a JSON line; deeper ones are plain text. Elasticsearch's own limit is 1,000. */
export const JSON_MAX_DEPTH = 200;

/** Digits of a number; longer ones go as text. Elasticsearch refuses more than 1,000. */
export const NUMBER_MAX_DIGITS = 300;

/**
 * Bytes of a key; a line with a longer one is plain text. Elasticsearch takes up to 32,766 bytes for the name of a field with
 * its parents, but refuses less once the limit of fields is reached.
 */
export const KEY_MAX_BYTES = 8 * KiB;

/** Members of all objects of one line; a line with more is plain text, since the span table is fixed. */
export const JSON_MAX_MEMBERS = 16_384;

/** Times further than this from when the file was first seen are taken for garbage (contract §4). */
export const TIME_MAX_DISTANCE_YEARS = 10;
/** Unless that was outside of these years: then the machine's clock was not set, and its time says nothing about the lines. */
export const CLOCK_SET_FROM_SECOND = 946_684_800;
export const CLOCK_SET_TO_SECOND = 4_102_444_800;
/** The last full second that Elasticsearch's `date_nanos` can hold: 2262-04-11T23:47:15Z. */
export const TIME_LAST_SECOND = 9_223_372_035;

/** The journal is folded into a new snapshot at this size. */
export const JOURNAL_MAX_BYTES = 8 * MiB;

/** State is written and read in pieces of this size, so that a large snapshot neither holds memory nor the loop. */
export const STATE_BUFFER_BYTES = 64 * KiB;

/** Longest line of the journal; the longest that is written has two paths of 4 KiB in it, each byte escaped. */
export const STATE_LINE_MAX_BYTES = 1 * MiB;

/** After a snapshot that failed (disk full), the next is tried this much later. */
export const SNAPSHOT_RETRY_MS = 30_000;

/** A request over the lock's socket, and its answer: longest line, longest wait, most connections at once. */
export const LOCK_LINE_MAX_CHARS = 64 * KiB;
export const LOCK_ANSWER_TIMEOUT_MS = 30_000;
export const LOCK_CONNECTIONS_MAX = 16;
/** A starter waits this long to hear the process number of the pannier that holds the lock. */
export const LOCK_PID_TIMEOUT_MS = 1_000;

/** Groups of journal records are fsynced this often. */
export const JOURNAL_SYNC_INTERVAL_MS = 1_000;

/** Entries of files that are gone are kept this long, for a file that comes back (a volume mounted again). */
export const GONE_FILE_KEPT_MS = 24 * 3_600_000;

/** How long an unterminated tail may stay silent before it is delivered as it is. */
export const TAIL_QUIET_DRAIN_MS = 500;
export const TAIL_QUIET_ROTATED_MS = 5_000;

/**
 * A rotated file is deleted (`reclaim`) when it was not written to for this long: an application that has opened its next file
 * still writes what it had begun. After a deletion that failed, the next is tried this much later.
 */
export const RECLAIM_QUIET_MS = 10_000;
export const RECLAIM_RETRY_MS = 60_000;

/** Sweep intervals by how long a file has been silent. */
export const SWEEP_HOT_MS = 250;
export const SWEEP_WARM_MS = 1_000;
export const SWEEP_COLD_MS = 9_000;
/** A file is hot for this long after its last growth, then warm until the second. */
export const HOT_FOR_MS = 10_000;
export const WARM_FOR_MS = 120_000;
/** Longest synchronous slice of a sweep. */
export const SWEEP_SLICE_MS = 2;
/** Directories below one root, and entries looked at in one sweep: a runaway tree must not hold the agent. */
export const WALK_MAX_ENTRIES = 100_000;
export const WALK_MAX_DEPTH = 32;
/** Listing one directory takes 10 % of a core at most, looking at all 20 %; but nothing is put off for longer than a cold file. */
export const LISTING_COST_FACTOR = 10;
export const DIRECTORIES_COST_FACTOR = 4;
/** One that has not changed is listed again after so many times what that takes: 0.1 % of a core. */
export const LISTING_AGAIN_FACTOR = 1_000;
export const LISTING_AGAIN_MAX_MS = 60_000;
/** Links that are followed on the way to one file; as many as the kernel does. */
export const LINKS_MAX = 40;

/** Answers of servers that are kept for a message: characters of a reason, reasons of one answer. */
export const REASON_MAX_CHARS = 500;
export const REASONS_MAX = 20;

/** The termination log of Kubernetes is cut at this size. */
export const TERMINATION_LOG_MAX_BYTES = 4_096;
export const TERMINATION_LOG_INTERVAL_MS = 250;

/** The same message about the same file or sink is said once in this time; what came between is counted (`repeated`). */
export const LOG_FOLD_WINDOW_MS = 60_000;
/** Messages that are remembered for folding; the oldest gives way. About 200 KiB at the worst usual length of a path. */
export const LOG_FOLD_KEYS_MAX = 512;
/** How long a full stderr is waited for before a line of the log is dropped and counted: shipping must not wait for a reader. */
export const LOG_WRITE_PATIENCE_MS = 100;

/** The listeners answer probes and people, one small answer each: more than this is a mistake or an attack. */
export const HTTP_HEADER_MAX_BYTES = 8 * KiB;
export const HTTP_CONNECTIONS_MAX = 64;
export const HTTP_REQUEST_TIMEOUT_MS = 5_000;
/** A long answer is made and sent in pieces of about this size, as fast as it is read. */
export const ANSWER_PIECE_CHARS = 16 * KiB;
/** `/livez` measures the event loop this often, remembers the worst of that many measurements, and fails past the stall. */
export const LOOP_TICK_MS = 500;
export const LOOP_TICKS_KEPT = 20;
export const LOOP_STALL_MAX_MS = 10_000;

/** Kept back from the grace period, so that the drain record is written before the SIGKILL. */
export const GRACE_RESERVE_MS = 500;
/** The least time for a drain: Kubernetes gives a sidecar two seconds when the grace period is already over. */
export const DRAIN_MIN_MS = 1_500;
/** An announced drain without a SIGTERM is forgotten this long after its grace period. */
export const DRAIN_SOON_FORGOTTEN_MS = 60_000;
/** Grace when the announcement names none: Kubernetes' own default. */
export const GRACE_DEFAULT_MS = 30_000;

/** A configuration beyond this is a log file given by mistake. */
export const CONFIG_FILE_MAX_BYTES = 1 * MiB;
/** The configuration is looked at this often, and taken when it looks the same twice: an editor may write it in pieces. */
export const CONFIG_WATCH_MS = 1_000;
/** A reload waits so long for what is in flight to sinks that change, and for what is left in files that nobody follows any more. */
export const RELOAD_DRAIN_MS = 5_000;
/** Tokens and keys are a few KiB at most; a larger file is not the secret. */
export const SECRET_FILE_MAX_BYTES = 64 * KiB;

/** Part of the drain deadline that is kept for closing files and writing the drain record. */
export const DRAIN_REPORT_RESERVE_MS = 250;
/** A file without a descriptor that is at none of its names for this long is gone: every directory was looked at since. */
export const PARKED_MISSING_MS = 12_000;

/** A hint from the operating system is followed after this time; what comes in between is one look. */
export const HINT_MIN_MS = 20;
/** And not before so many times what the last such look took: hints cost 0.5 % of a core, however fast files are written. */
export const HINT_COST_FACTOR = 200;
/** Directories with a notification watch; further ones are only swept. */
export const WATCHED_DIRECTORIES_MAX = 300;

/** Without an agent, a letter's document may be this long; the memory is only used when it is. */
export const REPLAY_ALONE_RECORD_BYTES = 64 * MiB;
/** Longest path on Linux, in bytes; a record has room for one. */
export const PATH_MAX_BYTES = 4_096;
/** Memory of an encoder for the shapes of lines: over a thousand of the usual ones (nine optional fields make 512). */
export const SHAPES_MAX_BYTES = 512 * KiB;
/** Members and bytes of keys of a line whose shape is remembered; what is larger seldom comes twice. */
export const SHAPE_MAX_MEMBERS = 64;
export const SHAPE_MAX_KEY_BYTES = 1 * KiB;
