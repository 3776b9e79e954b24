import * as v from "valibot";
import { IN_FLIGHT_MAX } from "../core/limits.ts";
import { SPLUNK_NAME_MAX_CHARS } from "../core/splunk-limits.ts";
import { derived, duration, flag, integer, key, oneOf, size, text, texts } from "./values.ts";

/** The kinds of sinks, for the configuration's schema. */

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

const name = derived(
  v.pipe(
    v.string("expected a string"),
    v.regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, "letters, digits, `_`, `.` and `-` only, at most 64"),
  ),
  "Name of the sink in logs, status and the state directory: how far it has come in each file is kept under it.",
  "its type, then `TYPE-2`, …",
);
const was = derived(text(), "The name before a rename, so that nothing is sent again.", "none");
const maxBytes = v.optional(
  size(4 * KiB, 64 * MiB, {
    description: "A batch is sent when it holds this much, before compression.",
    "x-default": "derived from `memory.limit`, at most 2MiB",
  }),
);
const maxAge = v.optional(
  duration({ description: "A batch is sent when its first record has waited this long." }),
  "1s",
);

const auth = v.strictObject({
  api_key: derived(text(), "An Elasticsearch API key, in its encoded form.", "none"),
  username: derived(text(), "User for basic authentication, with `password`.", "none"),
  password: derived(text(), "Password for basic authentication.", "none"),
  bearer: derived(text(), "A bearer token.", "none"),
});

const tls = v.strictObject({
  ca: derived(text(), "Path of a PEM file with the authorities to trust instead of the system's.", "the system's"),
  cert: derived(text(), "Path of a PEM file with the client's certificate, with `key`.", "none"),
  key: derived(text(), "Path of a PEM file with the client's private key.", "none"),
  server_name: derived(text(), "Name that the server's certificate must carry.", "the host in the URL"),
});

const deadLetters = v.optional(
  v.strictObject({
    max_bytes: v.optional(
      size(KiB, 1024 * GiB, { description: "Most bytes of dead letters that are kept in `state_dir`." }),
      "64MiB",
    ),
    when_full: v.optional(
      key(oneOf(["stop", "drop_oldest"]), "`stop` the sink, or drop the oldest (counted as lost)."),
      "stop",
    ),
  }),
  {},
);
const inFlight = derived(
  integer(1, 16),
  "Requests that may be under way at once.",
  `derived from \`memory.limit\`, at most ${IN_FLIGHT_MAX}`,
);

function splunkName() {
  return v.pipe(text(), v.maxLength(SPLUNK_NAME_MAX_CHARS, `longer than ${SPLUNK_NAME_MAX_CHARS} characters`));
}

const gzipBatch = v.optional(
  v.strictObject({
    max_bytes: maxBytes,
    max_age: maxAge,
    in_flight: inFlight,
    compression: v.optional(key(oneOf(["gzip", "none"]), "Compression of request bodies."), "gzip"),
  }),
  {},
);

export const elasticsearch = v.strictObject({
  type: key(v.literal("elasticsearch"), "Elasticsearch 8 or 9."),
  name,
  was,
  urls: key(texts("https://elasticsearch:9200"), "The nodes. User and password may stand in them; better in `auth`."),
  auth: v.optional(
    key(
      auth,
      "One of `api_key`, `username` with `password`, or `bearer`. A value `${file:PATH}` is read again when the file changes.",
    ),
    {},
  ),
  tls: v.optional(key(tls, "For `https` URLs."), {}),
  data_stream: derived(text(), "The data stream to create documents in.", "`logs-pannier-default`"),
  index: derived(text(), "A plain index or alias instead of a data stream.", "none"),
  manage_template: v.optional(
    key(
      flag(),
      "Write an index template for the data stream when no template matches it and nobody else's is touched.",
    ),
    true,
  ),
  timestamp_type: v.optional(
    key(oneOf(["date_nanos", "date"]), "Type of `@timestamp` in a template that pannier makes for a new data stream."),
    "date_nanos",
  ),
  batch: gzipBatch,
  dead_letters: deadLetters,
});

