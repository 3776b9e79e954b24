/** Bytes of `2026-01-02`, and of `2026-01-02T03:04:05`. */
const DATE_BYTES = 10;
const SECONDS_BYTES = 19;
const DOT = 0x2e;
const ZULU = 0x5a;
const QUOTE = 0x22;
const BLANK = 0x20;

/** Bytes of a time as `writeEpoch` writes it: seconds, which have ten digits until 2286, and milliseconds. */
export const EPOCH_BYTES = 14;

/** The last date that was read, since almost all lines share it. */
const lastDate = Buffer.alloc(DATE_BYTES);
let lastDateMs = 0;

/**
 * Writes the RFC 3339 text at source[at] as seconds since 1970 with milliseconds, the form and precision that Splunk documents,
 * right-aligned in EPOCH_BYTES: JSON lets blanks stand before a number. What is finer stays in the event's own `@timestamp`.
 */
export function writeEpoch(source: Buffer, at: number, out: Buffer, start: number): void {
  const ms = epochMs(source, at);
  let seconds = Math.floor(ms / 1_000);
  let p = start + EPOCH_BYTES;
  let rest = ms - seconds * 1_000;
  for (let i = 0; i < 3; i++) {
    out[--p] = 0x30 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  out[--p] = DOT;
  do {
    const tenth = Math.floor(seconds / 10);
    out[--p] = 0x30 + seconds - tenth * 10;
    seconds = tenth;
  } while (seconds > 0);
  while (p > start) out[--p] = BLANK;
}

function epochMs(source: Buffer, at: number): number {
  const hours = twoDigits(source, at + 11);
  const minutes = twoDigits(source, at + 14);
  const seconds = twoDigits(source, at + 17);
  let end = at + SECONDS_BYTES;
  let fraction = 0;
  if (source[end] === DOT) {
    end++;
    for (let unit = 100; isDigit(source[end]); unit /= 10, end++)
      if (unit >= 1) fraction += (source[end] - 0x30) * unit;
  }
  if (source[end] !== ZULU) return slowMs(source, at);
  return dateMs(source, at) + ((hours * 60 + minutes) * 60 + seconds) * 1_000 + fraction;
}

/** Any other form of RFC 3339. */
function slowMs(source: Buffer, at: number): number {
  const ms = Date.parse(source.toString("latin1", at, source.indexOf(QUOTE, at)));
  return ms >= 0 ? ms : 0;
}

function dateMs(source: Buffer, at: number): number {
  for (let i = 0; i < DATE_BYTES; i++) {
    if (source[at + i] === lastDate[i]) continue;
    source.copy(lastDate, 0, at, at + DATE_BYTES);
    const year = twoDigits(source, at) * 100 + twoDigits(source, at + 2);
    lastDateMs = Math.max(0, Date.UTC(year, twoDigits(source, at + 5) - 1, twoDigits(source, at + 8)));
    return lastDateMs;
  }
  return lastDateMs;
}

function twoDigits(source: Buffer, at: number): number {
  return (source[at] - 0x30) * 10 + source[at + 1] - 0x30;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
