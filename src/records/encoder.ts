import { ESCAPE_FACTOR, REASON_MAX_CHARS } from "../core/limits.ts";
import { TIME_TEXT_BYTES } from "../core/record.ts";
import type { Line, RecordEncoder } from "../core/record.ts";
import type { Format } from "../core/config.ts";
import { Choice } from "./choose.ts";
import { copyAll, copySpan, quoteSpan } from "./copy.ts";
import { compileDialects } from "./dialects/compile.ts";
import { DIALECTS } from "./dialects/index.ts";
import { FLAGS, Kind, KIND_MASK, Members, VALUE_END, VALUE_START } from "./members.ts";
import { addedFields, OwnFields } from "./own.ts";
import { Role } from "./roles.ts";
import { Payload } from "./payload.ts";
import { RecordTime } from "./time/record-time.ts";
import { Zone } from "./time/zone.ts";
import { FieldWriter } from "./write.ts";

export interface RecordEncoderOptions {
  readonly format: Format;
  /** IANA name, for times without an offset. */
  readonly timezone: string;
  /** Added to every record that has none of that name. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** `service.name` of lines without one. */
  readonly serviceName?: string;
  /** Largest payload; sizes the repair buffer. */
  readonly maxLineBytes?: number;
}

const QUOTE = 0x22;

/** Bytes of a document for the names and punctuation that pannier writes around what the line says. */
const NAMES_MAX_BYTES = 1_024;
/** Longest `Line.pathMember`: a path of 4,096 bytes, all escaped. */
const PATH_MEMBER_MAX_BYTES = 4_096 * ESCAPE_FACTOR + 64;

const OPEN = Buffer.from('{"@timestamp":"');
const LEVEL = Buffer.from('","log.level":"');
const MESSAGE = Buffer.from(',"message":');
const ERROR_MESSAGE = Buffer.from(',"error.message":');
const REFUSED_TAGS = Buffer.from(',"tags":["refused"]');
const ASSIGNED = Buffer.from(',"event.timestamp_source":"assigned"');

/** The span table of the line at hand. Encoding is synchronous, so one serves all encoders. */
const members = new Members();

/** Makes the encoder of one input. */
export function createRecordEncoder(options: RecordEncoderOptions): RecordEncoder {
  return new Encoder(options);
}

class Encoder implements RecordEncoder {
  readonly #json: boolean;
  readonly #payload: Payload;
  readonly #time: RecordTime;
  readonly #choice: Choice;
  readonly #fields: FieldWriter;
  readonly #own: OwnFields;
  /** Kinds of value by name id, for records with (1) flags and (2) an assigned time of pannier's: those names are then its own. */
  readonly #kinds: readonly Uint8Array[];
  readonly #constantBytes: number;

  constructor(options: RecordEncoderOptions) {
    const added = addedFields(options.fields, options.serviceName);
    const vocabulary = compileDialects(
      DIALECTS,
      added.map((field) => field.name),
    );
    this.#json = options.format !== "plain";
    this.#payload = new Payload(options.maxLineBytes ?? 0);
    this.#time = new RecordTime(new Zone(options.timezone));
    this.#choice = new Choice(vocabulary, this.#time);
    this.#fields = new FieldWriter(vocabulary, this.#choice, members);
    this.#own = new OwnFields(added, vocabulary);
    this.#kinds = [0, 1, 2, 3].map((own) => {
      const kinds = Uint8Array.from(vocabulary.kinds);
      if ((own & 1) !== 0)
        for (const name of ["log.flags", "log.original_bytes"]) kinds[vocabulary.names.idOf(name)] = 0;
      if ((own & 2) !== 0) kinds[vocabulary.names.idOf("event.timestamp_source")] = 0;
      return kinds;
    });
    this.#constantBytes =
      NAMES_MAX_BYTES + PATH_MEMBER_MAX_BYTES + REASON_MAX_CHARS * ESCAPE_FACTOR + this.#own.maxBytes;
  }

  maxEncodedBytes(payloadBytes: number): number {
    return payloadBytes * ESCAPE_FACTOR + this.#constantBytes;
  }

  encode(line: Line, out: Buffer, at: number): number {
    const payload = this.#payload;
    payload.set(line);
    const isJson = this.#json && payload.scan(members);
    if (isJson) {
      this.#time.setFallback(line.fallbackTime);
      this.#choice.choose(payload.bytes, members);
    }
    const assigned = !isJson || this.#choice.best[Role.time]! < 0;
    at = copyAll(OPEN, out, at);
    at = this.#writeTime(line, assigned, out, at);
    if (line.refusedReason !== undefined) {
      at = this.#writeRefused(line.refusedReason, out, at);
    } else if (isJson) {
      at = this.#writeFields(line, assigned, out, at);
    } else {
      out[at++] = QUOTE;
      at = this.#writeText(out, at);
    }
    if (assigned) at = copyAll(ASSIGNED, out, at);
    at = this.#own.write(line, isJson && line.refusedReason === undefined ? this.#choice : undefined, out, at);
    out[at++] = 0x7d;
    return at;
  }

  /** Writes the time, without the closing quote, and remembers it for the next line of the lane. */
  #writeTime(line: Line, assigned: boolean, out: Buffer, at: number): number {
    const { lane } = line;
    if (assigned && lane.timeBytes > 0) return copySpan(lane.time, 0, lane.timeBytes, out, at);
    const source = assigned ? line.fallbackTime : this.#time.bytes;
    const length = assigned ? Math.min(line.fallbackTime.length, TIME_TEXT_BYTES) : this.#time.length;
    for (let i = 0; i < length; i++) lane.time[i] = out[at++] = source[i]!;
    lane.timeBytes = length;
    return at;
  }

  #writeFields(line: Line, assigned: boolean, out: Buffer, at: number): number {
    const { best, dialect, level } = this.#choice;
    const { bytes } = this.#payload;
    if (best[Role.level]! >= 0) {
      at = copyAll(LEVEL, out, at);
      at = copyAll(dialect.levels[level]!, out, at);
    }
    out[at++] = QUOTE;
    const message = best[Role.message]!;
    if (message >= 0) {
      at = copyAll(MESSAGE, out, at);
      const { entries } = members;
      const start = entries[message + VALUE_START]!;
      const end = entries[message + VALUE_END]!;
      const isText = (entries[message + FLAGS]! & KIND_MASK) === Kind.text;
      at = isText ? copySpan(bytes, start, end, out, at) : quoteSpan(bytes, start, end, out, at);
    }
    const own = (line.flags !== 0 ? 1 : 0) | (assigned ? 2 : 0);
    return this.#fields.write(bytes, this.#kinds[own]!, out, at);
  }

  #writeText(out: Buffer, at: number): number {
    const { bytes, start, end } = this.#payload;
    at = copyAll(MESSAGE, out, at);
    return quoteSpan(bytes, start, end, out, at);
  }

  #writeRefused(reason: string, out: Buffer, at: number): number {
    out[at++] = QUOTE;
    at = this.#writeText(out, at);
    at = copyAll(ERROR_MESSAGE, out, at);
    const text = Buffer.from(reason.slice(0, REASON_MAX_CHARS));
    at = quoteSpan(text, 0, text.length, out, at);
    return copyAll(REFUSED_TAGS, out, at);
  }
}
