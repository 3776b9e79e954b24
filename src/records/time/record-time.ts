import { TIME_MAX_DISTANCE_YEARS } from "../../core/limits.ts";
import { TIME_TEXT_BYTES } from "../../core/record.ts";
import { Window } from "../copy.ts";
import { daysOf, writeDate, writeTwo } from "./civil.ts";
import type { Zone } from "./zone.ts";

const DAY_SECONDS = 86_400;
const YEAR_SECONDS = 365.25 * DAY_SECONDS;
/** The last full second that Elasticsearch's `date_nanos` can hold: 2262-04-11T23:47:15Z. */
const LAST_SECOND = 9_223_372_035;
/** Digits of a fraction that are kept: nanoseconds. */
const FRACTION_MAX_DIGITS = 9;
/** Digits of milliseconds since 1970, from 2001 to 2286. */
const MS_DIGITS = 13;
/** Significant digits of a number that can matter. */
const NUMBER_MAX_BYTES = 48;

/** Reads times as loggers write them into the one form that is sent: RFC 3339 in UTC, at the resolution that was written. */
export class RecordTime {
  /** The time that was read: its first `length` bytes. */
  readonly text: Window = new Window(Buffer.alloc(2 * TIME_TEXT_BYTES));
  length = 0;
  /** Nothing of what was written is missing from `text`. */
  exact = true;

  readonly #zone: Zone;
  readonly #digits = Buffer.alloc(NUMBER_MAX_BYTES);
  #fallback: Buffer | undefined;
  #earliest = 0;
  #latest = LAST_SECOND;
  /** Which second and day `text` shows, since many lines share them; NaN when it shows what a line said. */
  #textSecond = Number.NaN;
  #textDay = Number.NaN;

  // Parts of the time that is being read.
  #second = 0;
  #fractionStart = 0;
  #fractionEnd = 0;
  #asWritten = false;

  constructor(zone: Zone) {
    this.#zone = zone;
  }

