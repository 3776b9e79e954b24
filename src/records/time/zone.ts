const DAY_SECONDS = 86_400;
/** Offsets change at full quarters of an hour, so one answer serves a quarter. */
const QUARTER_SECONDS = 900;

interface Period {
  /** Seconds since 1970 at which the offset begins to hold. */
  readonly from: number;
  readonly offset: number;
}

/**
 * Turns wall-clock times of a time zone into UTC. A time that happens twice (clocks set back) is the first of the two; one that never happens
 * (clocks set forward) is read as if the clocks had not been set yet. So the answer depends on nothing but the time.
 *
 * `Intl` is asked once per year, day by day, for the offsets in force; lines only look at the resulting list.
 */
export class Zone {
  readonly #format: Intl.DateTimeFormat | undefined;
  readonly #years = new Map<number, readonly Period[]>();
  #quarter = Number.NaN;
  #offset = 0;

  constructor(name: string) {
    if (name === "UTC") return;
    this.#format = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      calendar: "iso8601",
      numberingSystem: "latn",
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  }

  /** Seconds to take off a wall-clock time, given as if it were UTC. */
  offsetAt(localSeconds: number): number {
    if (this.#format === undefined) return 0;
    const quarter = Math.floor(localSeconds / QUARTER_SECONDS);
    if (quarter !== this.#quarter) {
      this.#quarter = quarter;
      this.#offset = this.#find(quarter * QUARTER_SECONDS);
    }
    return this.#offset;
  }

  #find(local: number): number {
    const periods = this.#periodsOf(new Date(local * 1_000).getUTCFullYear());
    let before = periods[0].offset;
    for (let i = 0; i < periods.length; i++) {
      const { from, offset } = periods[i];
      const utc = local - offset;
      if (utc < from) return before;
      if (i + 1 === periods.length || utc < periods[i + 1].from) return offset;
      before = offset;
    }
    return before;
  }

  #periodsOf(year: number): readonly Period[] {
    const known = this.#years.get(year);
    if (known !== undefined) return known;
    const first = Date.UTC(year, 0, 1) / 1_000 - 2 * DAY_SECONDS;
    const last = Date.UTC(year + 1, 0, 1) / 1_000 + 2 * DAY_SECONDS;
    let offset = this.#ask(first);
    const periods: Period[] = [{ from: first, offset }];
    for (let day = first; day < last; day += DAY_SECONDS) {
      const next = this.#ask(day + DAY_SECONDS);
      if (next === offset) continue;
      let low = day;
      let high = day + DAY_SECONDS;
      while (high - low > 1) {
        const middle = Math.floor((low + high) / 2);
        if (this.#ask(middle) === offset) low = middle;
        else high = middle;
      }
      periods.push({ from: high, offset: next });
      offset = next;
    }
    this.#years.set(year, periods);
    return periods;
  }

  #ask(utc: number): number {
    const part: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
    for (const { type, value } of this.#format!.formatToParts(utc * 1_000)) part[type] = Number(value);
    const local = Date.UTC(part.year!, part.month! - 1, part.day, part.hour, part.minute, part.second);
    return local / 1_000 - utc;
  }
}
