import { NUMBER_MAX_DIGITS } from "../../core/limits.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** 1 for the characters at which the scan of a text must stop: the quote, the backslash and control characters. */
export const STOPS_TEXT: Uint8Array = new Uint8Array(256).fill(1, 0, 0x20);
STOPS_TEXT[QUOTE] = 1;
STOPS_TEXT[BACKSLASH] = 1;

/** 1 for the characters that may stand behind a backslash, 2 for `u`. */
const ESCAPES = new Uint8Array(256);
for (const char of '"\\/bfnrt') ESCAPES[char.charCodeAt(0)] = 1;
ESCAPES[0x75] = 2;

/** Value of a hexadecimal digit, 255 for other characters. */
export const HEX_VALUE: Uint8Array = new Uint8Array(256).fill(255);
for (let value = 0; value < 16; value++) {
  HEX_VALUE[value.toString(16).charCodeAt(0)] = value;
  HEX_VALUE[value.toString(16).toUpperCase().charCodeAt(0)] = value;
}

/** The offset of the first character that is not JSON white space, at most `end`. */
export function skipWhiteSpace(bytes: Buffer, p: number, end: number): number {
  for (; p < end; p++) {
    const c = bytes[p];
    if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return p;
  }
  return end;
}

/** What the last scan has seen in texts beside their ends. */
export const seenInTexts = {
  /** Half of a surrogate pair, which is valid JSON and no character. */
  loneSurrogate: false,
};

/** From the first stop inside a text to the offset of its closing quote; -1 when the text is not valid. */
export function skipEscapedText(bytes: Buffer, p: number): number {
  for (;;) {
    const c = bytes[p];
    if (STOPS_TEXT[c] === 0) {
      p++;
    } else if (c === QUOTE) {
      return p;
    } else if (c === BACKSLASH) {
      const escape = ESCAPES[bytes[++p]];
      if (escape === 0) return -1;
      p++;
      if (escape === 2) {
        for (let digits = 4; digits > 0; digits--) if (HEX_VALUE[bytes[p++]] === 255) return -1;
        const pair = surrogates(bytes, p - 6);
        if (pair === LONE) seenInTexts.loneSurrogate = true;
        else if (pair === PAIR) p += 6;
      }
    } else {
      return -1;
    }
  }
}

/** What a `\uD83D` is: a character, a surrogate with its other half behind it, or one without. */
const CHARACTER = 0;
export const PAIR = 1;
export const LONE = 2;

/** Looks at the escape that begins at bytes[p]; its digits are known to be there. */
export function surrogates(bytes: Buffer, p: number): number {
  const first = surrogateOf(bytes, p);
  if (first === CHARACTER) return CHARACTER;
  return first === HIGH && surrogateOf(bytes, p + 6) === LOW ? PAIR : LONE;
}

const HIGH = 1;
const LOW = 2;

/** The kind of `\uD83D` at bytes[p]: HIGH for D800 to DBFF, LOW for DC00 to DFFF, else 0, also when there is no such escape. */
function surrogateOf(bytes: Buffer, p: number): number {
  if (bytes[p] !== BACKSLASH || bytes[p + 1] !== 0x75 || HEX_VALUE[bytes[p + 2]] !== 0xd) return 0;
  const digit = HEX_VALUE[bytes[p + 3]];
  if (digit < 8 || digit > 0xf || HEX_VALUE[bytes[p + 4]] > 0xf || HEX_VALUE[bytes[p + 5]] > 0xf) return 0;
  return digit < 0xc ? HIGH : LOW;
}

function isDigit(c: number): boolean {
  return c >= 0x30 && c <= 0x39;
}

/** The offset behind the rest of a number, from its point or exponent on; -1 when it is not valid. */
export function skipFraction(bytes: Buffer, p: number): number {
  let c = bytes[p];
  if (c === 0x2e) {
    if (!isDigit(bytes[++p])) return -1;
    while (isDigit((c = bytes[++p]!)));
  }
  if (c === 0x65 || c === 0x45) {
    c = bytes[++p]!;
    if (c === 0x2b || c === 0x2d) c = bytes[++p]!;
    if (!isDigit(c)) return -1;
    while (isDigit(bytes[++p]));
  }
  return p;
}

/** Whether a valid number has more digits than servers take, or is beyond a double. */
export function isHugeNumber(bytes: Buffer, start: number, end: number): boolean {
  let digits = 0;
  let exponent = false;
  for (let p = start; p < end; p++) {
    const c = bytes[p];
    if (isDigit(c)) digits++;
    else if (c === 0x65 || c === 0x45) exponent = true;
  }
  if (digits > NUMBER_MAX_DIGITS) return true;
  return exponent && !Number.isFinite(Number(bytes.toString("latin1", start, end)));
}
