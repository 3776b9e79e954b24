const BACKSLASH = 0x5c;
const COLON = 0x3a;

/** What an error text says in its first line. Offsets into the line; one object serves all lines. */
export class ErrorText {
  /** End of the first line. */
  lineEnd = 0;
  /** End of the class name before `: `, as in `java.lang.IllegalStateException: …`; -1 when there is none. */
  typeEnd = -1;

  /** Looks at the inside of a JSON text. */
  read(bytes: Buffer, start: number, end: number): void {
    let p = start;
    let colon = -1;
    let name = true;
    for (; p < end; p++) {
      const c = bytes[p];
      if (c === BACKSLASH) {
        const letter = bytes[p + 1];
        if (letter === 0x6e || letter === 0x72) break;
        p++;
        name = false;
      } else if (name && colon < 0) {
        if (c === COLON) colon = p;
        else name = isNameCharacter(c);
      }
    }
    this.lineEnd = p;
    const typeEnd = colon >= 0 ? colon : name ? p : -1;
    this.typeEnd = typeEnd > start && isErrorName(bytes, start, typeEnd) ? typeEnd : -1;
  }
}

function isNameCharacter(c: number): boolean {
  return (
    (c >= 0x61 && c <= 0x7a) ||
    (c >= 0x41 && c <= 0x5a) ||
    (c >= 0x30 && c <= 0x39) ||
    c === 0x2e ||
    c === 0x5f ||
    c === 0x24
  );
}

/** Names of errors end in one of these in every language that has them. */
function isErrorName(bytes: Buffer, start: number, end: number): boolean {
  return (
    endsWith(bytes, start, end, "Error") ||
    endsWith(bytes, start, end, "Exception") ||
    endsWith(bytes, start, end, "Throwable")
  );
}

function endsWith(bytes: Buffer, start: number, end: number, suffix: string): boolean {
  const from = end - suffix.length;
  if (from < start) return false;
  for (let i = 0; i < suffix.length; i++) if (bytes[from + i] !== suffix.charCodeAt(i)) return false;
  return true;
}
