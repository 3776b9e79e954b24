/** Fixed limits of the Splunk sink, with their units and reasons. */

/** Longest index, source type, source or host that can be set. */
export const SPLUNK_NAME_MAX_CHARS = 256;
/** Bytes of the member `source`, escaped: what is longer is cut, since the path stands in the event, too. */
export const SPLUNK_SOURCE_MAX_BYTES = 4_096;
/**
 * An acknowledgement is asked for after this time, then at growing distances. Splunk's own advice is every 10 s for 5 min; but
 * a batch waits for it, and indexing mostly takes a second.
 */
export const SPLUNK_ACK_FIRST_MS = 200;
export const SPLUNK_ACK_EVERY_MAX_MS = 5_000;
/** Without an acknowledgement for this long, a batch is sent again. */
export const SPLUNK_ACK_MAX_MS = 300_000;
