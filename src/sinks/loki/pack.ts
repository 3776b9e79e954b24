import { setImmediate } from "node:timers/promises";
import { BATCH_MAX_RECORDS } from "../../core/limits.ts";
import { copySpan, Window } from "../../core/window.ts";
import type { Exchange } from "../exchange.ts";
import { HEADER_BYTES, lineBytesOf, nanosOf, secondOf, streamOf, totalOf } from "./entry.ts";
import { Tag, varintBytes, VARINT_MAX_BYTES, writeVarint } from "./proto.ts";
import { compressBlock, SNAPPY_BLOCK_BYTES, snappyMaxBytes, writeSnappyLength } from "./snappy.ts";
import type { Streams } from "./streams.ts";

/** Blocks between two pauses: a millisecond of work. */
const BLOCKS_PER_SLICE = 6;
/** Most bytes that stand before the line of an entry: three lengths, the time and five tags. */
const ENTRY_HEAD_MAX_BYTES = 48;

/** Which records of a request go out. */
export interface Selection {
  /** By position. */
  readonly includes: (position: number) => boolean;
  /** The server does not take structured metadata. */
  readonly withoutMetadata: boolean;
}

/**
 * Makes the body of a push out of records: protobuf, compressed with snappy. Both are written piece by piece into memory of
 * its own that is taken once, one per request in flight; the protobuf never exists as a whole.
 */
export class Packer {
  readonly #streams: Streams;
  readonly #maxBodyBytes: number;
  readonly #out: Buffer;
  readonly #block: Buffer = Buffer.alloc(SNAPPY_BLOCK_BYTES);
  readonly #to = new Window(this.#block);
  readonly #from = new Window();
  /** Bytes of the entries of each run of records that go to the same stream. */
  readonly #runs: Float64Array = new Float64Array(BATCH_MAX_RECORDS);
  #used = 0;
  #end = 0;
  /** Bytes of the last body before compression. */
  bodyBytes = 0;
  /** Bytes of lines and metadata in it, as Loki counts them for its rate limits. */
  contentBytes = 0;

  /** `bodyBytes`: the largest body before compression. */
  constructor(streams: Streams, bodyBytes: number) {
    this.#streams = streams;
    this.#maxBodyBytes = bodyBytes;
    this.#out = Buffer.allocUnsafeSlow(snappyMaxBytes(bodyBytes));
  }

  /** Memory of a packer for bodies of that size. */
  static plannedBytes(bodyBytes: number): number {
    return snappyMaxBytes(bodyBytes) + SNAPPY_BLOCK_BYTES + BATCH_MAX_RECORDS * 8;
  }

  /** Adds up what the body for these records takes; false when it is too large. */
  measure(exchange: Exchange, selection: Selection): boolean {
    this.#measure(exchange, selection);
    return this.bodyBytes <= this.#maxBodyBytes;
  }

