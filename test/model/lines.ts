/**
 * Lines with numbers. The number stands at the beginning, at the end and all through the middle, so that any piece of a line
 * tells which line it is from, and any 64 bytes of a file differ from any other.
 */

export interface LineShape {
  readonly json: boolean;
  /** How often the number stands in the middle. */
  readonly repeats: number;
}

/** Pieces shorter than this may not tell their number. */
export const PIECE_MIN_BYTES = 24;

const TIME_MS = 1_764_000_000_000;
const NUMBER = /[#,](\d+)[:,]|:(\d+)#/;

/** The text of line `n`, without its end. */
export function textOf(n: number, shape: LineShape): string {
  const message = `#${n}:${`${n},`.repeat(shape.repeats)}${n}:${n}#`;
  if (!shape.json) return message;
  return JSON.stringify({ message, time: new Date(TIME_MS + n).toISOString(), end: `#${n}:${n}#` });
}

/** The `message` that a whole line becomes. */
export function messageOf(text: string): string {
  return text.startsWith("{") ? (JSON.parse(text) as { message: string }).message : text;
}

/** The number of a message or of a piece of a line; undefined when it is none of ours. */
export function numberIn(message: string): number | undefined {
  const match = NUMBER.exec(message);
  const digits = match?.[1] ?? match?.[2];
  return digits === undefined ? undefined : Number(digits);
}
