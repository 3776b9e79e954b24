import type { ElasticsearchConfig } from "../../core/config.ts";
import { member } from "../http/control.ts";

/** Raised when the body below changes: an older template of pannier's is replaced. */
export const TEMPLATE_VERSION = 1;
const TEMPLATE_PRIORITY = 500;

const KEYWORD_MAX_CHARS = 1_024;
/** Component templates by which Elasticsearch lets users change its log streams. */
const COMPONENTS = ["logs@mappings", "logs@settings", "logs@custom"];

/** What pannier itself adds to records, or takes from them for it. */
const KEYWORDS = [
  "log.level",
  "log.logger",
  "log.file.path",
  "log.flags",
  "tags",
  "ecs.version",
  "event.timestamp_source",
  "service.name",
  "host.name",
  "process.thread.name",
  "error.type",
  "trace.id",
  "span.id",
  "transaction.id",
];

/** Name of the template that pannier writes. */
export function templateName(config: ElasticsearchConfig): string {
  return `pannier-${destinationName(config)}`;
}

/** The data stream or index that records go to. */
export function destinationName(config: ElasticsearchConfig): string {
  return config.dataStream ?? config.index ?? "";
}

/**
 * A mapping under which no line conflicts with another: keys are flat (`subobjects: false`), a value that does not fit its
 * field is left out of the index instead of refusing the document, and keys over the limit of fields are kept unindexed.
 */
export function templateBody(config: ElasticsearchConfig, priority: number = TEMPLATE_PRIORITY): object {
  const stream = config.dataStream !== undefined;
  return {
    index_patterns: [destinationName(config)],
    priority,
    version: TEMPLATE_VERSION,
    _meta: { managed_by: "pannier" },
    ...(stream ? { data_stream: {}, composed_of: COMPONENTS, ignore_missing_component_templates: COMPONENTS } : {}),
    template: {
      settings: {
        "index.mapping.ignore_malformed": true,
        "index.mapping.total_fields.ignore_dynamic_beyond_limit": true,
      },
      mappings: {
        _meta: { managed_by: "pannier" },
        subobjects: false,
        date_detection: false,
        dynamic_templates: [
          {
            pannier_strings: {
              match_mapping_type: "string",
              mapping: { type: "keyword", ignore_above: KEYWORD_MAX_CHARS },
            },
          },
        ],
        properties: {
          // The one field that may not be malformed: without a time there is no place for the document.
          "@timestamp": { type: config.timestampType, ignore_malformed: false },
          message: { type: "text" },
          "error.message": { type: "text" },
          "error.stack_trace": { type: "text" },
          "log.offset": { type: "long" },
          "log.original_bytes": { type: "long" },
          "process.pid": { type: "long" },
          // Named, so that an application that fills the limit of fields cannot keep these from being searched.
          ...Object.fromEntries(KEYWORDS.map((name) => [name, { type: "keyword", ignore_above: KEYWORD_MAX_CHARS }])),
        },
      },
    },
  };
}

/** What is missing in the effective settings of a destination; each is one sentence for the operator. */
export function missingGuarantees(simulated: unknown): string[] {
  const template = member(simulated, "template");
  const mappings = member(template, "mappings");
  const mapping = member(member(member(template, "settings"), "index"), "mapping");
  const missing: string[] = [];
  if (member(mappings, "subobjects") !== false)
    missing.push("subobjects: false (a key that is a text in one line and an object in another is refused)");
  if (String(member(mapping, "ignore_malformed")) !== "true")
    missing.push("index.mapping.ignore_malformed (a value of another type than the first one is refused)");
  if (String(member(member(mapping, "total_fields"), "ignore_dynamic_beyond_limit")) !== "true")
    missing.push(
      "index.mapping.total_fields.ignore_dynamic_beyond_limit (lines with new keys are refused past 1,000 fields)",
    );
  const time = member(member(member(mappings, "properties"), "@timestamp"), "type");
  if (time !== "date_nanos") missing.push("@timestamp as date_nanos (times are kept to the millisecond)");
  return missing;
}
