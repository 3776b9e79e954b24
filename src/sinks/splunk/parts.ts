import type { Exchange } from "../exchange.ts";

const NEWLINE = 0x0a;

/** Some of the records of a request that stand behind each other: positions [start, end). */
export interface Part {
  readonly start: number;
  readonly end: number;
}

/**
 * What goes out after an event of a part was refused: what is before it, it alone, and what is behind it in halves, so that
 * many refused events do not send all of the rest again each time. The first to send stands last.
 */
export function partsAround({ start, end }: Part, eventNumber: number): Part[] {
  const refused = Math.min(start + eventNumber, end - 1);
  const middle = (refused + 1 + end) >> 1;
  return [
    { start: middle, end },
    { start: refused + 1, end: middle },
    { start: refused, end: refused + 1 },
    { start, end: refused },
  ].filter((part) => part.end > part.start);
}

/** The bytes of a part. Every record ends with the only line end in it. */
export function spanOf({ buffer, from, to, count }: Exchange, { start, end }: Part): { from: number; to: number } {
  let first = from;
  for (let i = 0; i < start; i++) first = buffer.indexOf(NEWLINE, first) + 1;
  if (end === count) return { from: first, to };
  let last = first;
  for (let i = start; i < end; i++) last = buffer.indexOf(NEWLINE, last) + 1;
  return { from: first, to: last };
}
