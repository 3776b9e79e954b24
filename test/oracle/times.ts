/**
 * Times for the oracle. They are compared as nanoseconds since 1970, so that `…00.120Z` and `…00.12Z` are the same time, as
 * they are to a server.
 */
const NS_PER_MS = 1_000_000n;
const MS_PER_DAY = 86_400_000;
const TEN_YEARS_NS = BigInt(Math.round(10 * 365.25 * MS_PER_DAY)) * NS_PER_MS;

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)$/;
const DECIMAL = /^(\d+)(?:\.(\d+))?$/;

/** Nanoseconds since 1970 of a time with a zone; undefined when the text is none. */
export function textToNs(text: string): bigint | undefined {
  const match = RFC_3339.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = "", zone] = match as unknown as string[];
  const wholeMs = Date.UTC(+year, +month - 1, +day, +hour, +minute, +second);
  if (new Date(wholeMs).getUTCDate() !== Number(day)) return undefined;
  const zoneMinutes = /^[zZ]$/.test(zone)
    ? 0
    : Number(`${zone[0]}1`) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6)));
  return BigInt(wholeMs - zoneMinutes * 60_000) * NS_PER_MS + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
}

/** Nanoseconds since 1970 of a number as it stands on the line; its magnitude tells the unit (fields.md). */
export function numberToNs(source: string): bigint | undefined {
  const match = DECIMAL.exec(source);
  if (match === null) return undefined;
  const value = Number(source);
  const decimals = value < 1e11 ? 9 : value < 1e14 ? 6 : value < 1e17 ? 3 : 0;
  return BigInt(match[1] + (match[2] ?? "").slice(0, decimals).padEnd(decimals, "0"));
}

export function nearEnough(ns: bigint, firstSeenMs: number): boolean {
  const distance = ns - BigInt(Math.round(firstSeenMs)) * NS_PER_MS;
  return distance < TEN_YEARS_NS && distance > -TEN_YEARS_NS;
}

/** The one spelling in which the oracle writes a time: RFC 3339 in UTC with nine digits. */
export function nsToText(ns: bigint): string {
  const second = new Date(Number(ns / NS_PER_MS)).toISOString().slice(0, 19);
  return `${second}.${(ns % 1_000_000_000n).toString().padStart(9, "0")}Z`;
}
