import { HEX_VALUE } from "./json-tokens.ts";

const BACKSLASH = 0x5c;
const REPLACEMENT = 0xfffd;

/** What the letter behind a backslash stands for. */
const MEANINGS = new Uint8Array(256);
for (const [letter, meaning] of ['""', "\\\\", "//", "b\b", "f\f", "n\n", "r\r", "t\t"]) {
  MEANINGS[letter.charCodeAt(0)] = meaning.charCodeAt(0);
}

function hexAt(bytes: Buffer, p: number): number {
  return (
    (HEX_VALUE[bytes[p]] << 12) |
    (HEX_VALUE[bytes[p + 1]] << 8) |
    (HEX_VALUE[bytes[p + 2]] << 4) |
    HEX_VALUE[bytes[p + 3]]
  );
}

/** Writes a character as UTF-8 and returns the offset behind it. */
function writeCharacter(code: number, out: Buffer, at: number): number {
  if (code < 0x80) {
    out[at++] = code;
  } else if (code < 0x800) {
    out[at++] = 0xc0 | (code >> 6);
    out[at++] = 0x80 | (code & 0x3f);
  } else if (code < 0x1_0000) {
    out[at++] = 0xe0 | (code >> 12);
    out[at++] = 0x80 | ((code >> 6) & 0x3f);
    out[at++] = 0x80 | (code & 0x3f);
  } else {
    out[at++] = 0xf0 | (code >> 18);
    out[at++] = 0x80 | ((code >> 12) & 0x3f);
    out[at++] = 0x80 | ((code >> 6) & 0x3f);
    out[at++] = 0x80 | (code & 0x3f);
  }
  return at;
}

/**
 * Writes what the inside of a valid JSON text says as UTF-8 and returns the offset behind it; never longer than the text
 * itself. Half of a surrogate pair becomes U+FFFD.
 */
export function decodeText(bytes: Buffer, start: number, end: number, out: Buffer, at: number): number {
  for (let p = start; p < end;) {
    const c = bytes[p++];
    if (c !== BACKSLASH) {
      out[at++] = c;
      continue;
    }
    const letter = bytes[p++];
    if (letter !== 0x75) {
      out[at++] = MEANINGS[letter]!;
      continue;
    }
    let code = hexAt(bytes, p);
    p += 4;
    if (code >= 0xd800 && code <= 0xdfff) {
      const low =
        code < 0xdc00 && p + 6 <= end && bytes[p] === BACKSLASH && bytes[p + 1] === 0x75 ? hexAt(bytes, p + 2) : 0;
      if (low >= 0xdc00 && low <= 0xdfff) {
        code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        p += 6;
      } else {
        code = REPLACEMENT;
      }
    }
    at = writeCharacter(code, out, at);
  }
  return at;
}
