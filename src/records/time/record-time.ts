import {
  CLOCK_SET_FROM_SECOND,
  CLOCK_SET_TO_SECOND,
  TIME_LAST_SECOND,
  TIME_MAX_DISTANCE_YEARS,
} from "../../core/limits.ts";
import { TIME_TEXT_BYTES } from "../../core/record.ts";
import { Window } from "../copy.ts";
import { writeDate, writeTwo } from "./civil.ts";
import { FRACTION_MAX_DIGITS, TimeText } from "./time-text.ts";
import type { Zone } from "./zone.ts";

const DAY_SECONDS = 86_400;
const YEAR_SECONDS = 365.25 * DAY_SECONDS;
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
  /** Seconds since 1970. */
  second = 0;
  /** What `readFraction` found: nanoseconds, and what the last digit stands for. */
  nanos = 0;
  stepNanos = 1;

  readonly #parsed: TimeText;
  readonly #digits = Buffer.alloc(NUMBER_MAX_BYTES);
  #fallback: string | undefined;
  #earliest = 0;
  #latest = TIME_LAST_SECOND;
  /** Which second and day `text` shows, since many lines share them; NaN when it shows what a line said. */
  #textSecond = Number.NaN;
  #textDay = Number.NaN;

  constructor(zone: Zone) {
    this.#parsed = new TimeText(zone);
  }

  /** Times further than ten years from this one are not taken. */
  setFallback(fallback: string): void {
    if (fallback === this.#fallback) return;
    this.#fallback = fallback;
    this.#earliest = 0;
    this.#latest = TIME_LAST_SECOND;
    const parsed = this.#parsed;
    if (!parsed.parse(Buffer.from(fallback), 0, fallback.length)) return;
    if (parsed.second < CLOCK_SET_FROM_SECOND || parsed.second >= CLOCK_SET_TO_SECOND) return;
    this.#earliest = parsed.second - TIME_MAX_DISTANCE_YEARS * YEAR_SECONDS;
    this.#latest = parsed.second + TIME_MAX_DISTANCE_YEARS * YEAR_SECONDS;
  }

  /** Reads a text; false when it is no time, or one too far off. */
  readText(bytes: Buffer, start: number, end: number): boolean {
    const parsed = this.#parsed;
    if (!parsed.parse(bytes, start, end) || this.#isFar(parsed.second)) return false;
    this.exact = !parsed.isLeap;
    this.second = parsed.second;
    if (!parsed.isFinal) {
      this.#write(parsed.second, bytes, parsed.fractionStart, parsed.fractionEnd);
      return true;
    }
    const out = this.text.bytes;
    for (let p = start; p < end; p++) out[p - start] = bytes[p];
    this.length = end - start;
    this.#textSecond = Number.NaN;
    this.#textDay = Number.NaN;
    return true;
  }

  #isFar(second: number): boolean {
    return second < this.#earliest || second > this.#latest;
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
    if (this.#isFar(second)) return false;
    this.#write(second, digits, whole - unit, count);
    return true;
  }

  /** The usual case of a number: ten digits of seconds and three of milliseconds. */
  #takeMilliseconds(second: number, bytes: Buffer, fraction: number): boolean {
    if (this.#isFar(second)) return false;
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

  /** Reads the digits behind the second of the time that was read last; only who sends numbers asks for them. */
  readFraction(): void {
    const { bytes } = this.text;
    let nanos = 0;
    let step = 1e9;
    if (bytes[19] === 0x2e) {
      for (let p = 20; p < this.length; p++) {
        const digit = bytes[p] - 0x30;
        if (digit < 0 || digit > 9) break;
        step /= 10;
        nanos += digit * step;
      }
    }
    this.nanos = nanos;
    this.stepNanos = step;
  }

  /** Writes the second and the fraction whose digits are source[start, end). */
  #write(second: number, source: Buffer, start: number, end: number): void {
    this.#writeSecond(second);
    if (end - start > FRACTION_MAX_DIGITS) {
      end = start + FRACTION_MAX_DIGITS;
      this.exact = false;
    }
    const out = this.text.bytes;
    let at = 19;
    if (end > start) {
      out[at++] = 0x2e;
      for (let p = start; p < end; p++) out[at++] = source[p];
    }
    out[at++] = 0x5a;
    this.length = at;
  }

  /** Writes date and time of day, the first 19 characters. */
  #writeSecond(second: number): void {
    this.second = second;
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
