import { Lane, Line } from "../../../src/core/record.ts";
import { createRecordEncoder } from "../../../src/records/encoder.ts";
import type { RecordEncoderOptions } from "../../../src/records/encoder.ts";

export const FALLBACK = "2026-01-02T03:04:05.678Z";
/** Stands on both sides of the room that a document gets. */
const MARGIN = Buffer.alloc(32, 0xee);
export const PATH = "/var/log/app/orders.log";

/** Encodes lines of one lane one after the other, the way a pipeline does. */
export class Encoding {
  readonly encoder;
  readonly lane = new Lane();
  readonly #line = new Line();
  #offset = 0;

  constructor(options: Partial<RecordEncoderOptions> = {}) {
    this.encoder = createRecordEncoder({ format: "auto", timezone: "UTC", fields: {}, ...options });
  }

  /** The document's bytes as text. Checks that they stay within the bound that the encoder gives. */
  text(payload: string | Buffer, facts: Partial<Line> = {}): string {
    const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
    const line = this.#line;
    line.bytes = Buffer.concat([bytes, Buffer.from("\n")]);
    line.start = 0;
    line.end = bytes.length;
    line.offset = this.#offset;
    line.flags = 0;
    line.originalBytes = 0;
    line.knownUtf8 = typeof payload === "string" && payload.isWellFormed();
    line.path = PATH;
    line.fallbackTime = FALLBACK;
    line.lane = this.lane;
    line.refusedReason = undefined;
    Object.assign(line, facts);
    this.#offset += bytes.length + 1;
    const room = this.encoder.maxEncodedBytes(line.end - line.start);
    const out = Buffer.allocUnsafe(MARGIN.length + room + MARGIN.length);
    MARGIN.copy(out, 0);
    MARGIN.copy(out, MARGIN.length + room);
    const end = this.encoder.encode(line, out, MARGIN.length);
    if (end > MARGIN.length + room) throw new Error(`${end - MARGIN.length} bytes written, ${room} promised`);
    if (!out.subarray(0, MARGIN.length).equals(MARGIN)) throw new Error("written before the room");
    if (!out.subarray(-MARGIN.length).equals(MARGIN)) throw new Error("written behind the room");
    return out.toString("utf8", MARGIN.length, end);
  }

  document(payload: string | Buffer, facts: Partial<Line> = {}): Record<string, unknown> {
    return JSON.parse(this.text(payload, facts)) as Record<string, unknown>;
  }
}

/** What one line becomes, without what pannier adds to every record. */
export function fieldsOf(payload: unknown, options: Partial<RecordEncoderOptions> = {}): Record<string, unknown> {
  const text = typeof payload === "string" ? payload : JSON.stringify(payload);
  const document = new Encoding(options).document(text);
  for (const name of ["log.file.path", "log.offset"]) delete document[name];
  if (document["ecs.version"] === "8.11.0") delete document["ecs.version"];
  return document;
}
