/** Whether bytes[start, end) are that many lower-case hexadecimal digits. */
export function isHexId(bytes: Buffer, start: number, end: number, digits: number): boolean {
  if (end - start !== digits) return false;
  for (let p = start; p < end; p++) {
    const c = bytes[p];
    if (!((c >= 0x30 && c <= 0x39) || (c >= 0x61 && c <= 0x66))) return false;
  }
  return true;
}
