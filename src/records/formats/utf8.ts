import { isUtf8 } from "node:buffer";

/**
 * Copies bytes[start, end) to out[at] with every part that is not UTF-8 replaced by U+FFFD, as a browser would do it (one for each longest part that could have
 * begun a character), and returns the offset behind it: at most three times the length.
 */
export function repairUtf8(bytes: Buffer, start: number, end: number, out: Buffer, at: number): number {
  for (let p = start; p < end;) {
    const lead = bytes[p];
    if (lead < 0x80) {
      out[at++] = lead;
      p++;
      continue;
    }
    const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    // The second byte is limited further after some leads: no overlong forms, no surrogates, nothing above U+10FFFF.
    let low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    let high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    let good = 1;
    while (good < length && p + good < end && bytes[p + good] >= low && bytes[p + good] <= high) {
      low = 0x80;
      high = 0xbf;
      good++;
    }
    if (good === length) {
      for (let i = 0; i < length; i++) out[at++] = bytes[p + i]!;
    } else {
      out[at++] = 0xef;
      out[at++] = 0xbf;
      out[at++] = 0xbd;
    }
    p += good;
  }
  return at;
}

/** Whether bytes[start, end) is UTF-8. */
export function isUtf8Span(bytes: Buffer, start: number, end: number): boolean {
  return isUtf8(bytes.subarray(start, end));
}
