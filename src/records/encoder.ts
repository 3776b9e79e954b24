import { ESCAPE_FACTOR, PATH_MAX_BYTES, REASON_MAX_CHARS } from "../core/limits.ts";
import type { Facts, Line, RecordEncoder } from "../core/record.ts";
import type { Format } from "../core/config.ts";
import { checkKeys } from "./formats/check-keys.ts";
import { Choice } from "./choose/choose.ts";
import { Constant, copyConstant, copySpan, quoteSpan, Window } from "./copy.ts";
import { compileDialects } from "./dialects/compile.ts";
import type { CompiledDialect } from "./dialects/compile.ts";
import { DIALECTS } from "./dialects/index.ts";
import { FLAGS, Kind, KIND_MASK, Members, VALUE_END, VALUE_START } from "./members.ts";
import { addedFields, OwnFields } from "./own.ts";
import { Role } from "./roles.ts";
import { Payload } from "./payload.ts";
import { LineReader } from "./reading.ts";
import type { Shape } from "./shapes/shape.ts";
import { Shapes } from "./shapes/shapes.ts";
import type { Written } from "./shapes/shapes.ts";
import { SpanLog } from "./shapes/span-log.ts";
import { RecordTime } from "./time/record-time.ts";
import { Zone } from "./time/zone.ts";
import { FieldWriter } from "./write/write.ts";

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
/** The longest path, all escaped. */
const PATH_MEMBER_MAX_BYTES = PATH_MAX_BYTES * ESCAPE_FACTOR + 64;

