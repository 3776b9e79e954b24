import { Kind } from "./members.ts";

const text = 1 << Kind.text;
const number = 1 << Kind.number;
const list = 1 << Kind.array;
const object = 1 << Kind.object;
const nothing = 1 << Kind.null;
const scalar = text | number | (1 << Kind.boolean);
export const ANY_KIND = 0xff;

/**
 * Which kinds of value may stand under an ECS name (a set of bits, 1 << kind); a member of another kind moves to `app.NAME`. An object under a name
 * that takes objects only is opened: its members go to the top under dotted names. `none` is pannier's alone.
 */
export const ECS_KINDS: Readonly<Record<string, number>> = {
  "@timestamp": 0,
  "log.level": 0,
  message: 0,
  "log.file.path": 0,
  "log.offset": 0,
  "app.duplicates": 0,
  "data_stream.type": 0,
  "data_stream.dataset": 0,
  "data_stream.namespace": 0,
  ...kindsOf(object, "ecs log log.file log.origin log.origin.file log.syslog trace transaction span error host event"),
  ...kindsOf(object, "service service.node process process.thread container orchestrator agent data_stream"),
  ...kindsOf(object | nothing, "labels"),
  ...kindsOf(text, "ecs.version service.name"),
  ...kindsOf(text | nothing, "log.logger log.origin.function log.origin.file.name process.thread.name host.name"),
  ...kindsOf(text | nothing, "error.type error.message error.stack_trace trace.id span.id transaction.id"),
  ...kindsOf(text | nothing, "service.version service.environment service.node.name event.dataset"),
  ...kindsOf(number | nothing, "log.origin.file.line process.pid"),
  ...kindsOf(
    scalar | list | nothing,
    "tags error.id error.code log.file.inode log.file.device_id log.file.fingerprint",
  ),
  ...kindsOf(scalar | list | nothing, "container.id container.name container.runtime agent.id agent.name agent.type"),
  ...kindsOf(scalar | list | nothing, "agent.version agent.ephemeral_id event.original event.created event.ingested"),
  ...kindsOf(scalar | list | nothing, "event.kind event.category event.type event.outcome event.action event.code"),
  ...kindsOf(ANY_KIND, "log.flags log.original_bytes event.timestamp_source"),
  ...kindsOf(scalar | list | nothing, "log.original process.name process.thread.id"),
};

function kindsOf(kinds: number, names: string): Record<string, number> {
  return Object.fromEntries(names.split(" ").map((name) => [name, kinds]));
}

/** Whether objects under the name are opened. */
export function isOpened(name: string): boolean {
  return ECS_KINDS[name] === object;
}

/** Names that Elasticsearch keeps for its own fields at the top of a document: refused there, or read as something else. */
export const METADATA_NAMES: readonly string[] = (
  "_id _source _index _routing _ignored _field_names _type _version _seq_no _primary_term _tier _nested_path _doc_count " +
  "_data_stream_timestamp _feature _size _tsid _ts_routing_hash _recovery_source _ignored_source _inference_fields"
).split(" ");
