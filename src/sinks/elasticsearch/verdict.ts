import { Verdict } from "../exchange.ts";
import type { AnswerItem } from "./answer-shape.ts";

/** The document went into the failure store of its data stream, which search does not look into. */
export const FAILURE_STORE = "failure_store";

/** Errors that are about the document, whatever else is wrong: the only ones for which a record is sent as text. */
const ABOUT_THE_DOCUMENT: ReadonlySet<string> = new Set([
  FAILURE_STORE,
  "document_parsing_exception",
  "mapper_parsing_exception",
  "strict_dynamic_mapping_exception",
  "x_content_parse_exception",
  "x_content_e_o_f_exception",
  "not_x_content_exception",
  "json_parse_exception",
  "json_e_o_f_exception",
  "parsing_exception",
  "parse_exception",
  "named_object_not_found_exception",
  "input_coercion_exception",
  "max_bytes_length_exceeded_exception",
  "date_time_parse_exception",
  "number_format_exception",
]);

/**
 * Errors that name both: a missing pipeline, which fails every record, and a field that cannot be mapped (a key that is too
 * long, an array whose values would need two types), which fails one. What else is in the answer tells them apart.
 */
const ABOUT_THE_DOCUMENT_IF_OTHERS_PASS: ReadonlySet<string> = new Set(["illegal_argument_exception"]);

/** Errors that are known to be about the destination: never taken for the document's fault, however long they last. */
const ABOUT_THE_DESTINATION: ReadonlySet<string> = new Set([
  "index_closed_exception",
  "index_not_found_exception",
  "cluster_block_exception",
  "security_exception",
  "unavailable_shards_exception",
  "no_shard_available_action_exception",
  "shard_not_found_exception",
  "illegal_index_shard_state_exception",
  "primary_missing_action_exception",
  "no_node_available_exception",
  "node_not_connected_exception",
  "node_disconnected_exception",
  "node_closed_exception",
  "connect_transport_exception",
  "receive_timeout_transport_exception",
  "master_not_discovered_exception",
  "process_cluster_event_timeout_exception",
  "timeout_exception",
  "elasticsearch_timeout_exception",
  "es_rejected_execution_exception",
  "opensearch_rejected_execution_exception",
  "circuit_breaking_exception",
  "resource_already_exists_exception",
  "index_create_block_exception",
  "invalid_index_name_exception",
  "invalid_alias_name_exception",
]);

/** A verdict per record, by a closed list: what is not known to be the document's fault is waited out. */
export function verdictOf(item: AnswerItem): Verdict {
  const { status, type } = item;
  if (item.inFailureStore) return Verdict.rejected;
  if (status === 200 || status === 201) return Verdict.delivered;
  if (status === 409 && (type === "version_conflict_engine_exception" || type === "")) return Verdict.conflict;
  if (status === 401 || status === 403 || status === 429 || status === 503) return Verdict.waiting;
  if (ABOUT_THE_DOCUMENT.has(type)) return Verdict.rejected;
  if (ABOUT_THE_DESTINATION.has(type)) return Verdict.waiting;
  if (status === 400 && ABOUT_THE_DOCUMENT_IF_OTHERS_PASS.has(type)) return Verdict.suspect;
  return Verdict.unclear;
}

/** A whole request was refused with 400: its type says whether that is the destination's doing. */
export function namesDestination(type: string | undefined): boolean {
  return type === undefined || ABOUT_THE_DESTINATION.has(type);
}
