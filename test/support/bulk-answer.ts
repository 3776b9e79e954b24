/** The answers of Elasticsearch 9 to `_bulk`, cut down by `filter_path` the way the server does it. */

const OK_ITEM =
  `"_index":"logs-test","_id":"AAAAAAAAAAAAAAAAAAAAAA","_version":1,"result":"created",` +
  `"_shards":{"total":1,"successful":1,"failed":0},"_seq_no":1,"_primary_term":1,"status":201`;
const CONFLICT_TYPE = `"type":"version_conflict_engine_exception"`;
const CONFLICT_REASON = `"reason":"version conflict, document already exists (current version [1])"`;

/** `conflicts` are the positions of documents whose id is known. */
export function bulkAnswer(path: string, body: Buffer, documents: number, conflicts: ReadonlySet<number>): string {
  const errors = conflicts.size > 0;
  const filter = new URL(path, "http://receiver").searchParams.get("filter_path")?.split(",");
  const action = body.toString("latin1", 0, 16).includes(`"index"`) ? "index" : "create";
  const parts: string[] = [];
  if (filter === undefined || filter.includes("took")) parts.push(`"took":1`);
  if (filter === undefined || filter.includes("errors")) parts.push(`"errors":${errors}`);
  const ok = filter === undefined ? OK_ITEM : filter.includes("items.*.status") ? `"status":201` : "";
  const conflict = conflictItem(filter);
  if (ok !== "") {
    const item = `{"${action}":{${ok}}}`;
    const items =
      conflicts.size === 0
        ? `${`${item},`.repeat(documents - 1)}${item}`
        : itemList(action, ok, conflict, documents, conflicts);
    parts.push(`"items":[${items}]`);
  } else if (conflict !== "" && errors) {
    parts.push(`"items":[${Array.from(conflicts, () => `{"${action}":{${conflict}}}`).join(",")}]`);
  }
  return `{${parts.join(",")}}`;
}

function itemList(
  action: string,
  ok: string,
  conflict: string,
  documents: number,
  conflicts: ReadonlySet<number>,
): string {
  return Array.from({ length: documents }, (_, i) => `{"${action}":{${conflicts.has(i) ? conflict : ok}}}`).join(",");
}

function conflictItem(filter: readonly string[] | undefined): string {
  const has = (name: string): boolean => filter === undefined || filter.includes(name);
  const error: string[] = [];
  if (has("items.*.error.type") || has("items.*.error")) error.push(CONFLICT_TYPE);
  if (has("items.*.error.reason") || has("items.*.error")) error.push(CONFLICT_REASON);
  const parts: string[] = [];
  if (has("items.*._index")) parts.push(`"_index":"logs-test"`);
  if (has("items.*.status")) parts.push(`"status":409`);
  if (error.length > 0) parts.push(`"error":{${error.join(",")}}`);
  return parts.join(",");
}
