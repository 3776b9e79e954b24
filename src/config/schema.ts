import * as v from "valibot";
import { IN_FLIGHT_MAX } from "../core/limits.ts";
import { duration, flag, integer, key, listener, oneOf, size, text, texts } from "./values.ts";

/**
 * The one description of the configuration: what is valid, what is the default, and what the documentation says. The JSON
 * Schema and docs/configuration.md are made from it.
 */

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

/** A key without a fixed default: what the documentation says about its absence. */
function derived<const Schema extends v.GenericSchema>(schema: Schema, description: string, absent: string) {
  return v.optional(v.pipe(schema, v.description(description), v.metadata({ "x-default": absent })));
}

const input = v.strictObject({
  paths: key(texts("/logs/*.log"), "Files, globs, or directories (all `**/*.log` in them)."),
  exclude: v.optional(
    key(
      v.array(text(), "expected a list of globs"),
      "Globs of files that are not followed. They never cut short a file that was begun.",
    ),
    ["**/*.gz"],
  ),
  start_at: v.optional(
    key(oneOf(["beginning", "end"]), "Where to begin in files that were never seen before."),
    "beginning",
  ),
  format: v.optional(
    key(oneOf(["auto", "json", "plain"]), "What a line is: `json`, `plain` text, or `auto`, which looks at each line."),
    "auto",
  ),
  max_line_bytes: v.optional(
    size(64, 64 * MiB, {
      description: "Longer lines are cut at a character and marked with `log.flags: [truncated]`.",
    }),
    "256KiB",
  ),
  timezone: v.optional(key(text(), "Zone of times that name none, such as `Europe/Berlin`."), "UTC"),
  fields: v.optional(
    key(
      v.record(v.string(), v.unknown(), "expected keys and values"),
      "Added to every record of this input that has no usable field of that name. Nested keys are joined with dots.",
    ),
    {},
  ),
  reclaim: v.optional(
    key(
      oneOf(["never", "rotated"]),
      "`rotated` deletes a rotated file (`NAME.1`, `NAME-DATE`, …) once every sink has all of it and it has been quiet for a while.",
    ),
    "never",
  ),
});

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

const elasticsearch = v.strictObject({
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
  batch: v.optional(
    v.strictObject({
      max_bytes: maxBytes,
      max_age: maxAge,
      in_flight: derived(
        integer(1, 16),
        "Requests that may be under way at once.",
        `derived from \`memory.limit\`, at most ${IN_FLIGHT_MAX}`,
      ),
      compression: v.optional(key(oneOf(["gzip", "none"]), "Compression of request bodies."), "gzip"),
    }),
    {},
  ),
  dead_letters: v.optional(
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
  ),
});

const stdout = v.strictObject({
  type: key(v.literal("stdout"), "One JSON document per line on standard output."),
  name,
  was,
  batch: v.optional(v.strictObject({ max_bytes: maxBytes, max_age: maxAge }), {}),
});

/** The file as users write it; its output has the defaults and the units parsed. */
export const configSchema = v.strictObject({
  version: v.optional(
    key(
      v.pipe(
        integer(0, Number.MAX_SAFE_INTEGER),
        v.check((version) => version === 1, "this pannier reads version 1"),
      ),
      "Version of this format.",
    ),
    1,
  ),
  state_dir: v.optional(
    key(text(), "What must survive a restart: offsets, ids, dead letters. `$STATE_DIRECTORY` where systemd sets it."),
    "/var/lib/pannier",
  ),
  memory: v.optional(
    v.strictObject({
      limit: v.optional(
        size(MiB, 64 * GiB, {
          description: "Sum of all buffers. Node itself takes about 60 MiB resident on top, about 30 of them its own.",
        }),
        "32MiB",
      ),
    }),
    {},
  ),
  drain: v.optional(
    v.strictObject({
      deadline: v.optional(duration({ description: "How long SIGTERM may wait for what is not delivered yet." }), "8s"),
    }),
    {},
  ),
  admin: v.optional(
    listener(
      "127.0.0.1:9600",
      "Address of `/status`, `/livez`, `/readyz` and `/-/drain-soon`. Ask for it by that address, another one or `localhost`: what names another host (403) may come from a web page.",
    ),
    {},
  ),
  health: v.optional(
    listener("off", "Address of `/livez`, `/readyz` and `/-/drain-soon` alone, for kubelets and load balancers."),
    {},
  ),
  watch_config: v.optional(
    key(flag(), "Reload when the configuration file, or a file that it refers to with `${file:…}`, has changed."),
    false,
  ),
  max_open_files: v.optional(
    key(
      integer(1, 1_000_000),
      "Files kept open. Beyond, the longest idle ones that are delivered are closed first, then those that only a slow sink still wants.",
    ),
    1024,
  ),
  allow_links_into: v.optional(
    key(
      v.array(text(), "expected a list of directories"),
      "Directories that symbolic links inside the watched ones may point into. Links that stay inside are always followed.",
    ),
    [],
  ),
  log: v.optional(
    v.strictObject({
      level: v.optional(
        key(oneOf(["debug", "info", "warn", "error"]), "What pannier says about itself on stderr."),
        "info",
      ),
    }),
    {},
  ),
  inputs: v.optional(
    key(
      v.array(input, "expected a list of inputs"),
      "What is followed. A file belongs to the first input that matches it.",
    ),
    [],
  ),
  sinks: v.optional(
    key(
      v.array(v.variant("type", [elasticsearch, stdout]), "expected a list of sinks"),
      "Where it goes. Every sink gets everything, at its own pace.",
    ),
    [],
  ),
});

export type ParsedConfig = v.InferOutput<typeof configSchema>;
export type ParsedSink = ParsedConfig["sinks"][number];