export const loki = v.strictObject({
  type: key(v.literal("loki"), "Loki 3."),
  name,
  was,
  urls: key(
    texts("http://loki:3100"),
    "The addresses; `/loki/api/v1/push` is added. User and password may stand in them; better in `auth`.",
  ),
  auth: v.optional(
    key(auth, "`username` with `password`, or `bearer`. A value `${file:PATH}` is read again when the file changes."),
    {},
  ),
  tls: v.optional(key(tls, "For `https` URLs."), {}),
  tenant: derived(text(), "The tenant, sent as `X-Scope-OrgID`.", "none"),
  labels: v.optional(
    key(
      v.record(v.string(), text(), "expected names and values"),
      "Labels of the streams: few, and of few values. `{1}` to `{9}` in a value are the directories below what is fixed in the input's path, `{name}` is the file's name up to its first dot. `service_name` is there in any case: `fields.\"service.name\"` of the input, else `$OTEL_SERVICE_NAME`, else `unknown_service`.",
    ),
    {},
  ),
  line: v.optional(
    key(oneOf(["original", "record"]), "The line as it was written, or the record as JSON, as Elasticsearch gets it."),
    "original",
  ),
  structured_metadata: v.optional(
    key(
      flag(),
      "Send `file`, `offset`, `level`, `trace_id`, `span_id` and `pod` (`$POD_NAME`) as structured metadata.",
    ),
    true,
  ),
  encoding: v.optional(
    key(
      oneOf(["protobuf", "json"]),
      "How pushes are written: protobuf with snappy, or JSON with gzip for what stands before a Loki and reads nothing else; that takes more processor time.",
    ),
    "protobuf",
  ),
  batch: v.optional(v.strictObject({ max_bytes: maxBytes, max_age: maxAge, in_flight: inFlight }), {}),
  dead_letters: deadLetters,
});

export const splunk = v.strictObject({
  type: key(v.literal("splunk"), "Splunk's HTTP Event Collector."),
  name,
  was,
  urls: key(
    texts("https://splunk:8088"),
    "The collectors; `/services/collector/event` is added. Acknowledgements are asked for where an event went.",
  ),
  auth: v.optional(
    key(
      v.strictObject({
        token: derived(text(), "The token of the collector.", "none"),
        bearer: derived(text(), "Another word for `token`.", "none"),
        username: derived(text(), "Any name, for basic authentication; `password` is the token then.", "none"),
        password: derived(text(), "The token, for basic authentication.", "none"),
      }),
      "The collector's token. A value `${file:PATH}` is read again when the file changes.",
    ),
    {},
  ),
  tls: v.optional(key(tls, "For `https` URLs."), {}),
  index: derived(splunkName(), "The index to write to; the token has to allow it.", "the token's own"),
  sourcetype: v.optional(
    key(
      splunkName(),
      "Source type of the events. They are JSON objects, as Elasticsearch gets them; `_json` finds their fields and cuts nothing.",
    ),
    "_json",
  ),
  source: derived(splunkName(), "Source of the events.", "the path of the file"),
  host: derived(splunkName(), "Host of the events.", "`$POD_NAME`, else the machine's name"),
  event_id: v.optional(
    key(
      flag(),
      "Send each event's id as the indexed field `pannier_id`. Splunk knows no ids, so what is sent again is there twice; `| dedup pannier_id` leaves it out of a search.",
    ),
    true,
  ),
  batch: gzipBatch,
  dead_letters: deadLetters,
});

export const stdout = v.strictObject({
  type: key(v.literal("stdout"), "One JSON document per line on standard output."),
  name,
  was,
  batch: v.optional(v.strictObject({ max_bytes: maxBytes, max_age: maxAge }), {}),
});
