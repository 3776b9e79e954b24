import { ESCAPE_FACTOR, REASON_MAX_CHARS } from "../core/limits.ts";
import { TIME_TEXT_BYTES } from "../core/record.ts";
import type { Lane, Line, RecordEncoder } from "../core/record.ts";
import type { Format } from "../core/config.ts";
import { Choice } from "./choose.ts";
import { Constant, copyConstant, copySpan, quoteSpan, Window } from "./copy.ts";
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
const CLOSE_BRACE = 0x7d;

/** Bytes of a document for the names and punctuation that pannier writes around what the line says. */
const NAMES_MAX_BYTES = 1_024;
/** Longest `Line.pathMember`: a path of 4,096 bytes, all escaped. */
const PATH_MEMBER_MAX_BYTES = 4_096 * ESCAPE_FACTOR + 64;

const OPEN = new Constant('{"@timestamp":"');
const MESSAGE = new Constant(',"message":');
const ERROR_MESSAGE = new Constant(',"error.message":');
const REFUSED_TAGS = new Constant(',"tags":["refused"]');
const ASSIGNED = new Constant(',"event.timestamp_source":"assigned"');

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
  readonly #out = new Window();
  readonly #lane = new Window();

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

  encode(line: Line, buffer: Buffer, at: number): number {
    const payload = this.#payload;
    const choice = this.#choice;
    const out = this.#out;
    out.set(buffer);
    payload.set(line);
    const isJson = this.#json && payload.scan(members);
    if (isJson) {
      this.#time.setFallback(line.fallbackTime);
      choice.choose(payload.source.bytes, members);
    }
    const assigned = !isJson || choice.best[Role.time]! < 0;
    at = copyConstant(OPEN, out, at);
    at = assigned ? this.#writeAssignedTime(line, out, at) : this.#writeTime(line.lane, out, at);
    buffer[at++] = QUOTE;
    const refused = line.refusedReason !== undefined;
    if (isJson && !refused) {
      at = this.#writeFields(line, assigned, out, at);
    } else {
      at = copyConstant(MESSAGE, out, at);
      at = quoteSpan(payload.source, payload.start, payload.end, out, at);
      if (line.refusedReason !== undefined) at = this.#writeReason(line.refusedReason, out, at);
    }
    if (assigned) at = copyConstant(ASSIGNED, out, at);
    at = this.#own.write(line, isJson && !refused ? choice : undefined, out, at);
    buffer[at++] = CLOSE_BRACE;
    return at;
  }

  /** The time of the line itself, which the next line of the lane takes if it has none. */
  #writeTime(lane: Lane, out: Window, at: number): number {
    const { text, length } = this.#time;
    copySpan(text, 0, length, this.#laneTime(lane), 0);
    lane.timeBytes = length;
    return copySpan(text, 0, length, out, at);
  }

  #writeAssignedTime(line: Line, out: Window, at: number): number {
    const { lane, fallbackTime } = line;
    if (lane.timeBytes === 0) lane.timeBytes = fallbackTime.copy(lane.time, 0, 0, TIME_TEXT_BYTES);
    return copySpan(this.#laneTime(lane), 0, lane.timeBytes, out, at);
  }

  #laneTime(lane: Lane): Window {
    this.#lane.set(lane.time);
    return this.#lane;
  }

  #writeFields(line: Line, assigned: boolean, out: Window, at: number): number {
    const { best, dialect, level } = this.#choice;
    const { source } = this.#payload;
    if (best[Role.level]! >= 0) at = copyConstant(dialect.levels[level]!, out, at);
    const message = best[Role.message]!;
    if (message >= 0) {
      at = copyConstant(MESSAGE, out, at);
      const { entries } = members;
      const start = entries[message + VALUE_START]!;
      const end = entries[message + VALUE_END]!;
      const isText = (entries[message + FLAGS]! & KIND_MASK) === Kind.text;
      at = isText ? copySpan(source, start, end, out, at) : quoteSpan(source, start, end, out, at);
    }
    const own = (line.flags !== 0 ? 1 : 0) | (assigned ? 2 : 0);
    return this.#fields.write(source, this.#kinds[own]!, out, at);
  }

  /** What the server had against the first form of the record. */
  #writeReason(reason: string, out: Window, at: number): number {
    const text = new Constant(reason.slice(0, REASON_MAX_CHARS));
    at = copyConstant(ERROR_MESSAGE, out, at);
    at = quoteSpan(text.source, 0, text.length, out, at);
    return copyConstant(REFUSED_TAGS, out, at);
  }
}
