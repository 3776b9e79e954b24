/** From this length on the native copy is faster than a loop, in spite of what the call costs. */
const NATIVE_COPY_MIN_BYTES = 256;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const HEX = Buffer.from("0123456789abcdef");

/** Writes bytes[start, end) at out[at] and returns the offset behind it. */
export function copySpan(bytes: Buffer, start: number, end: number, out: Buffer, at: number): number {
  if (end - start >= NATIVE_COPY_MIN_BYTES) {
    bytes.copy(out, at, start, end);
    return at + end - start;
  }
  while (start < end) out[at++] = bytes[start++]!;
  return at;
}

export function copyAll(bytes: Buffer, out: Buffer, at: number): number {
  return copySpan(bytes, 0, bytes.length, out, at);
}

/** 0 for what may stand in a JSON text as it is, else the letter behind the backslash (`u` for those that have none). */
const ESCAPE = new Uint8Array(256).fill(0x75, 0, 0x20);
for (const [char, letter] of ['""', "\\\\", "\bb", "\ff", "\nn", "\rr", "\tt"])
  ESCAPE[char!.charCodeAt(0)] = letter!.charCodeAt(0);

/** Writes bytes[start, end), valid UTF-8, as the inside of a JSON text: at most six bytes for each. */
export function escapeSpan(bytes: Buffer, start: number, end: number, out: Buffer, at: number): number {
  for (let p = start; p < end; p++) {
    const c = bytes[p]!;
    const letter = ESCAPE[c]!;
    if (letter === 0) {
      out[at++] = c;
      continue;
    }
    out[at++] = BACKSLASH;
    out[at++] = letter;
    if (letter === 0x75) {
      out[at++] = 0x30;
      out[at++] = 0x30;
      out[at++] = HEX[c >> 4]!;
      out[at++] = HEX[c & 15]!;
    }
  }
  return at;
}

/** Writes a text in quotes. */
export function quoteSpan(bytes: Buffer, start: number, end: number, out: Buffer, at: number): number {
  out[at++] = QUOTE;
  at = escapeSpan(bytes, start, end, out, at);
  out[at++] = QUOTE;
  return at;
}

/** Writes a whole number ≥ 0. */
export function writeInteger(value: number, out: Buffer, at: number): number {
  let length = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) length++;
  for (let p = at + length - 1; p >= at; p--) {
    const rest = Math.floor(value / 10);
    out[p] = 0x30 + (value - rest * 10);
    value = rest;
  }
  return at + length;
}
