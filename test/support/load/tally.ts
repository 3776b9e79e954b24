import { endDistance, readNumber, readSequence } from "./lines.ts";

const NEWLINE = 10;
const SEQ = Buffer.from("seq=");
const LEN_AT = "seq=0000000000 len=".length;
const ID = `"_id":"`;
/** FNV-1a, over the id of a document. */
const HASH_START = 0x811c9dc5;
const HASH_FACTOR = 0x01000193;

/** What is wrong with a document that arrived. */
export interface Flaws {
  /** Lines that arrived again under another id. */
  doubled: number;
  /** Documents whose line is not whole, though it is no longer than allowed; or not marked, though it was cut. */
  torn: number;
  /** Documents in which no number was found. */
  unknown: number;
}

/**
 * Counts documents by the sequence numbers in them, as cheaply as it can: 20 million of them must be counted beside the agent
 * that sends them. It remembers one hash of the `_id` per number, so that a second send is told from a second document.
 */
export class Tally {
  readonly flaws: Flaws = { doubled: 0, torn: 0, unknown: 0 };
  /** The first documents with a flaw, cut. */
  readonly samples: string[] = [];
  documents = 0;
  conflicts = 0;
  /** Documents that were cut, and say so. */
  cut = 0;
  #ids = new Uint32Array(1 << 20);
  readonly #maxLineBytes: number;

  /** `maxLineBytes`: what a line may have before it is cut. */
  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** Takes a body of `_bulk`; conflicts are positions of documents whose id is known. */
  read(body: Buffer): { documents: number; conflicts: Set<number> } {
    const conflicts = new Set<number>();
    let documents = 0;
    for (let at = 0; at < body.length; documents++) {
      const id = hashOfId(body, at);
      const from = body.indexOf(NEWLINE, at) + 1;
      const seqAt = body.indexOf(SEQ, from);
      // The rest of a document behind its line is short, so that its end is searched from there.
      const lineBytes = seqAt < 0 ? -1 : readNumber(body, seqAt + LEN_AT);
      // One that was cut has no end, and where it would be, other documents are.
      const hasEnd = lineBytes >= 0 && lineBytes <= this.#maxLineBytes;
      const endAt = hasEnd ? seqAt + endDistance(lineBytes) : -1;
      const isWhole = endAt >= 0 && endAt < body.length && body.toString("latin1", endAt, endAt + 4) === "end=";
      let end = body.indexOf(NEWLINE, isWhole ? endAt : from);
      if (end < 0) end = body.length;
      const sequence = seqAt < 0 || seqAt > end ? -1 : readSequence(body, seqAt + SEQ.length);
      if (sequence < 0) this.#note("unknown", body, from, end);
      else if (this.#isKnown(sequence, id)) conflicts.add(documents);
      else this.#take(body, from, end, sequence, id, lineBytes, isWhole ? endAt : -1);
      at = end + 1;
    }
    this.conflicts += conflicts.size;
    return { documents, conflicts };
  }

  #isKnown(sequence: number, id: number): boolean {
    return sequence < this.#ids.length && this.#ids[sequence] === id;
  }

  #take(body: Buffer, from: number, end: number, sequence: number, id: number, lineBytes: number, endAt: number): void {
    this.documents++;
    if (sequence >= this.#ids.length) {
      const grown = new Uint32Array(Math.max(this.#ids.length * 2, sequence + 1));
      grown.set(this.#ids);
      this.#ids = grown;
    }
    if (this.#ids[sequence] !== 0) this.#note("doubled", body, from, end);
    this.#ids[sequence] = id;
    if (lineBytes > this.#maxLineBytes) {
      const text = body.toString("latin1", Math.max(from, end - 1024), end);
      const isMarked = text.includes(`"log.original_bytes":${lineBytes}`) && text.includes(`"log.flags":["truncated"]`);
      if (isMarked && end - from > this.#maxLineBytes) this.cut++;
      else this.#note("torn", body, from, end);
    } else if (endAt < 0 || endAt > end || readSequence(body, endAt + 4) !== sequence)
      this.#note("torn", body, from, end);
  }

  #note(flaw: keyof Flaws, body: Buffer, from: number, end: number): void {
    this.flaws[flaw]++;
    if (this.samples.length < 10)
      this.samples.push(`${flaw}: ${body.toString("latin1", from, Math.min(end, from + 400))}`);
  }

  /** Numbers below `count` that never came. */
  missing(count: number): { count: number; first: number[] } {
    const first: number[] = [];
    let missing = 0;
    for (let i = 0; i < count; i++) {
      if (i < this.#ids.length && this.#ids[i] !== 0) continue;
      if (++missing <= 10) first.push(i);
    }
    return { count: missing, first };
  }
}

/** A hash of the id in the action line at `at`, never 0. */
function hashOfId(body: Buffer, at: number): number {
  let i = body.indexOf(ID, at) + ID.length;
  let hash = HASH_START;
  for (; body[i] !== 0x22 && i < body.length; i++) hash = Math.imul(hash ^ body[i], HASH_FACTOR);
  return hash >>> 0 || 1;
}
