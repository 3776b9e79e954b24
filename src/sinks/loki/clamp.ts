/**
 * Where records are put whose own time Loki does not take: too old, or ahead of its clock. It is decided once for what is not
 * committed of a file and what follows, and journaled; from then on every such record stands at `base`, and as many nanoseconds
 * later as it is bytes behind the beginning of the file. So a re-read puts it where it was, and the order of the file is kept.
 */
export interface Clamp {
  /** Times below this second are refused. */
  readonly oldest: number;
  /** Times from this second on are refused. */
  readonly newest: number;
  /** Seconds since 1970. */
  readonly base: number;
}

/** A larger file begins anew: nothing shall be minutes ahead. */
const SPAN_NANOS = 1e11;

export function formatClamp({ oldest, newest, base }: Clamp): string {
  return [oldest, newest, base].join(" ");
}

let lastText = "";
let last: Clamp = { oldest: 0, newest: 0, base: 0 };

/** A clamp from its text; the same text comes with many records in a row. */
export function parseClamp(text: string): Clamp {
  if (text === lastText) return last;
  const [oldest = 0, newest = 0, base = 0] = text.split(" ").map(Number);
  lastText = text;
  last = { oldest, newest, base };
  return last;
}

export function isRefused({ oldest, newest }: Clamp, second: number): boolean {
  return second < oldest || second >= newest;
}

/** Nanoseconds behind the base for the record at an offset. */
export function clampedNanos(offset: number): number {
  return offset % SPAN_NANOS;
}

/** The same bounds, seen from a later time. */
export function renewClamp({ oldest, newest, base }: Clamp, nowSecond: number): Clamp {
  const passed = nowSecond - base;
  return { oldest: oldest + passed, newest: newest + passed, base: nowSecond };
}
