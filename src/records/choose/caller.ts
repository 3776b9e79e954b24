/** Offset of the colon in `dir/file.go:12`; -1 when the text has no such form. */
export function lineColon(bytes: Buffer, start: number, end: number): number {
  let p = end - 1;
  while (p > start && bytes[p] >= 0x30 && bytes[p] <= 0x39) p--;
  const digits = end - 1 - p;
  // A number in JSON has no leading zero, and lines have few digits.
  return bytes[p] === 0x3a && p > start && digits > 0 && digits < 10 && bytes[p + 1] !== 0x30 ? p : -1;
}
