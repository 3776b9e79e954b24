import { type Facts, LineFlag, type Line, type RecordEncoder } from "../../core/record.ts";
import { copySpan, WIDTH, Window } from "../../core/window.ts";
import { metadataPair, Tag } from "./proto.ts";

const FLAGS = Array.from({ length: 8 }, (_, flags) => {
  const names = Object.entries(LineFlag).flatMap(([name, bit]) => ((flags & bit) === 0 ? [] : [name]));
  return metadataPair("flags", names.join(","));
});

/** Metadata that is the same for all records of a file. */
export class FileMetadata {
  readonly length: number;
  readonly source: Window;

  constructor(pairs: Readonly<Record<string, string | undefined>>) {
    const bytes = Object.entries(pairs).flatMap(([name, value]) =>
      value === undefined ? [] : [metadataPair(name, value)],
    );
    this.length = bytes.reduce((sum, { length }) => sum + length, 0);
    // Copies take eight bytes at once.
    this.source = new Window(Buffer.concat([...bytes, Buffer.alloc(WIDTH)]));
  }
}

const target = new Window();

/** Writes what is known of a record beside its line: `ofFile`, and what the line says. */
export function writeMetadata(
  line: Line,
  facts: Facts,
  ofFile: FileMetadata,
  encoder: RecordEncoder,
  out: Buffer,
  at: number,
): number {
  target.set(out);
  let end = copySpan(ofFile.source, 0, ofFile.length, target, at);
  end = writeNumberPair(OFFSET, line.offset, out, end);
  const { level, traceStart, spanStart } = facts;
  if (level !== undefined) {
    end = writePairHead(LEVEL, level.length, out, end);
    for (let i = 0; i < level.length; i++) out[end++] = level[i];
  }
  if (traceStart >= 0) {
    end = writePairHead(TRACE_ID, facts.traceEnd - traceStart, out, end);
    end = encoder.copy(traceStart, facts.traceEnd, out, end);
  }
  if (spanStart >= 0) {
    end = writePairHead(SPAN_ID, facts.spanEnd - spanStart, out, end);
    end = encoder.copy(spanStart, facts.spanEnd, out, end);
  }
  if (line.flags !== 0) {
    end += FLAGS[line.flags & 7].copy(out, end);
    if ((line.flags & LineFlag.truncated) !== 0) end = writeNumberPair(ORIGINAL_BYTES, line.originalBytes, out, end);
  }
  return end;
}

const OFFSET = Buffer.from("offset");
const LEVEL = Buffer.from("level");
const TRACE_ID = Buffer.from("trace_id");
const SPAN_ID = Buffer.from("span_id");
const ORIGINAL_BYTES = Buffer.from("original_bytes");

/** What stands before the value of a pair whose name and value are short: all lengths fit into seven bits. */
function writePairHead(name: Buffer, valueBytes: number, out: Buffer, at: number): number {
  out[at++] = Tag.third;
  out[at++] = name.length + valueBytes + 4;
  out[at++] = Tag.first;
  out[at++] = name.length;
  for (let i = 0; i < name.length; i++) out[at++] = name[i];
  out[at++] = Tag.second;
  out[at++] = valueBytes;
  return at;
}

function writeNumberPair(name: Buffer, value: number, out: Buffer, at: number): number {
  let digits = 1;
  for (let limit = 10; value >= limit; limit *= 10) digits++;
  const start = writePairHead(name, digits, out, at);
  let rest = value;
  for (let p = start + digits - 1; p >= start; p--) {
    const tenth = Math.floor(rest / 10);
    out[p] = 0x30 + rest - tenth * 10;
    rest = tenth;
  }
  return start + digits;
}
