/** A document as far as the demo looks into it. */
export type Document = Readonly<Record<string, unknown>>;

/** What became of one item of a bulk request. */
export interface ItemResult {
  readonly status: number;
  readonly error?: { readonly type: string; readonly reason: string };
}

/** A failure of a whole request. */
export class RequestFailure extends Error {
  override readonly name = "RequestFailure";
  readonly status: number;
  readonly type: string;

  constructor(status: number, type: string, reason: string) {
    super(reason);
    this.status = status;
    this.type = type;
  }
}

/** Ids that are remembered: minutes of the demo, while re-sends come within seconds. */
const IDS_MAX = 200_000;
const ID_MAX_BYTES = 512;
const NEWLINE = 10;

/** A data stream that takes documents under ids, as Elasticsearch does: `create` once, then 409. */
export class Documents {
  readonly #timestamps = new Map<string, unknown>();
  readonly #accepted: (document: Document) => void;
  conflicts = 0;

  /** `accepted` is called for every document that is new. */
  constructor(accepted: (document: Document) => void) {
    this.#accepted = accepted;
  }

  create(id: string | undefined, text: string): ItemResult {
    if (id !== undefined && this.#timestamps.has(id)) {
      this.conflicts++;
      return refused(
        409,
        "version_conflict_engine_exception",
        `[${id}]: version conflict, document already exists (current version [1])`,
      );
    }
    const document = parse(text);
    if (document === undefined) return refused(400, "document_parsing_exception", "[1:1] failed to parse");
    const time = document["@timestamp"];
    if (typeof time !== "string" && typeof time !== "number") {
      return refused(
        400,
        "document_parsing_exception",
        "[1:1] failed to parse: data stream timestamp field [@timestamp] is missing",
      );
    }
    if (id !== undefined) this.#remember(id, time);
    this.#accepted(document);
    return { status: 201 };
  }

  /** `@timestamp` of a document, for `_mget`; undefined when it is not there. */
  timestamp(id: string): unknown {
    return this.#timestamps.get(id);
  }

  get empty(): boolean {
    return this.#timestamps.size === 0;
  }

  #remember(id: string, time: unknown): void {
    this.#timestamps.set(id, time);
    if (this.#timestamps.size <= IDS_MAX) return;
    for (const oldest of this.#timestamps.keys()) {
      this.#timestamps.delete(oldest);
      return;
    }
  }
}

/** One item of a `_bulk` answer. */
export interface BulkItem extends ItemResult {
  readonly id: string | undefined;
  readonly op: string;
}

/** Takes the body of a `_bulk` request; throws RequestFailure where Elasticsearch refuses the whole request. */
export function takeBulk(body: Buffer, documents: Documents): BulkItem[] {
  if (body.length === 0) throw new RequestFailure(400, "parse_exception", "request body is required");
  if (body[body.length - 1] !== NEWLINE)
    throw malformed(String.raw`The bulk request must be terminated by a newline [\n]`);
  const lines = body.toString("utf8").split("\n").slice(0, -1);
  // The whole request is read before a document is taken: a malformed action refuses all of it.
  const actions: { op: string; id: string | undefined; text: string }[] = [];
  for (let i = 0; i < lines.length; i++) {
    if (lines[i] === "") continue;
    const [op, meta] = Object.entries(parse(lines[i]) ?? {})[0] ?? [];
    if (op === undefined || !["create", "index", "update", "delete"].includes(op)) {
      throw malformed(
        `Malformed action/metadata line [${i + 1}], expected field [create], [delete], [index] or [update]`,
      );
    }
    const id = (meta as Document | null)?.["_id"];
    if (typeof id === "string" && Buffer.byteLength(id) > ID_MAX_BYTES) {
      throw malformed(`id [${id}] is too long, must be no longer than 512 bytes but was: ${Buffer.byteLength(id)}`);
    }
    const text: string | undefined = op === "delete" ? "" : lines[++i];
    if (text === undefined) throw malformed("The bulk request must be terminated by a newline");
    actions.push({ op, id: typeof id === "string" ? id : undefined, text });
  }
  return actions.map(({ op, id, text }) => ({
    op,
    id,
    ...(op === "create"
      ? documents.create(id, text)
      : refused(
          400,
          "illegal_argument_exception",
          "only write ops with an op_type of create are allowed in data streams",
        )),
  }));
}

function refused(status: number, type: string, reason: string): ItemResult {
  return { status, error: { type, reason } };
}

function malformed(reason: string): RequestFailure {
  return new RequestFailure(400, "illegal_argument_exception", reason);
}

/** A JSON object, or undefined for anything else. */
function parse(text: string): Document | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Document) : undefined;
  } catch {
    return undefined;
  }
}