const OPEN = new Constant('{"@timestamp":"');
const MESSAGE = new Constant(',"message":');
const ERROR_MESSAGE = new Constant(',"error.message":');
const REFUSED_TAGS = new Constant(',"tags":["refused"]');
const COMMA = new Constant(",");
const ASSIGNED_COMMA = new Constant(',"event.timestamp_source":"assigned",');
const NO_LEVEL = new Constant("");

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
  readonly #lastTime = new Window();
  readonly #log = new SpanLog();
  readonly #shapes = new Shapes();
  /** Of the last line; undefined when it was text. */
  #dialect: CompiledDialect | undefined = undefined;
  /** Made for the first sink that asks. */
  #reader: LineReader | undefined;
  readonly #written: Written = { out: Buffer.alloc(0), bodyStart: 0, bodyEnd: 0, tailStart: 0, end: 0 };

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
    this.#fields = new FieldWriter(vocabulary, this.#choice, members, this.#log);
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

  get lastFormat(): string {
    return this.#dialect === undefined ? "plain" : "json";
  }

  get lastDialect(): string | null {
    return this.#dialect?.name ?? null;
  }

  read(line: Line): Facts {
    this.#reader ??= new LineReader(this.#json, this.#payload, this.#time, this.#choice, members);
    return this.#reader.read(line);
  }

  copy(start: number, end: number, buffer: Buffer, at: number): number {
    this.#out.set(buffer);
    return copySpan(this.#payload.source, start, end, this.#out, at);
  }

  encode(line: Line, buffer: Buffer, at: number): number {
    const payload = this.#payload;
    this.#out.set(buffer);
    payload.set(line);
    if (!this.#json || !payload.scan(members)) return this.#encodeText(line, true, at);
    this.#time.setFallback(line.fallbackTime);
    if (line.refusedReason !== undefined) {
      this.#choose();
      return this.#encodeText(line, this.#choice.best[Role.time] < 0, at);
    }
    if (line.flags !== 0) return this.#encodeFields(line, false, at);
    const shape = this.#shapes.find(payload.source, members);
    if (shape === undefined) return this.#encodeFields(line, true, at);
    const end = this.#encodeShape(shape, line, at);
    return end >= 0 ? end : this.#encodeFields(line, false, at);
  }

  /** A line as text: it is none of JSON, or was refused as JSON. */
  #encodeText(line: Line, assigned: boolean, at: number): number {
    const out = this.#out;
    this.#dialect = undefined;
    at = this.#writeTime(line, assigned, at);
    // Reading it as JSON may have changed a copy of it; the text is the line's own.
    this.#payload.set(line);
    const { source, start, end } = this.#payload;
    at = copyConstant(MESSAGE, out, at);
    at = quoteSpan(source, start, end, out, at);
    if (line.refusedReason !== undefined) {
      const reason = new Constant(line.refusedReason.slice(0, REASON_MAX_CHARS));
      at = copyConstant(ERROR_MESSAGE, out, at);
      at = quoteSpan(reason.source, 0, reason.length, out, at);
      at = copyConstant(REFUSED_TAGS, out, at);
    }
    at = copyConstant(assigned ? ASSIGNED_COMMA : COMMA, out, at);
    at = this.#own.writePlace(line, out, at);
    return this.#own.writeRest(line, undefined, out, at);
  }

  /** A line of a known shape; -1, and nothing said, when its values are not what they mostly are. */
  #encodeShape(shape: Shape, line: Line, at: number): number {
    const { source } = this.#payload;
    const { guards } = shape;
    const out = this.#out;
    if (guards.time >= 0 && !shape.readTime(source, members, this.#time)) return -1;
    const level = guards.level >= 0 ? shape.levelOf(source, members) : NO_LEVEL;
    if (level === undefined || !shape.hasIds(source, members)) return -1;
    this.#dialect = shape.dialect;
    at = this.#writeTime(line, guards.time < 0, at);
    at = copyConstant(level, out, at);
    at = shape.writeBody(source, members, out, at);
    at = this.#own.writePlace(line, out, at);
    return shape.writeTail(out, at);
  }

  /** A line whose shape is new or whose values are unusual: by all the rules. */
  #encodeFields(line: Line, learns: boolean, at: number): number {
    const { source } = this.#payload;
    const choice = this.#choice;
    const out = this.#out;
    this.#choose();
    this.#dialect = choice.dialect;
    this.#log.clear();
    const assigned = choice.best[Role.time] < 0;
    at = this.#writeTime(line, assigned, at);
    if (choice.level !== undefined) at = copyConstant(choice.level, out, at);
    const written = this.#written;
    written.out = out.bytes;
    written.bodyStart = at;
    at = this.#writeMessage(at);
    at = this.#fields.write(source, this.#kinds[(line.flags !== 0 ? 1 : 0) | (assigned ? 2 : 0)], out, at);
    at = copyConstant(assigned ? ASSIGNED_COMMA : COMMA, out, at);
    written.bodyEnd = at;
    at = this.#own.writePlace(line, out, at);
    written.tailStart = at;
    at = this.#own.writeRest(line, choice, out, at);
    written.end = at;
    if (learns) this.#shapes.learn(source, members, choice, this.#log, written);
    return at;
  }

  #choose(): void {
    const { bytes } = this.#payload.source;
    checkKeys(bytes, members);
    this.#choice.choose(bytes, members);
  }

  #writeMessage(at: number): number {
    const entry = this.#choice.best[Role.message];
    if (entry < 0) return at;
    const { source } = this.#payload;
    const { entries } = members;
    const start = entries[entry + VALUE_START];
    const end = entries[entry + VALUE_END];
    at = copyConstant(MESSAGE, this.#out, at);
    if ((entries[entry + FLAGS] & KIND_MASK) === Kind.text) {
      this.#log.add(at, start, end);
      return copySpan(source, start, end, this.#out, at);
    }
    this.#log.complete = false;
    return quoteSpan(source, start, end, this.#out, at);
  }

  /** Writes the time that was read or, when there is none, that of the line before; the next line takes it if it has none. */
  #writeTime(line: Line, assigned: boolean, at: number): number {
    const { lane, fallbackTime } = line;
    const { text, length } = this.#time;
    const last = this.#lastTime;
    const out = this.#out;
    last.set(lane.time);
    if (!assigned) {
      copySpan(text, 0, length, last, 0);
      lane.timeBytes = length;
    } else if (lane.timeBytes === 0) {
      lane.setLastTime(fallbackTime);
    }
    at = copyConstant(OPEN, out, at);
    at = copySpan(last, 0, lane.timeBytes, out, at);
    out.bytes[at++] = QUOTE;
    return at;
  }
}
