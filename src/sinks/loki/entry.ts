/**
 * A record on its way to Loki, as it stands in a batch. Its parts have fixed places, so that they can be changed where they are
 * when Loki does not want them; what goes out is made of it with each request (`pack.ts`).
 *
 *   0  bytes of the whole            20  bytes of the line
 *   4  number of its stream          24  what was changed of it, bits of Mend
 *   8  seconds since 1970, 64 bits   28  the line, and behind it the metadata, as protobuf has them
 *  16  nanoseconds
 */
export const HEADER_BYTES = 28;

/** What is done about a record that Loki refuses as it is. A set of bits. */
export const Mend = {
  /** Its own time is not taken: it gets another one. */
  time: 1,
  /** It is too far behind others: it goes to a stream of its file alone. */
  ownStream: 2,
  /** The line is cut. */
  cut: 4,
  /** Its labels are not taken: it goes to the stream that has none but the service's. */
  fewLabels: 8,
  noMetadata: 16,
} as const;

/** Where the parts of the header are. */
export const Place = { total: 0, stream: 4, second: 8, nanos: 16, lineBytes: 20, mends: 24 } as const;

const TWO_TO_32 = 0x1_0000_0000;

/** Writes the header of a record that stands at [at, end). */
export function writeHeader(
  out: Buffer,
  at: number,
  end: number,
  stream: number,
  second: number,
  nanos: number,
  lineBytes: number,
): void {
  writeWord(out, at + Place.total, end - at);
  writeWord(out, at + Place.stream, stream);
  writeWord(out, at + Place.second, second % TWO_TO_32);
  writeWord(out, at + Place.second + 4, Math.floor(second / TWO_TO_32));
  writeWord(out, at + Place.nanos, nanos);
  writeWord(out, at + Place.lineBytes, lineBytes);
  writeWord(out, at + Place.mends, 0);
}

export function mendsOf(record: Buffer, at: number): number {
  return readWord(record, at + Place.mends);
}

export function addMend(record: Buffer, at: number, mend: number): void {
  writeWord(record, at + Place.mends, mendsOf(record, at) | mend);
}

export function totalOf(record: Buffer, at: number): number {
  return readWord(record, at + Place.total);
}

export function streamOf(record: Buffer, at: number): number {
  return readWord(record, at + Place.stream);
}

export function secondOf(record: Buffer, at: number): number {
  return readWord(record, at + Place.second) + readWord(record, at + Place.second + 4) * TWO_TO_32;
}

export function nanosOf(record: Buffer, at: number): number {
  return readWord(record, at + Place.nanos);
}

export function lineBytesOf(record: Buffer, at: number): number {
  return readWord(record, at + Place.lineBytes);
}

/** The line of a record. */
export function lineOf(record: Buffer, at: number): Buffer {
  return record.subarray(at + HEADER_BYTES, at + HEADER_BYTES + lineBytesOf(record, at));
}

/** Its metadata. */
export function metadataOf(record: Buffer, at: number): Buffer {
  return record.subarray(at + HEADER_BYTES + lineBytesOf(record, at), at + totalOf(record, at));
}

// Byte by byte: a native call per number would cost more.
function writeWord(out: Buffer, at: number, value: number): void {
  out[at] = value;
  out[at + 1] = value >>> 8;
  out[at + 2] = value >>> 16;
  out[at + 3] = value >>> 24;
}

function readWord(bytes: Buffer, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}
