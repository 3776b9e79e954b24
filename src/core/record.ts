import { TAIL_BYTES } from "./limits.ts";

/** Why an event is not simply one whole line. A set of bits. */
export const LineFlag = { truncated: 1, unterminated: 2, continued: 4 } as const;

/** Longest `@timestamp` text that is ever sent (RFC 3339 with nanoseconds and an offset takes 35). */
export const TIME_TEXT_BYTES = 40;

const NS_PER_SECOND = 1e9;
const ASSIGNED = " assigned";

/** What a record needs to know about the records before it in its file: the last time, as it was sent. */
export class Lane {
  readonly time: Buffer;
  timeBytes = 0;
  /**
   * For a sink that sends times as numbers: the last record's own time, seconds since 1970 (NaN: there was none) and
   * nanoseconds, and how many nanoseconds later it was sent.
   */
  second: number = Number.NaN;
  nanos = 0;
  addedNanos = 0;
  /** Its own time was none of the file's: it was given one. */
  isAssigned = false;

  /** `time`: memory of TIME_TEXT_BYTES bytes. */
  constructor(time: Buffer = Buffer.alloc(TIME_TEXT_BYTES)) {
    this.time = time;
  }

  /** The last time as text, for the journal: `2026-01-02T03:04:05.678Z`, and behind a blank what was added to it. */
  lastTime(): string {
    const text = this.time.toString("latin1", 0, this.timeBytes);
    if (Number.isNaN(this.second)) return text;
    const time = text === "" ? timeText(this.second, this.nanos) : text;
    return `${time} ${this.addedNanos}${this.isAssigned ? ASSIGNED : ""}`;
  }

  setLastTime(text: string): void {
    const [time = "", added, assigned] = text.split(" ");
    this.timeBytes = this.time.write(time, 0, TIME_TEXT_BYTES, "latin1");
    if (added === undefined) return;
    const ms = Date.parse(time.replace(/\.\d+/, ""));
    this.second = ms / 1_000;
    this.nanos = Number((/\.(\d+)/.exec(time)?.[1] ?? "").padEnd(9, "0"));
    this.addedNanos = Number(added);
    this.isAssigned = assigned !== undefined;
  }
}

/** RFC 3339 in UTC with all nine digits. */
export function timeText(second: number, nanos: number): string {
  const carried = Math.floor(nanos / NS_PER_SECOND);
  const date = new Date((second + carried) * 1_000).toISOString().slice(0, 19);
  return `${date}.${String(nanos - carried * NS_PER_SECOND).padStart(9, "0")}Z`;
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
  /** Names the file for ever: its record's key. */
  fileKey = "";
  /** Index of the input that it belongs to. */
  input = 0;
  /** When its file was last written to, as far as that was seen; milliseconds since 1970. */
  writtenMs = 0;
  /** What was decided about records of the file; undefined where nothing can be. */
  placements: Placements | undefined = undefined;
}

/**
 * Where a sink puts the records of a file, as far as time or chance decided it: journaled before such a record is sent, and
 * obeyed when it is read again.
 */
export interface Placements {
  /** What holds for the record at an offset: the value of the last decision about that question at or before it. */
  at(what: PlacementKind, offset: number): string | undefined;
  /** The record at that offset was not sent before this process began: it can be decided about. */
  isOpen(offset: number): boolean;
  /** Journals what holds from an offset on. Throws when that cannot be journaled. */
  decide(placement: Placement): void;
}

/** `stream`: which one its records go to. `clamp`: where those are put whose own time is refused. `time`: that of records without one. */
export type PlacementKind = "stream" | "clamp" | "time";

export interface Placement {
  readonly from: number;
  readonly what: PlacementKind;
  /** In the sink's own words. */
  readonly value: string;
}

/** What a line says about itself, for sinks that do not send a document. One object serves all lines; spans are of the line that was read last. */
export class Facts {
  /** The line as valid UTF-8, without its end: `RecordEncoder.copy` writes it. */
  start = 0;
  end = 0;
  /** It says when it was written. */
  hasTime = false;
  /** Seconds since 1970, and nanoseconds. */
  second = 0;
  nanos = 0;
  /** What the last digit of the time as it was written stands for. */
  stepNanos = 1;
  /** Name of its level, as records have it. */
  level: Buffer | undefined = undefined;
  /** Where the ids stand; -1 when there is none. */
  traceStart = -1;
  traceEnd = -1;
  spanStart = -1;
  spanEnd = -1;
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
  /** Reads what a line says about itself. What it returns, and `copy`, are about this line until the next one. */
  read(line: Line): Facts;
  /** Writes bytes [start, end) of the line that was read at out[at] and returns the offset behind them. */
  copy(start: number, end: number, out: Buffer, at: number): number;
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
