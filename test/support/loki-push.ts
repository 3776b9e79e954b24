/** Reads a push as Loki does, by the published formats: snappy's block format and logproto's PushRequest. Shares no code with src. */

export interface PushedEntry {
  /** Nanoseconds since 1970. */
  readonly time: bigint;
  readonly line: Buffer;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface PushedStream {
  readonly labels: string;
  readonly entries: readonly PushedEntry[];
}

/** What a snappy block holds; throws when it is none. */
export function unsnappy(bytes: Buffer): Buffer {
  const reader = new Reader(bytes);
  const length = Number(reader.varint());
  const out = Buffer.alloc(length);
  let at = 0;
  while (!reader.ended) {
    const tag = reader.byte();
    if ((tag & 3) === 0) {
      const short = tag >> 2;
      const size = short < 60 ? short + 1 : reader.little(short - 59) + 1;
      const literal = reader.take(size);
      if (at + size > length) throw new Error("a literal behind the end");
      at += literal.copy(out, at);
      continue;
    }
    const size = (tag & 3) === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
    const back = (tag & 3) === 1 ? ((tag >> 5) << 8) | reader.byte() : reader.little((tag & 3) === 2 ? 2 : 4);
    if (back === 0 || back > at) throw new Error(`a copy from ${back} before ${at}`);
    if (at + size > length) throw new Error("a copy behind the end");
    for (let i = 0; i < size; i++, at++) out[at] = out[at - back];
  }
  if (at !== length) throw new Error(`${at} bytes instead of ${length}`);
  return out;
}

const JSON_BEGIN = Buffer.from('{"streams":[');

/** The streams of a push in either of its forms, without gzip. */
export function readAnyPush(body: Buffer): PushedStream[] {
  return body.subarray(0, 12).equals(JSON_BEGIN) ? readJsonPush(body) : readPush(unsnappy(body));
}

type JsonEntry = readonly [time: string, line: string, metadata?: Readonly<Record<string, string>>];

function readJsonPush(body: Buffer): PushedStream[] {
  const { streams } = JSON.parse(body.toString()) as {
    readonly streams: readonly { readonly stream: Readonly<Record<string, string>>; readonly values: JsonEntry[] }[];
  };
  return streams.map(({ stream, values }) => {
    const labels = Object.entries(stream).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return {
      labels: `{${labels.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(", ")}}`,
      entries: values.map(([time, line, metadata = {}]) => ({ time: BigInt(time), line: Buffer.from(line), metadata })),
    };
  });
}

/** The streams of a push, decompressed. */
export function readPush(body: Buffer): PushedStream[] {
  return fields(body).map(([field, value]) => {
    if (field !== 1) throw new Error(`field ${field} of a push`);
    return readStream(value as Buffer);
  });
}

function readStream(bytes: Buffer): PushedStream {
  let labels = "";
  const entries: PushedEntry[] = [];
  for (const [field, value] of fields(bytes)) {
    if (field === 1) labels = (value as Buffer).toString();
    else if (field === 2) entries.push(readEntry(value as Buffer));
    else throw new Error(`field ${field} of a stream`);
  }
  return { labels, entries };
}

function readEntry(bytes: Buffer): PushedEntry {
  let time = 0n;
  let line: Buffer = Buffer.alloc(0);
  const metadata: Record<string, string> = {};
  for (const [field, value] of fields(bytes)) {
    if (field === 1) {
      for (const [part, number] of fields(value as Buffer))
        time += part === 1 ? (number as bigint) * 1_000_000_000n : (number as bigint);
    } else if (field === 2) line = value as Buffer;
    else if (field === 3) {
      const [[, name], [, text]] = fields(value as Buffer);
      metadata[String(name)] = String(text);
    } else throw new Error(`field ${field} of an entry`);
  }
  return { time, line, metadata };
}

/** Fields of a message: numbers, and what has a length. */
function fields(bytes: Buffer): [number, bigint | Buffer][] {
  const reader = new Reader(bytes);
  const found: [number, bigint | Buffer][] = [];
  while (!reader.ended) {
    const tag = Number(reader.varint());
    if ((tag & 7) === 0) found.push([tag >> 3, reader.varint()]);
    else if ((tag & 7) === 2) found.push([tag >> 3, reader.take(Number(reader.varint()))]);
    else throw new Error(`wire type ${tag & 7}`);
  }
  return found;
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get ended(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    if (this.ended) throw new Error("it ends too early");
    return this.#bytes[this.#at++];
  }

  little(count: number): number {
    const value = this.take(count).readUIntLE(0, count);
    return value;
  }

  take(count: number): Buffer {
    if (this.#at + count > this.#bytes.length) throw new Error("it ends too early");
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }
}