  /** The body for the records that were measured, valid until the next call; undefined when there are none. */
  async pack(exchange: Exchange, selection: Selection): Promise<Buffer | undefined> {
    const { buffer, from, count } = exchange;
    if (this.bodyBytes === 0) return undefined;
    this.#from.set(buffer);
    this.#used = 0;
    this.#end = writeSnappyLength(this.bodyBytes, this.#out, 0);
    let stream = -1;
    let run = 0;
    let blockEnd = this.#end;
    let blocks = 0;
    for (let position = 0, at = from; position < count; at += totalOf(buffer, at), position++) {
      if (!selection.includes(position)) continue;
      if (streamOf(buffer, at) !== stream) {
        stream = streamOf(buffer, at);
        this.#putStream(stream, this.#runs[run++]);
      }
      this.#putEntry(buffer, at, selection.withoutMetadata);
      if (this.#end === blockEnd) continue;
      blockEnd = this.#end;
      if (++blocks % BLOCKS_PER_SLICE === 0) await setImmediate();
    }
    this.#flush();
    return this.#out.subarray(0, this.#end);
  }

  /** Adds up the runs, since the length of a stream stands before it. */
  #measure({ buffer, from, count }: Exchange, { includes, withoutMetadata }: Selection): void {
    let stream = -1;
    let run = -1;
    let contentBytes = 0;
    for (let position = 0, at = from; position < count; position++) {
      const total = totalOf(buffer, at);
      if (includes(position)) {
        if (streamOf(buffer, at) !== stream) {
          stream = streamOf(buffer, at);
          this.#runs[++run] = 0;
        }
        const bytes = entryBytes(buffer, at, withoutMetadata);
        this.#runs[run] += 1 + varintBytes(bytes) + bytes;
        contentBytes += total - HEADER_BYTES;
      }
      at += total;
    }
    this.contentBytes = contentBytes;
    this.bodyBytes = 0;
    // The streams once more, to add what stands around the entries of each run.
    stream = -1;
    let next = 0;
    for (let position = 0, at = from; position < count; at += totalOf(buffer, at), position++) {
      if (!includes(position) || streamOf(buffer, at) === stream) continue;
      stream = streamOf(buffer, at);
      const { length } = this.#streams.get(stream).bytes;
      this.#runs[next] += 1 + varintBytes(length) + length;
      this.bodyBytes += 1 + varintBytes(this.#runs[next]) + this.#runs[next];
      next++;
    }
  }

  #putStream(stream: number, bytes: number): void {
    const labels = this.#streams.get(stream).bytes;
    this.#makeRoom(2 * (1 + VARINT_MAX_BYTES));
    const block = this.#block;
    block[this.#used++] = Tag.first;
    this.#used = writeVarint(bytes, block, this.#used);
    block[this.#used++] = Tag.first;
    this.#used = writeVarint(labels.length, block, this.#used);
    this.#putBytes(labels, 0, labels.length);
  }

  #putEntry(buffer: Buffer, at: number, withoutMetadata: boolean): void {
    const total = totalOf(buffer, at);
    const lineBytes = lineBytesOf(buffer, at);
    const second = secondOf(buffer, at);
    const nanos = nanosOf(buffer, at);
    const start = at + HEADER_BYTES;
    const end = withoutMetadata ? start + lineBytes : at + total;
    this.#makeRoom(Math.min(SNAPPY_BLOCK_BYTES, ENTRY_HEAD_MAX_BYTES + end - start));
    const block = this.#block;
    let p = this.#used;
    block[p++] = Tag.second;
    p = writeVarint(entryBytes(buffer, at, withoutMetadata), block, p);
    block[p++] = Tag.first;
    block[p++] = timeBytes(second, nanos);
    block[p++] = Tag.seconds;
    p = writeVarint(second, block, p);
    if (nanos > 0) {
      block[p++] = Tag.nanos;
      p = writeVarint(nanos, block, p);
    }
    block[p++] = Tag.second;
    p = writeVarint(lineBytes, block, p);
    // Line and metadata stand behind each other as they do in an entry.
    if (end - start <= SNAPPY_BLOCK_BYTES - p) this.#used = copySpan(this.#from, start, end, this.#to, p);
    else {
      this.#used = p;
      this.#putBytes(buffer, start, end);
    }
  }

  /** What is larger than a block goes in pieces. */
  #putBytes(source: Buffer, from: number, to: number): void {
    for (let at = from; at < to;) {
      if (this.#used === SNAPPY_BLOCK_BYTES) this.#flush();
      const length = Math.min(to - at, SNAPPY_BLOCK_BYTES - this.#used);
      source.copy(this.#block, this.#used, at, at + length);
      this.#used += length;
      at += length;
    }
  }

  #makeRoom(bytes: number): void {
    if (this.#used + bytes > SNAPPY_BLOCK_BYTES) this.#flush();
  }

  #flush(): void {
    if (this.#used > 0) this.#end = compressBlock(this.#to.view, this.#used, this.#out, this.#end);
    this.#used = 0;
  }
}

/** Bytes of an entry without its own tag and length. */
function entryBytes(buffer: Buffer, at: number, withoutMetadata: boolean): number {
  const lineBytes = lineBytesOf(buffer, at);
  const rest = withoutMetadata ? lineBytes : totalOf(buffer, at) - HEADER_BYTES;
  return 2 + timeBytes(secondOf(buffer, at), nanosOf(buffer, at)) + 1 + varintBytes(lineBytes) + rest;
}

function timeBytes(second: number, nanos: number): number {
  return 1 + varintBytes(second) + (nanos > 0 ? 1 + varintBytes(nanos) : 0);
}
