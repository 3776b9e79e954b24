const RFC3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?$/i;
const NS_PER_MS = 1_000_000n;

/** Nanoseconds since 1970 of a time as Elasticsearch shows it: text, or milliseconds as a number; undefined when it is none. */
export function instantNs(value: unknown): bigint | undefined {
  if (typeof value === "number" && Number.isFinite(value)) return BigInt(Math.trunc(value)) * NS_PER_MS;
  if (typeof value !== "string") return undefined;
  if (/^-?\d{1,19}$/.test(value)) return BigInt(value) * NS_PER_MS;
  const match = RFC3339.exec(value);
  if (match === null) return undefined;
  const [, seconds, fraction = "", zone = "Z"] = match;
  const ms = Date.parse(`${seconds}${/^z$/i.test(zone) ? "Z" : zone.replace(/^(...)(\d\d)$/, "$1:$2")}`);
  return Number.isNaN(ms) ? undefined : BigInt(ms) * NS_PER_MS + BigInt(fraction.padEnd(9, "0"));
}

/** The same time, also when the index keeps milliseconds only and shows what it kept. */
export function sameInstant(sent: unknown, stored: unknown): boolean {
  const a = instantNs(sent);
  const b = instantNs(stored);
  if (a === undefined || b === undefined) return false;
  return a === b || (b % NS_PER_MS === 0n && a - (((a % NS_PER_MS) + NS_PER_MS) % NS_PER_MS) === b);
}
