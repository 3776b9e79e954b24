/** The few rules of protobuf's wire format that a push needs. */

/** Most bytes of a number below 2^35. */
export const VARINT_MAX_BYTES = 5;

/** Tags: number of the field and kind of its value. */
export const Tag = {
  /** PushRequest.streams, StreamAdapter.labels, EntryAdapter.timestamp, LabelPairAdapter.name. */
  first: 0x0a,
  /** StreamAdapter.entries, EntryAdapter.line, LabelPairAdapter.value. */
  second: 0x12,
  /** EntryAdapter.structuredMetadata. */
  third: 0x1a,
  /** Timestamp.seconds and nanos. */
  seconds: 0x08,
  nanos: 0x10,
} as const;

/** Bytes that a number from 0 to below 2^49 takes. */
export function varintBytes(value: number): number {
  if (value < 2 ** 7) return 1;
  if (value < 2 ** 14) return 2;
  if (value < 2 ** 21) return 3;
  if (value < 2 ** 28) return 4;
  if (value < 2 ** 35) return 5;
  return value < 2 ** 42 ? 6 : 7;
}

/** Writes a number ≥ 0 at out[at] and returns the offset behind it. */
export function writeVarint(value: number, out: Buffer, at: number): number {
  let rest = value;
  for (; rest >= 0x8000_0000; rest = Math.floor(rest / 0x80)) out[at++] = (rest % 0x80) | 0x80;
  for (; rest >= 0x80; rest >>>= 7) out[at++] = (rest & 0x7f) | 0x80;
  out[at++] = rest;
  return at;
}

/** Reads a number at bytes[at]; `varintBytes` of it says where it ends. */
export function readVarint(bytes: Buffer, at: number): number {
  let value = 0;
  let factor = 1;
  for (let p = at; ; p++) {
    value += (bytes[p] & 0x7f) * factor;
    if (bytes[p] < 0x80) return value;
    factor *= 0x80;
  }
}

/** A name and value of structured metadata as the field of an entry. */
export function metadataPair(name: string, value: string): Buffer {
  const parts = [name, value].map((text, i) => {
    const bytes = Buffer.from(text);
    const head = Buffer.alloc(1 + VARINT_MAX_BYTES);
    head[0] = i === 0 ? Tag.first : Tag.second;
    return Buffer.concat([head.subarray(0, writeVarint(bytes.length, head, 1)), bytes]);
  });
  const inner = Buffer.concat(parts);
  const head = Buffer.alloc(1 + VARINT_MAX_BYTES);
  head[0] = Tag.third;
  return Buffer.concat([head.subarray(0, writeVarint(inner.length, head, 1)), inner]);
}

/** The names and values of metadata, in their order. */
export function* metadataPairs(bytes: Buffer): Generator<[string, string]> {
  for (let at = 0; at < bytes.length;) {
    const length = readVarint(bytes, at + 1);
    at += 1 + varintBytes(length);
    const nameBytes = readVarint(bytes, at + 1);
    const name = at + 1 + varintBytes(nameBytes);
    const valueBytes = readVarint(bytes, name + nameBytes + 1);
    const value = name + nameBytes + 1 + varintBytes(valueBytes);
    yield [bytes.toString("utf8", name, name + nameBytes), bytes.toString("utf8", value, value + valueBytes)];
    at += length;
  }
}
