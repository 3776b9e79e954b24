import { escapeSpan, ESCAPED_MAX_BYTES } from "../../core/escape.ts";
import type { Compressor } from "../../core/sink.ts";
import type { Exchange } from "../exchange.ts";
import { Choice, type Selection } from "./choice.ts";
import { HEADER_BYTES, lineBytesOf, nanosOf, secondOf, streamOf, totalOf } from "./entry.ts";
import type { Packer } from "./pack.ts";
import { readVarint, varintBytes } from "./proto.ts";
import type { Streams } from "./streams.ts";

/** A piece goes to the compressor when it holds about so much. */
const PIECE_BYTES = 65_536;
/** So many bytes of a line or value are escaped at once: they have room behind a full piece. */
const SPAN_BYTES = 4_096;
/** Time, brackets and quotes of an entry. */
const FRAME_BYTES = 64;
/** Memory of a packer, without that of its compressor. */
export const JSON_PIECE_BYTES: number = PIECE_BYTES + FRAME_BYTES + SPAN_BYTES * ESCAPED_MAX_BYTES;

const END = Buffer.from("]}]}");
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const OPEN_MAP = 0x7b;
const CLOSE_MAP = 0x7d;
const ZERO = 0x30;

/**
 * Makes bodies of pushes as JSON, compressed with gzip, for what stands before a Loki and reads no protobuf. It is written
 * from the bytes of the records, piece by piece; no object is made of an entry.
 */
export class JsonPacker implements Packer {
  readonly headers: Readonly<Record<string, string>> = {
    "content-type": "application/json",
    "content-encoding": "gzip",
  };
  readonly choice: Choice = new Choice();
  readonly #streams: Streams;
  readonly #gzip: Compressor;
  readonly #piece: Buffer = Buffer.allocUnsafeSlow(JSON_PIECE_BYTES);
  #used = 0;

  constructor(streams: Streams, gzip: Compressor) {
    this.#streams = streams;
    this.#gzip = gzip;
  }

  async pack({ buffer }: Exchange, { includes, withoutMetadata }: Selection): Promise<Buffer | undefined> {
    const { stream, first, firstAt, end } = this.choice;
    this.#gzip.begin();
    this.#used = 0;
    const labels = Object.fromEntries(this.#streams.get(stream).labels);
    await this.#putText(Buffer.from(`{"streams":[{"stream":${JSON.stringify(labels)},"values":[`));
    let isFirst = true;
    for (let position = first, at = firstAt; position < end; at += totalOf(buffer, at), position++) {
      if (streamOf(buffer, at) !== stream || !includes(position)) continue;
      if (!isFirst) this.#piece[this.#used++] = COMMA;
      isFirst = false;
      this.#putTime(secondOf(buffer, at), nanosOf(buffer, at));
      const line = at + HEADER_BYTES;
      const metadata = line + lineBytesOf(buffer, at);
      // What is short needs no look at the room, and nothing to wait for.
      if (metadata - line <= SPAN_BYTES) this.#put(buffer, line, metadata);
      else await this.#putLong(buffer, line, metadata);
      this.#piece[this.#used++] = QUOTE;
      if (this.#used >= PIECE_BYTES) await this.#flush();
      if (!withoutMetadata) await this.#putMetadata(buffer, metadata, at + totalOf(buffer, at));
      this.#piece[this.#used++] = CLOSE;
      if (this.#used >= PIECE_BYTES) await this.#flush();
    }
    await this.#putText(END);
    return this.#gzip.end(this.#piece.subarray(0, this.#used));
  }

  /** `["1795446000000000001","` */
  #putTime(second: number, nanos: number): void {
    const piece = this.#piece;
    let p = this.#used;
    piece[p++] = OPEN;
    piece[p++] = QUOTE;
    p += piece.write(String(second), p, "latin1");
    let rest = nanos;
    for (let i = p + 8; i >= p; i--) {
      const tenth = Math.floor(rest / 10);
      piece[i] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    p += 9;
    piece[p++] = QUOTE;
    piece[p++] = COMMA;
    piece[p++] = QUOTE;
    this.#used = p;
  }

  /** `,{"file":"…","offset":"7"}`, from protobuf's pairs. */
  async #putMetadata(buffer: Buffer, from: number, to: number): Promise<void> {
    const piece = this.#piece;
    if (from === to) return;
    piece[this.#used++] = COMMA;
    let before = OPEN_MAP;
    for (let at = from; at < to;) {
      const length = readVarint(buffer, at + 1);
      const pair = at + 1 + varintBytes(length);
      const nameBytes = readVarint(buffer, pair + 1);
      const name = pair + 1 + varintBytes(nameBytes);
      const valueBytes = readVarint(buffer, name + nameBytes + 1);
      const value = name + nameBytes + 1 + varintBytes(valueBytes);
      piece[this.#used++] = before;
      piece[this.#used++] = QUOTE;
      this.#put(buffer, name, name + nameBytes);
      piece[this.#used++] = QUOTE;
      piece[this.#used++] = COLON;
      piece[this.#used++] = QUOTE;
      if (this.#used >= PIECE_BYTES) await this.#flush();
      if (valueBytes <= SPAN_BYTES) this.#put(buffer, value, value + valueBytes);
      else await this.#putLong(buffer, value, value + valueBytes);
      piece[this.#used++] = QUOTE;
      if (this.#used >= PIECE_BYTES) await this.#flush();
      before = COMMA;
      at = pair + length;
    }
    piece[this.#used++] = CLOSE_MAP;
  }

  #put(buffer: Buffer, from: number, to: number): void {
    this.#used = escapeSpan(buffer, from, to, this.#piece, this.#used);
  }

  async #putLong(buffer: Buffer, from: number, to: number): Promise<void> {
    for (let at = from; at < to; at += SPAN_BYTES) {
      this.#put(buffer, at, Math.min(to, at + SPAN_BYTES));
      if (this.#used >= PIECE_BYTES) await this.#flush();
    }
  }

  /** A text as it is. */
  async #putText(text: Buffer): Promise<void> {
    for (let at = 0; at < text.length;) {
      const length = text.copy(this.#piece, this.#used, at, Math.min(text.length, at + SPAN_BYTES));
      at += length;
      this.#used += length;
      if (this.#used >= PIECE_BYTES) await this.#flush();
    }
  }

  async #flush(): Promise<void> {
    await this.#gzip.add(this.#piece.subarray(0, this.#used));
    this.#used = 0;
  }
}