  /** Times further than ten years from this one are not taken. A buffer is read once: it says the same as long as it lives. */
  setFallback(fallback: Buffer): void {
    if (fallback === this.#fallback) return;
    this.#fallback = fallback;
    this.#earliest = 0;
    this.#latest = LAST_SECOND;
    if (!this.#parseText(fallback, 0, fallback.length)) return;
    this.#earliest = Math.max(0, this.#second - TIME_MAX_DISTANCE_YEARS * YEAR_SECONDS);
    this.#latest = Math.min(LAST_SECOND, this.#second + TIME_MAX_DISTANCE_YEARS * YEAR_SECONDS);
  }

  /** Reads a text; false when it is no time, or one too far off. */
  readText(bytes: Buffer, start: number, end: number): boolean {
    this.exact = true;
    if (!this.#parseText(bytes, start, end)) return false;
    if (this.#second < this.#earliest || this.#second > this.#latest) return false;
    if (this.#asWritten) {
      const out = this.text.bytes;
      for (let p = start; p < end; p++) out[p - start] = bytes[p]!;
      this.length = end - start;
      this.#textSecond = Number.NaN;
      this.#textDay = Number.NaN;
      return true;
    }
    this.#write(bytes);
    return true;
  }

  /** Reads a JSON number: seconds, milliseconds, microseconds or nanoseconds since 1970 by its magnitude. */
  readNumber(bytes: Buffer, start: number, end: number): boolean {
    this.exact = true;
    if (end - start === MS_DIGITS) {
      const high = digitsAt(bytes, start, 5);
      const low = digitsAt(bytes, start + 5, 5);
      const ms = digitsAt(bytes, start + 10, 3);
      if (high >= 0 && low >= 0 && ms >= 0) return this.#takeMilliseconds(high * 1e5 + low, bytes, start + 10);
    }
    const digits = this.#digits;
    let count = 0;
    let point = -1;
    let exponent = 0;
    let p = start;
    for (; p < end; p++) {
      const c = bytes[p];
      if (c === 0x2e) {
        point = count;
      } else if (c >= 0x30 && c <= 0x39) {
        if (count === NUMBER_MAX_BYTES) return false;
        if (count > 0 || c !== 0x30) digits[count++] = c;
        else if (point >= 0) return false;
      } else if (c === 0x65 || c === 0x45) {
        exponent = Number(bytes.toString("latin1", p + 1, end));
        break;
      } else {
        return false;
      }
    }
    const whole = (point < 0 ? count : point) + exponent;
    if (count === 0 || whole < 1 || whole > 20) return false;
    while (count < whole) digits[count++] = 0x30;
    const unit = whole <= 11 ? 0 : whole <= 14 ? 3 : whole <= 17 ? 6 : 9;
    let second = 0;
    for (let i = 0; i < whole - unit; i++) second = second * 10 + (digits[i] - 0x30);
    if (second < this.#earliest || second > this.#latest) return false;
    this.#second = second;
    this.#fractionStart = whole - unit;
    this.#fractionEnd = count;
    this.#write(digits);
    return true;
  }

  /** The usual case of a number: ten digits of seconds and three of milliseconds. */
  #takeMilliseconds(second: number, bytes: Buffer, fraction: number): boolean {
    if (second < this.#earliest || second > this.#latest) return false;
    this.#writeSecond(second);
    const out = this.text.bytes;
    out[19] = 0x2e;
    out[20] = bytes[fraction];
    out[21] = bytes[fraction + 1];
    out[22] = bytes[fraction + 2];
    out[23] = 0x5a;
    this.length = 24;
    return true;
  }

  /** Writes `#second` and the fraction in source[#fractionStart, #fractionEnd). */
  #write(source: Buffer): void {
    this.#writeSecond(this.#second);
    const out = this.text.bytes;
    let at = 19;
    let end = this.#fractionEnd;
    if (end - this.#fractionStart > FRACTION_MAX_DIGITS) {
      end = this.#fractionStart + FRACTION_MAX_DIGITS;
      this.exact = false;
    }
    if (end > this.#fractionStart) {
      out[at++] = 0x2e;
      for (let p = this.#fractionStart; p < end; p++) out[at++] = source[p];
    }
    out[at++] = 0x5a;
    this.length = at;
  }

  /** Writes date and time of day, the first 19 characters. */
  #writeSecond(second: number): void {
    if (second === this.#textSecond) return;
    const out = this.text.bytes;
    const day = Math.floor(second / DAY_SECONDS);
    if (day !== this.#textDay) {
      writeDate(day, out, 0);
      out[10] = 0x54;
      out[13] = 0x3a;
      out[16] = 0x3a;
      this.#textDay = day;
    }
    const ofDay = (second - day * DAY_SECONDS) | 0;
    const minutes = (ofDay / 60) | 0;
    const hours = (minutes / 60) | 0;
    writeTwo(hours, out, 11);
    writeTwo(minutes - hours * 60, out, 14);
    writeTwo(ofDay - minutes * 60, out, 17);
    this.#textSecond = second;
  }

  /**
   * `2026-01-02T03:04:05.678Z` and its relatives: a slash between the parts of the date, a blank before the time of day, a comma before the fraction,
   * no seconds, another offset, or none (the input's time zone).
   */
  #parseText(bytes: Buffer, start: number, end: number): boolean {
    const separator = bytes[start + 4];
    if (end - start < 16 || (separator !== 0x2d && separator !== 0x2f) || bytes[start + 7] !== separator) return false;
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
    let asWritten = separator === 0x2d && t === 0x54;
    let p = start + 16;
    let second = 0;
    this.#fractionStart = p;
    this.#fractionEnd = p;
    if (p < end && bytes[p] === 0x3a) {
      if (p + 3 > end) return false;
      second = two(bytes, p + 1);
      if (!(second <= 60)) return false;
      p += 3;
      if (p < end && (bytes[p] === 0x2e || bytes[p] === 0x2c)) {
        if (bytes[p] === 0x2c) asWritten = false;
        this.#fractionStart = ++p;
        while (p < end && bytes[p] >= 0x30 && bytes[p] <= 0x39) p++;
        this.#fractionEnd = p;
        if (p === this.#fractionStart) return false;
        if (p - this.#fractionStart > FRACTION_MAX_DIGITS) asWritten = false;
      }
      if (second === 60) {
        asWritten = false;
        this.exact = false;
      }
    } else {
      asWritten = false;
    }
    const local = days * DAY_SECONDS + hour * 3_600 + minute * 60 + second;
    if (p === end) {
      this.#asWritten = false;
      this.#second = local - this.#zone.offsetAt(local);
      return true;
    }
    const offset = offsetOf(bytes, p, end);
    if (Number.isNaN(offset)) return false;
    const c = bytes[p];
    this.#asWritten = asWritten && offset === 0 && (c === 0x5a || (c === 0x2b && end - p === 6));
    this.#second = local - offset;
    return true;
  }
}

/** So many digits as a number; -1 when they are not. */
function digitsAt(bytes: Buffer, p: number, count: number): number {
  let value = 0;
  for (const end = p + count; p < end; p++) {
    const digit = bytes[p] - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
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
