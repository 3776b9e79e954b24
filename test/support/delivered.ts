/** What a real Elasticsearch holds of the lines that were written: counted from every document, never from a maximum. */
import { request } from "../servers/request.ts";
import type { MixedFiles } from "./mixed-files.ts";
import { sequenceOf } from "./mixed-lines.ts";
import { SequenceSet } from "./sequence-set.ts";

type Source = Record<string, unknown>;

interface Hit {
  readonly _id: string;
  readonly _source: Source;
  readonly sort: readonly unknown[];
}

interface SearchBody {
  readonly hits?: { readonly hits: readonly Hit[] };
  readonly aggregations?: Readonly<Record<string, unknown>>;
  readonly pit_id?: string;
  readonly id?: string;
}

const PAGE = 5_000;
const BUCKETS = 10_000;

async function ask(url: string, method: string, path: string, body?: unknown): Promise<SearchBody> {
  const answer = await request(url, method, path, body);
  if (answer.status !== 200)
    throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer.body as SearchBody;
}

export async function refresh(url: string, index: string): Promise<void> {
  await ask(url, "POST", `/${index}/_refresh`);
}

/** Every document, page by page, with these fields of its source. */
export async function* allDocuments(url: string, index: string, fields: readonly string[] | true): AsyncGenerator<Hit> {
  const { id } = await ask(url, "POST", `/${index}/_pit?keep_alive=5m`);
  let after: readonly unknown[] | undefined;
  for (;;) {
    const answer = await ask(url, "POST", "/_search", {
      size: PAGE,
      _source: fields,
      track_total_hits: false,
      pit: { id, keep_alive: "5m" },
      sort: [{ _shard_doc: "asc" }],
      ...(after === undefined ? {} : { search_after: after }),
    });
    const hits = answer.hits?.hits ?? [];
    yield* hits;
    if (hits.length < PAGE) break;
    after = hits.at(-1)?.sort;
  }
  await ask(url, "DELETE", "/_pit", { id });
}

export interface Account {
  readonly documents: number;
  readonly missing: number;
  readonly doubled: number;
  readonly firstMissing: readonly number[];
  readonly firstDoubled: readonly number[];
  /** Documents without a sequence number of ours, or at another place than their line. */
  readonly foreign: number;
  readonly sequences: SequenceSet;
}

/** Recovers the sequence number of every document and compares the set with what was written. */
export async function account(url: string, index: string, files: MixedFiles): Promise<Account> {
  const sequences = new SequenceSet();
  let documents = 0;
  let foreign = 0;
  for await (const { _source: source } of allDocuments(url, index, ["seq", "message", "log.file.path", "log.offset"])) {
    documents += 1;
    const sequence = sequenceOf(source);
    if (sequence === undefined || !isAtItsPlace(source, sequence, files)) foreign += 1;
    else sequences.add(sequence);
  }
  return { documents, foreign, sequences, ...sequences.compare(files.written) };
}

function isAtItsPlace(source: Source, sequence: number, files: MixedFiles): boolean {
  return (
    source["log.file.path"] === files.paths[files.fileOf[sequence]] && source["log.offset"] === files.offsets[sequence]
  );
}

interface Composite {
  readonly buckets: readonly { readonly doc_count: number }[];
  readonly after_key?: unknown;
}

/** The server's own count: places (file and offset) of all documents, and how many of them hold more than one document. */
export async function placesOf(url: string, index: string): Promise<{ places: number; crowded: number }> {
  const result = { places: 0, crowded: 0 };
  let after: unknown;
  do {
    const sources = [{ offset: { terms: { field: "log.offset" } } }, { path: { terms: { field: "log.file.path" } } }];
    const composite = { size: BUCKETS, sources, ...(after === undefined ? {} : { after }) };
    const answer = await ask(url, "POST", `/${index}/_search`, { size: 0, aggs: { places: { composite } } });
    const page = answer.aggregations?.["places"] as Composite;
    result.places += page.buckets.length;
    result.crowded += page.buckets.filter((bucket) => bucket.doc_count !== 1).length;
    after = page.after_key;
  } while (after !== undefined);
  return result;
}

/** The documents at these offsets of a file, by offset. */
export async function documentsAt(
  url: string,
  index: string,
  path: string,
  offsets: readonly number[],
): Promise<Map<number, Source>> {
  const filter = [{ term: { "log.file.path": path } }, { terms: { "log.offset": offsets } }];
  const answer = await ask(url, "POST", `/${index}/_search`, { size: PAGE, query: { bool: { filter } } });
  return new Map((answer.hits?.hits ?? []).map(({ _source: source }) => [Number(source["log.offset"]), source]));
}
