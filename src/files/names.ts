import { isUtf8 } from "node:buffer";

/**
 * File names are bytes; most are UTF-8. A byte that is not becomes the lone surrogate U+DC00 + byte, so that a path is a
 * string everywhere, and still leads back to its bytes. Where such a path is shown, the surrogates read as U+FFFD.
 */
export function nameOf(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString("utf8");
  let name = "";
  for (let at = 0; at < bytes.length;) {
    const length = characterBytes(bytes, at);
    name += length === 0 ? String.fromCharCode(0xdc00 + bytes[at]) : bytes.toString("utf8", at, at + length);
    at += length || 1;
  }
  return name;
}

/** Length of the valid UTF-8 character at `at`, or 0. */
function characterBytes(bytes: Buffer, at: number): number {
  for (let length = 1; length <= 4; length++) {
    if (isUtf8(bytes.subarray(at, at + length)) && at + length <= bytes.length) return length;
  }
  return 0;
}

/** The path as the operating system knows it. */
export function osPath(path: string): string | Buffer {
  if (path.isWellFormed()) return path;
  const parts: Buffer[] = [];
  for (const character of path) {
    const code = character.codePointAt(0)!;
    parts.push(code >= 0xdc80 && code <= 0xdcff ? Buffer.of(code - 0xdc00) : Buffer.from(character));
  }
  return Buffer.concat(parts);
}
