import * as v from "valibot";
import { elasticsearch, loki, splunk, stdout } from "./sink-schemas.ts";
import { duration, flag, integer, key, listener, oneOf, size, text, texts } from "./values.ts";

/**
 * The one description of the configuration: what is valid, what is the default, and what the documentation says. The JSON
 * Schema and docs/configuration.md are made from it.
 */

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

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
      v.array(v.variant("type", [elasticsearch, loki, splunk, stdout]), "expected a list of sinks"),
      "Where it goes. Every sink gets everything, at its own pace.",
    ),
    [],
  ),
});

export type ParsedConfig = v.InferOutput<typeof configSchema>;
export type ParsedSink = ParsedConfig["sinks"][number];
