const BACKSLASH = 0x5c;
const HEX = Buffer.from("0123456789abcdef");
const U = 0x75;

/** Most bytes that one takes when it is escaped. */
export const ESCAPED_MAX_BYTES = 6;

/** 0 for what may stand in a JSON text as it is, else the letter behind the backslash (`u` for those that have none). */
const ESCAPE = new Uint8Array(256).fill(U, 0, 0x20);
for (const [char, letter] of ['""', "\\\\", "\bb", "\ff", "\nn", "\rr", "\tt"]) {
  ESCAPE[char.charCodeAt(0)] = letter.charCodeAt(0);
}

/** Writes from[start, end), valid UTF-8 or a part of it, as it stands in a JSON text, without quotes. */
export function escapeSpan(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  for (let p = start; p < end; p++) {
    const c = from[p];
    const letter = ESCAPE[c];
    if (letter === 0) {
      to[at++] = c;
      continue;
    }
    to[at++] = BACKSLASH;
    to[at++] = letter;
    if (letter === U) {
      to[at++] = 0x30;
      to[at++] = 0x30;
      to[at++] = HEX[c >> 4]!;
      to[at++] = HEX[c & 15]!;
    }
  }
  return at;
}
