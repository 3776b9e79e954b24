import { setImmediate } from "node:timers/promises";
import { LOKI_PUSH_MAX_BYTES } from "../../core/loki-limits.ts";
import { copySpan, Window } from "../../core/window.ts";
import type { Exchange } from "../exchange.ts";
import { HEADER_BYTES, Place } from "./entry.ts";
import { Tag, varintBytes, VARINT_MAX_BYTES, writeVarint } from "./proto.ts";
import { compressBlock, SNAPPY_BLOCK_BYTES, snappyMaxBytes, writeSnappyLength } from "./snappy.ts";
import type { Streams } from "./streams.ts";

/** Blocks between two pauses: a millisecond of work. */
const BLOCKS_PER_SLICE = 6;
/** Most bytes that stand before the line of an entry: three lengths, the time and five tags. */
const ENTRY_HEAD_MAX_BYTES = 48;

/** Which records of a request may go out. */
export interface Selection {
  /** By position. */
  readonly includes: (position: number) => boolean;
  /** The server does not take structured metadata. */
  readonly withoutMetadata: boolean;
}

/**
 * Makes the body of a push out of records: protobuf, compressed with snappy. Both are written piece by piece into memory of
 * its own that is taken once, one per request in flight; the protobuf never exists as a whole.
 *
 * A push has the records of one stream. Loki takes pushes of several, but its ingester answers with what became of the last
 * one only: that it refused others (too fast, too far behind, one stream too many) is not said, and they would be lost.
 */
export class Packer {
  readonly #streams: Streams;
  readonly #maxBodyBytes: number;
  readonly #out: Buffer;
  readonly #block: Buffer = Buffer.alloc(SNAPPY_BLOCK_BYTES);
  readonly #to = new Window(this.#block);
  readonly #from = new Window();
  #used = 0;
  #end = 0;
  /** Position of the first record that goes out, and where it is. */
  #first = 0;
  #firstAt = 0;
  /** Records from this position on go out with later pushes. */
  end = 0;
  /** Bytes of the stream: its labels and entries. */
  #streamBytes = 0;
  /** The stream that the last body was for; -1 when there was nothing to send. */
  stream = -1;
  /** There are further records, of other streams or too many of this one: they go out with pushes of their own. */
  hasOthers = false;
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
    return snappyMaxBytes(bodyBytes) + SNAPPY_BLOCK_BYTES;
  }

  /** Chooses the stream of the first of these records and adds up what the body for it takes; false when it is too large. */
  measure({ buffer, from, count }: Exchange, { includes, withoutMetadata }: Selection): boolean {
    this.#from.set(buffer);
    const { view } = this.#from;
    let stream = -1;
    this.hasOthers = false;
    this.end = count;
    let entriesBytes = 0;
    let contentBytes = 0;
    for (let position = 0, at = from; position < count; position++) {
      const total = view.getUint32(at + Place.total, true);
      if (includes(position)) {
        const own = view.getUint32(at + Place.stream, true);
        if (stream < 0) {
          stream = own;
          this.#first = position;
          this.#firstAt = at;
        }
        if (own === stream && this.end === count) {
          const bytes = entryBytes(view, at, withoutMetadata);
          entriesBytes += 1 + varintBytes(bytes) + bytes;
          contentBytes += total - HEADER_BYTES;
          if (entriesBytes >= LOKI_PUSH_MAX_BYTES) this.end = position + 1;
        } else this.hasOthers = true;
      }
      at += total;
    }
    this.stream = stream;
    this.contentBytes = contentBytes;
    this.bodyBytes = 0;
    if (stream < 0) return true;
    const { length } = this.#streams.get(stream).bytes;
    this.#streamBytes = 1 + varintBytes(length) + length + entriesBytes;
    this.bodyBytes = 1 + varintBytes(this.#streamBytes) + this.#streamBytes;
    return this.bodyBytes <= this.#maxBodyBytes;
  }

  /** The body that was measured, valid until the next call; undefined when there is nothing to send. */
  async pack({ buffer }: Exchange, { includes, withoutMetadata }: Selection): Promise<Buffer | undefined> {
    const { stream } = this;
    if (stream < 0) return undefined;
    const { view } = this.#from;
    this.#used = 0;
    this.#end = writeSnappyLength(this.bodyBytes, this.#out, 0);
    this.#putStream(stream);
    let blockEnd = this.#end;
    let blocks = 0;
    let at = this.#firstAt;
    for (let position = this.#first; position < this.end; position++) {
      const total = view.getUint32(at + Place.total, true);
      if (view.getUint32(at + Place.stream, true) === stream && includes(position)) {
        this.#putEntry(buffer, at, withoutMetadata);
        if (this.#end !== blockEnd) {
          blockEnd = this.#end;
          if (++blocks % BLOCKS_PER_SLICE === 0) await setImmediate();
        }
      }
      at += total;
    }
    this.#flush();
    return this.#out.subarray(0, this.#end);
  }

  #putStream(stream: number): void {
    const labels = this.#streams.get(stream).bytes;
    this.#makeRoom(2 * (1 + VARINT_MAX_BYTES));
    const block = this.#block;
    block[this.#used++] = Tag.first;
    this.#used = writeVarint(this.#streamBytes, block, this.#used);
    block[this.#used++] = Tag.first;
    this.#used = writeVarint(labels.length, block, this.#used);
    this.#putBytes(labels, 0, labels.length);
  }

  #putEntry(buffer: Buffer, at: number, withoutMetadata: boolean): void {
    const { view } = this.#from;
    const total = view.getUint32(at + Place.total, true);
    const lineBytes = view.getUint32(at + Place.lineBytes, true);
    const second = secondAt(view, at);
    const nanos = view.getUint32(at + Place.nanos, true);
    const start = at + HEADER_BYTES;
    const end = withoutMetadata ? start + lineBytes : at + total;
    this.#makeRoom(Math.min(SNAPPY_BLOCK_BYTES, ENTRY_HEAD_MAX_BYTES + end - start));
    const block = this.#block;
    let p = this.#used;
    block[p++] = Tag.second;
    p = writeVarint(entryBytes(view, at, withoutMetadata), block, p);
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
function entryBytes(view: DataView, at: number, withoutMetadata: boolean): number {
  const lineBytes = view.getUint32(at + Place.lineBytes, true);
  const rest = withoutMetadata ? lineBytes : view.getUint32(at + Place.total, true) - HEADER_BYTES;
  return 2 + timeBytes(secondAt(view, at), view.getUint32(at + Place.nanos, true)) + 1 + varintBytes(lineBytes) + rest;
}

function secondAt(view: DataView, at: number): number {
  const high = view.getUint32(at + Place.second + 4, true);
  const low = view.getUint32(at + Place.second, true);
  return high === 0 ? low : high * 0x1_0000_0000 + low;
}

function timeBytes(second: number, nanos: number): number {
  return 1 + varintBytes(second) + (nanos > 0 ? 1 + varintBytes(nanos) : 0);
}
