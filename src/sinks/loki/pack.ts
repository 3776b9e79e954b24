import { setImmediate } from "node:timers/promises";
import { BATCH_MAX_RECORDS } from "../../core/limits.ts";
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
  readonly #runStreams: Uint32Array = new Uint32Array(BATCH_MAX_RECORDS);
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
    return snappyMaxBytes(bodyBytes) + SNAPPY_BLOCK_BYTES + BATCH_MAX_RECORDS * 12;
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
    const { view } = this.#from;
    this.#used = 0;
    this.#end = writeSnappyLength(this.bodyBytes, this.#out, 0);
    let stream = -1;
    let run = 0;
    let blockEnd = this.#end;
    let blocks = 0;
    for (let position = 0, at = from; position < count; at += view.getUint32(at + Place.total, true), position++) {
      if (!selection.includes(position)) continue;
      const next = view.getUint32(at + Place.stream, true);
      if (next !== stream) {
        stream = next;
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
    let runs = 0;
    let contentBytes = 0;
    this.#from.set(buffer);
    const { view } = this.#from;
    for (let position = 0, at = from; position < count; position++) {
      const total = view.getUint32(at + Place.total, true);
      if (includes(position)) {
        const next = view.getUint32(at + Place.stream, true);
        if (next !== stream) {
          stream = next;
          this.#runStreams[runs] = next;
          this.#runs[runs++] = 0;
        }
        const bytes = entryBytes(view, at, withoutMetadata);
        this.#runs[runs - 1] += 1 + varintBytes(bytes) + bytes;
        contentBytes += total - HEADER_BYTES;
      }
      at += total;
    }
    this.contentBytes = contentBytes;
    this.bodyBytes = 0;
    for (let run = 0; run < runs; run++) {
      const { length } = this.#streams.get(this.#runStreams[run]).bytes;
      this.#runs[run] += 1 + varintBytes(length) + length;
      this.bodyBytes += 1 + varintBytes(this.#runs[run]) + this.#runs[run];
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
