import { TAIL_BYTES } from "./limits.ts";

/** Why an event is not simply one whole line. A set of bits. */
export const LineFlag = { truncated: 1, unterminated: 2, continued: 4 } as const;

/** Longest `@timestamp` text that is ever sent (RFC 3339 with nanoseconds and an offset takes 35). */
export const TIME_TEXT_BYTES = 40;

/** What a record needs to know about the records before it in its file: the last time, as it was sent. */
export class Lane {
  readonly time: Buffer;
  timeBytes = 0;

  /** `time`: memory of TIME_TEXT_BYTES bytes. */
  constructor(time: Buffer = Buffer.alloc(TIME_TEXT_BYTES)) {
    this.time = time;
  }

  lastTime(): string {
    return this.time.toString("latin1", 0, this.timeBytes);
  }

  setLastTime(text: string): void {
    this.timeBytes = this.time.write(text, 0, TIME_TEXT_BYTES, "latin1");
  }
}

/** One event on its way into a record. One object is reused for all: nothing may keep it. */
export class Line {
  /** The payload is bytes[start, end): without line end and BOM. */
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  end = 0;
  /** `log.offset`: where the event begins in the file. */
  offset = 0;
  /** Bits of LineFlag. */
  flags = 0;
  /** `log.original_bytes` of a truncated line: its length without the line end. */
  originalBytes = 0;
  /** The payload is known to be valid UTF-8. */
  knownUtf8 = false;
  /** `log.file.path`. */
  path = "";
  /** Time for a record that has none and none before it: RFC 3339, UTC. */
  fallbackTime = "";
  lane: Lane = new Lane();
  /** Set for the second send of a refused record: it becomes text, with this as `error.message`. */
  refusedReason: string | undefined = undefined;
}

/** Turns events into documents. One per input; pure apart from `line.lane`. */
export interface RecordEncoder {
  /**
   * Writes the JSON document of the line at `out[at]` and returns the offset behind it. It never fails: what is not JSON
   * becomes plain text. The caller guarantees `maxEncodedBytes(line.end - line.start)` bytes of room.
   */
  encode(line: Line, out: Buffer, at: number): number;
  /** Upper bound of a document's size for a payload of that many bytes. */
  maxEncodedBytes(payloadBytes: number): number;
  /** What the line before was taken for, and its dialect if it has one. */
  readonly lastFormat: string;
  readonly lastDialect: string | null;
}

/** The last bytes before an offset, to compare when the file is read again. */
export class Tail {
  readonly bytes: Buffer;
  length = 0;

  /** `bytes`: memory of TAIL_BYTES bytes. */
  constructor(bytes: Buffer = Buffer.alloc(TAIL_BYTES)) {
    this.bytes = bytes;
  }

  /** Remembers the last bytes of source[from, to). */
  set(source: Buffer, from: number, to: number): void {
    const start = Math.max(from, to - TAIL_BYTES);
    source.copy(this.bytes, 0, start, to);
    this.length = to - start;
  }

  get endsInNul(): boolean {
    return this.length > 0 && this.bytes[this.length - 1] === 0;
  }

  copy(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.length));
  }
}
