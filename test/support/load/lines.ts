import type { Random } from "../random.ts";

/** Sequence numbers are written with this added, so that all of them have ten digits. */
const FIRST = 1_000_000_000;
const DIGITS = 10;
const ZERO = 48;

/**
 * A line is `{"level":30,"time":…,"pid":7,"hostname":"web-1","msg":"order seq=N len=L …filler… end=N"}`. The text from `seq=` to
 * the last N goes through JSON and through plain text unchanged, so that a receiver finds it in any document, and sees by the
 * distance of the two Ns whether the line is whole.
 */
const BEFORE = `{"level":30,"time":1764000000000,"pid":7,"hostname":"web-1","msg":"order `;
const AFTER = `"}`;
const SEQ = "seq=";
const LEN = " len=";
const END = "end=";
const FILLER = "customer paid by card, parcel leaves the warehouse today; ";
/** Letters of filler that does not compress well, as in a line that carries a file. */
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/** Length of such filler before it repeats: more than what gzip looks back. */
const NOISE_BYTES = 256 * 1024;

/** Bytes of a line that are neither filler nor the two texts around it. */
const FIXED_BYTES = SEQ.length + DIGITS + LEN.length + DIGITS + 1 + END.length + DIGITS;
/** The shortest line that can be made. */
export const SHORTEST_LINE_BYTES: number = BEFORE.length + FIXED_BYTES + AFTER.length;

/** What a receiver must find of a line of that many bytes, its line end not counted: how far `end=` is behind `seq=`. */
export function endDistance(lineBytes: number): number {
  return lineBytes - BEFORE.length - AFTER.length - END.length - DIGITS;
}

/** Reads ten digits at bytes[at]; -1 when they are none. */
export function readNumber(bytes: Buffer, at: number): number {
  let value = 0;
  for (let i = at; i < at + DIGITS; i++) {
    const digit = bytes[i] - ZERO;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** The sequence number at bytes[at], behind `seq=` or `end=`; below 0 when there is none. */
export function readSequence(bytes: Buffer, at: number): number {
  return readNumber(bytes, at) - FIRST;
}

function writeNumber(bytes: Buffer, at: number, value: number): void {
  let rest = value;
  for (let i = at + DIGITS - 1; i >= at; i--) {
    const next = Math.floor(rest / 10);
    bytes[i] = ZERO + rest - next * 10;
    rest = next;
  }
}

/** Filler of letters at random. */
export function noise(random: Random): string {
  return Array.from({ length: NOISE_BYTES }, () => LETTERS[random.below(LETTERS.length)]).join("");
}

/** Writes a line with its LF, which fill the buffer; its number comes later. */
function fillLine(line: Buffer, filler: string): void {
  const lineBytes = line.length - 1;
  line.fill(filler);
  line.write(`${BEFORE}${SEQ}${"0".repeat(DIGITS)}${LEN}${"0".repeat(DIGITS)} `);
  writeNumber(line, BEFORE.length + SEQ.length + DIGITS + LEN.length, lineBytes);
  line.write(`${END}${"0".repeat(DIGITS)}${AFTER}\n`, BEFORE.length + endDistance(lineBytes));
}

function numberLine(line: Buffer, sequence: number): void {
  writeNumber(line, BEFORE.length + SEQ.length, FIRST + sequence);
  writeNumber(line, BEFORE.length + endDistance(line.length - 1) + END.length, FIRST + sequence);
}

/** Lines ready to be written, made once; only their numbers change. */
export class LineBlock {
  readonly bytes: Buffer;
  readonly #lines: Buffer[] = [];

  constructor(lineBytes: readonly number[], filler: string = FILLER) {
    this.bytes = Buffer.alloc(lineBytes.reduce((sum, bytes) => sum + bytes + 1, 0));
    let at = 0;
    for (const bytes of lineBytes) {
      const line = this.bytes.subarray(at, (at += bytes + 1));
      fillLine(line, filler);
      this.#lines.push(line);
    }
  }

  get count(): number {
    return this.#lines.length;
  }

  /** Numbers its lines from here on. */
  number(from: number): void {
    for (const [i, line] of this.#lines.entries()) numberLine(line, from + i);
  }
}

/** Lengths of usual lines, 219 bytes on average, until they fill that many bytes. */
export function usualLengths(random: Random, fillBytes: number): number[] {
  const lengths: number[] = [];
  for (let sum = 0; sum < fillBytes;) {
    const bytes = SHORTEST_LINE_BYTES + random.below(2 * (219 - SHORTEST_LINE_BYTES));
    lengths.push(bytes);
    sum += bytes + 1;
  }
  return lengths;
}
