import { daysOf } from "./civil.ts";
import type { Zone } from "./zone.ts";

const DAY_SECONDS = 86_400;

/** Digits of a fraction that can be sent: nanoseconds. */
export const FRACTION_MAX_DIGITS = 9;

/** A time that was read from a text. One object serves all lines. */
export class TimeText {
  /** Seconds since 1970. */
  second = 0;
  /** Where the digits of the fraction stand. */
  fractionStart = 0;
  fractionEnd = 0;
  /** The text can be sent as it is: RFC 3339, in UTC. */
  isFinal = false;
  /** It was a leap second, which no server knows. */
  isLeap = false;
  readonly #zone: Zone;

  constructor(zone: Zone) {
    this.#zone = zone;
  }

  /**
   * `2026-01-02T03:04:05.678Z` and its relatives: a slash between the parts of the date, a blank before the time of day, a comma before the fraction,
   * no seconds, another offset, or none (the input's time zone).
   */
  parse(bytes: Buffer, start: number, end: number): boolean {
    this.isLeap = false;
    if (end - start < 16) return false;
    const separator = bytes[start + 4];
    if ((separator !== 0x2d && separator !== 0x2f) || bytes[start + 7] !== separator) return false;
    const century = two(bytes, start);
    const year = two(bytes, start + 2);
    const days = daysOf(century * 100 + year, two(bytes, start + 5), two(bytes, start + 8));
    const t = bytes[start + 10];
    const hour = two(bytes, start + 11);
    const minute = two(bytes, start + 14);
    // Whatever is no digit has made its number NaN, which no comparison lets through.
    if (!(century >= 0 && year >= 0 && Math.abs(days) < 1e7 && hour < 24 && minute < 60) || bytes[start + 13] !== 0x3a)
      return false;
    if (t !== 0x54 && t !== 0x74 && t !== 0x20) return false;
    let isFinal = separator === 0x2d && t === 0x54;
    let p = start + 16;
    let second = 0;
    this.fractionStart = p;
    this.fractionEnd = p;
    if (p < end && bytes[p] === 0x3a) {
      if (p + 3 > end) return false;
      second = two(bytes, p + 1);
      if (!(second <= 60)) return false;
      p += 3;
      if (p < end && (bytes[p] === 0x2e || bytes[p] === 0x2c)) {
        if (bytes[p] === 0x2c) isFinal = false;
        this.fractionStart = ++p;
        while (p < end && bytes[p] >= 0x30 && bytes[p] <= 0x39) p++;
        this.fractionEnd = p;
        if (p === this.fractionStart) return false;
        if (p - this.fractionStart > FRACTION_MAX_DIGITS) isFinal = false;
      }
      this.isLeap = second === 60;
      if (this.isLeap) isFinal = false;
    } else {
      isFinal = false;
    }
    const local = days * DAY_SECONDS + hour * 3_600 + minute * 60 + second;
    if (p === end) {
      this.isFinal = false;
      this.second = local - this.#zone.offsetAt(local);
      return true;
    }
    const offset = offsetOf(bytes, p, end);
    if (Number.isNaN(offset)) return false;
    const c = bytes[p];
    this.isFinal = isFinal && offset === 0 && (c === 0x5a || (c === 0x2b && end - p === 6));
    this.second = local - offset;
    return true;
  }
}

/** Two digits as a number; NaN when they are not. */
function two(bytes: Buffer, p: number): number {
  const tens = bytes[p] - 0x30;
  const ones = bytes[p + 1] - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

/** Seconds east of Greenwich of `Z`, `+02:00`, `-0530`, `+02`, ` UTC`; NaN when it is none of them. */
function offsetOf(bytes: Buffer, p: number, end: number): number {
  if (bytes[p] === 0x20) p++;
  const length = end - p;
  const c = bytes[p];
  if (length === 1 && (c === 0x5a || c === 0x7a)) return 0;
  if (c === 0x2b || c === 0x2d) {
    const colon = length === 6 && bytes[p + 3] === 0x3a ? 1 : 0;
    if (length !== 3 && length !== 5 + colon) return Number.NaN;
    const hours = two(bytes, p + 1);
    const minutes = length === 3 ? 0 : two(bytes, p + 3 + colon);
    if (!(hours < 24 && minutes < 60)) return Number.NaN;
    return (c === 0x2b ? 1 : -1) * (hours * 3_600 + minutes * 60);
  }
  if (length !== 3) return Number.NaN;
  const name = bytes.toString("latin1", p, end);
  return name === "UTC" || name === "GMT" ? 0 : Number.NaN;
}
