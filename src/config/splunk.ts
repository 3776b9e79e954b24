import type { AuthConfig, SplunkConfig } from "../core/config.ts";
import { BATCH_MAX_BYTES, IN_FLIGHT_MAX } from "../core/limits.ts";
import type { Path, Problem } from "./problems.ts";
import type { ParsedSink } from "./schema.ts";
import { reporter, serverOf } from "./server.ts";
import type { Replaced } from "./variables.ts";

type Parsed = Extract<ParsedSink, { type: "splunk" }>;

/** A Splunk sink with what no schema can see checked. */
export function splunkSink(
  sink: Parsed,
  name: string,
  where: Path,
  replaced: Replaced,
  problems: Problem[],
): SplunkConfig {
  const report = reporter(where, problems);
  const { auth, ...server } = serverOf(sink, where, replaced, report);
  return {
    type: "splunk",
    name,
    ...(sink.was === undefined ? {} : { was: sink.was }),
    ...server,
    auth: tokenOf(auth),
    ...(sink.index === undefined ? {} : { index: sink.index }),
    sourcetype: sink.sourcetype,
    ...(sink.source === undefined ? {} : { source: sink.source }),
    ...(sink.host === undefined ? {} : { host: sink.host }),
    eventId: sink.event_id,
    batch: {
      maxBytes: sink.batch.max_bytes ?? BATCH_MAX_BYTES,
      maxAgeMs: sink.batch.max_age,
      inFlight: sink.batch.in_flight ?? IN_FLIGHT_MAX,
      compression: sink.batch.compression,
    },
    deadLetters: { maxBytes: sink.dead_letters.max_bytes, whenFull: sink.dead_letters.when_full },
  };
}

/** Who writes `bearer` means the token: Splunk has its own word before it. */
function tokenOf({ bearer, ...auth }: AuthConfig): AuthConfig {
  return bearer === undefined ? auth : { ...auth, token: bearer };
}
