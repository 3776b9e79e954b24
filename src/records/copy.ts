import { escapeSpan } from "../core/escape.ts";
import { copySpan, WIDTH, Window } from "../core/window.ts";

export { copySpan, Window };

const BILLION = 1e9;

const QUOTE = 0x22;

/** A text that is written again and again. */
export class Constant {
  readonly source: Window;
  readonly length: number;

  constructor(text: string | Buffer) {
    const bytes = Buffer.from(text);
    this.length = bytes.length;
    this.source = new Window(Buffer.concat([bytes, Buffer.alloc(WIDTH)]));
  }
}

export function copyConstant(text: Constant, out: Window, at: number): number {
  return copySpan(text.source, 0, text.length, out, at);
}

/** Writes source[start, end), valid UTF-8, as a JSON text in quotes: at most six bytes for each. */
export function quoteSpan(source: Window, start: number, end: number, out: Window, at: number): number {
  const to = out.bytes;
  to[at++] = QUOTE;
  at = escapeSpan(source.bytes, start, end, to, at);
  to[at++] = QUOTE;
  return at;
}

/** Writes a whole number ≥ 0. */
export function writeInteger(value: number, out: Buffer, at: number): number {
  if (value >= BILLION) {
    const high = Math.floor(value / BILLION);
    at = writeInteger(high, out, at);
    return writeDigits(value - high * BILLION, out, at, 9);
  }
  let length = 1;
  for (let limit = 10; length < 9 && value >= limit; limit *= 10) length++;
  return writeDigits(value, out, at, length);
}

/** Writes the last digits of a number below a billion: so that every step fits into 32 bits. */
function writeDigits(value: number, out: Buffer, at: number, length: number): number {
  let rest = value | 0;
  for (let p = at + length - 1; p >= at; p--) {
    const tenth = (rest / 10) | 0;
    out[p] = 0x30 + rest - tenth * 10;
    rest = tenth;
  }
  return at + length;
}
