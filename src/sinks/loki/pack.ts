import { setImmediate } from "node:timers/promises";
import { copySpan, Window } from "../../core/window.ts";
import type { Exchange } from "../exchange.ts";
import { Choice, entryBytes, secondAt, type Selection, timeBytes } from "./choice.ts";
import { HEADER_BYTES, Place } from "./entry.ts";
import { Tag, varintBytes, writeVarint } from "./proto.ts";
import { compressBlock, SNAPPY_BLOCK_BYTES, snappyMaxBytes, writeSnappyLength } from "./snappy.ts";
import type { Streams } from "./streams.ts";

/** Blocks between two pauses: a millisecond of work. */
const BLOCKS_PER_SLICE = 6;
/** Most bytes that stand before the line of an entry: three lengths, the time and five tags. */
const ENTRY_HEAD_MAX_BYTES = 48;

/** Makes bodies of pushes. One per request in flight; what it returns is valid until it is asked again. */
export interface Packer {
  readonly headers: Readonly<Record<string, string>>;
  /** Says which records they are made of. */
  readonly choice: Choice;
  /** The body for what was chosen; undefined when that is too large. */
  pack(exchange: Exchange, selection: Selection): Promise<Buffer | undefined>;
}

/**
 * Makes the body of a push out of records: protobuf, compressed with snappy. Both are written piece by piece into memory of
 * its own that is taken once, one per request in flight; the protobuf never exists as a whole.
 */
export class SnappyPacker implements Packer {
  readonly headers: Readonly<Record<string, string>> = { "content-type": "application/x-protobuf" };
  readonly choice: Choice = new Choice();
  readonly #streams: Streams;
  readonly #maxBodyBytes: number;
  readonly #out: Buffer;
  readonly #block: Buffer = Buffer.alloc(SNAPPY_BLOCK_BYTES);
  readonly #to = new Window(this.#block);
  #used = 0;
  #end = 0;

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

  async pack({ buffer }: Exchange, { includes, withoutMetadata }: Selection): Promise<Buffer | undefined> {
    const { choice } = this;
    const { records, stream, first, firstAt, end } = choice;
    const { view } = records;
    const labels = this.#streams.get(stream).bytes;
    const streamBytes = 1 + varintBytes(labels.length) + labels.length + choice.entriesBytes;
    const bodyBytes = 1 + varintBytes(streamBytes) + streamBytes;
    if (bodyBytes > this.#maxBodyBytes) return undefined;
    this.#used = 0;
    this.#end = writeSnappyLength(bodyBytes, this.#out, 0);
    this.#putStream(labels, streamBytes);
    let blockEnd = this.#end;
    let blocks = 0;
    for (let position = first, at = firstAt; position < end; position++) {
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

  #putStream(labels: Buffer, bytes: number): void {
    const block = this.#block;
    block[this.#used++] = Tag.first;
    this.#used = writeVarint(bytes, block, this.#used);
    block[this.#used++] = Tag.first;
    this.#used = writeVarint(labels.length, block, this.#used);
    this.#putBytes(labels, 0, labels.length);
  }

  #putEntry(buffer: Buffer, at: number, withoutMetadata: boolean): void {
    const { records } = this.choice;
    const { view } = records;
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
    if (end - start <= SNAPPY_BLOCK_BYTES - p) this.#used = copySpan(records, start, end, this.#to, p);
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
