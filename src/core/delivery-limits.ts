/** Limits of delivery: retries, breakers, connections, answers, repairs and replays. With their units and reasons, as all in limits.ts. */

const KiB = 1024;
const MiB = 1024 * KiB;

/** Retries wait a random time up to 250 ms, 500 ms, … 30 s (full jitter), so that a healed server is noticed within half a minute. */
export const BACKOFF_FIRST_MS = 250;
export const BACKOFF_MAX_MS = 30_000;
/** A server may ask for more (`Retry-After`), but not for more than this. */
export const RETRY_AFTER_MAX_MS = 600_000;
/** A longer one is a mistake (seconds since 1970, a clock that is off) and is not followed at all. */
export const RETRY_AFTER_BELIEVED_MS = 24 * 3_600_000;
/** Whole-request 429s in a row after which a request is halved: it may be over a limit that never heals for its size. */
export const BUSY_BEFORE_HALVING = 3;
/**
 * Records that were tried so often in a row without any of them getting through wait without a request of their own, and
 * together with others like them: what is not taken for minutes, or never, must not hold up what is.
 */
export const TRIES_BEFORE_STEPPING_ASIDE = 3;
/** A request size that was too large is tried again, doubled, after this time: the limit of a server or proxy can be raised. */
export const REQUEST_SIZE_FORGOTTEN_MS = 600_000;
/** Breaker one: an error that is not known to be about the document, after so many tries and so long, while others pass. */
export const POISON_TRIES = 10;
export const POISON_AFTER_MS = 300_000;
/** Records of one batch that are counted for breaker one at a time. */
export const POISON_TRACKED_MAX = 1_024;
/** Breaker two: the share of one rejection type among that many records, and how often a batch is sent above it. */
export const REFUSING_WINDOW_RECORDS = 1_000;
export const REFUSING_SHARE = 0.2;
export const REFUSING_INTERVAL_MS = 60_000;
/** A sink without one good answer for this long is `down`, before that `retrying`. */
export const DOWN_AFTER_MS = 15_000;

/** Records that stand in the repair buffer at once: second sends as text and salted ones. */
export const REPAIR_MAX_RECORDS = 1_024;
/** Least size of the repair buffer, so that many short records are repaired with one request. */
export const REPAIR_MIN_BYTES = 256 * KiB;
/** Characters of reasons that are kept of one answer; a record whose reason no longer fits is sent again and gets it then. */
export const REASONS_MAX_CHARS = 64 * KiB;

/**
 * A connection is not used again after this time. A name is looked up for every new connection, and a balancer chooses for
 * every new connection: without an end of the old ones, a cluster that has moved or grown would not be noticed.
 */
export const CONNECTION_MAX_MS = 300_000;
/** A connection, TLS included, must stand by then. */
export const CONNECT_TIMEOUT_MS = 10_000;
/** Silence on an open request. Elasticsearch itself waits one minute for a missing shard before it answers. */
export const ANSWER_SILENCE_MAX_MS = 90_000;
/** A whole answer must be there by then, however steadily it trickles. */
export const ANSWER_MAX_MS = 300_000;
/** Bodies of errors and of control calls are read up to here. */
export const ERROR_BODY_MAX_BYTES = 16 * KiB;
export const CONTROL_BODY_MAX_BYTES = 1 * MiB;
/** A node that failed is left alone for 1 s, 2 s, … 60 s while others work. */
export const NODE_REST_FIRST_MS = 1_000;
export const NODE_REST_MAX_MS = 60_000;
/** Documents that one look-up of unexpected conflicts asks for. */
export const CONFLICT_LOOKUP_MAX = 200;
/** Deflate keeps this much per stream at `memLevel: 9`: window, hash chains and the pending buffer. */
export const DEFLATE_STATE_BYTES = 400 * KiB;
/** What a TLS connection holds: session, certificates and the record buffers. */
export const TLS_CONNECTION_BYTES = 128 * KiB;

/** Good answers after which a request size that was too much for a busy server doubles again, at most. */
export const BUSY_SIZE_STEPS_MAX = 256;

/** `replay` works through the dead letters in rounds, so that what it remembers has a bound; requests of a round are small. */
export const REPLAY_ROUND_LETTERS = 10_000;
export const REPLAY_REQUEST_LETTERS = 500;
/** What an id costs that a replay remembers: its text, and its place in three lists. */
export const LETTER_ID_BYTES = 128;
/** A clock difference that `probe` reports: beyond it, "the last 15 minutes" in a search miss new records. */
export const CLOCK_DIFFERENCE_MAX_MS = 60_000;
/** How long `probe` waits for one answer: somebody sits in front of it. */
export const PROBE_MS = 10_000;
/** Received bytes after which young buffers are collected, and how many such times make a full collection due (about 10 ms). */
export const SCAVENGE_EVERY_BYTES = 1 * MiB;
export const SCAVENGES_PER_COLLECTION = 256;
