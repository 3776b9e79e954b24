/** What a Loki holds, asked for as its users do. */
import { setTimeout as sleep } from "node:timers/promises";

/** An entry that was found. */
export interface FoundEntry {
  /** Of its stream. */
  readonly labels: Readonly<Record<string, string>>;
  readonly time: bigint;
  readonly line: string;
  readonly metadata: Readonly<Record<string, string>>;
}

interface Answer {
  readonly data: {
    readonly result: readonly {
      readonly stream: Readonly<Record<string, string>>;
      readonly values: readonly (readonly [
        string,
        string,
        { structuredMetadata?: Readonly<Record<string, string>> }?,
      ])[];
    }[];
  };
}

/** Loki's own limit for one answer; a few times as many would not fit into a message between its parts. */
const PAGE = 5_000;
const DAY_MS = 24 * 3_600_000;

export interface Asked {
  readonly from?: number;
  readonly to?: number;
  readonly tenant?: string;
  /** Entries of one answer: fewer where they are large. */
  readonly page?: number;
}

/** Every entry of these streams, by time. */
export async function entriesOf(url: string, selector: string, asked: Asked = {}): Promise<FoundEntry[]> {
  const found: FoundEntry[] = [];
  await eachEntry(url, selector, (entry) => found.push(entry), asked);
  return found;
}

/**
 * Shows every entry of these streams, by time, and returns how many there are. Pages overlap in one nanosecond, since entries of
 * several streams can share it.
 */
export async function eachEntry(
  url: string,
  selector: string,
  visit: (entry: FoundEntry) => void,
  { from = Date.now() - 7 * DAY_MS, to = Date.now() + DAY_MS, tenant = "", page: limit = PAGE }: Asked = {},
): Promise<number> {
  let count = 0;
  let start = BigInt(from) * 1_000_000n;
  let known = new Set<string>();
  for (;;) {
    const page = await ask(url, { query: selector, start, end: BigInt(to) * 1_000_000n, limit }, tenant);
    const fresh = page.filter((entry) => entry.time !== start || !known.has(keyOf(entry)));
    for (const entry of fresh) visit(entry);
    count += fresh.length;
    if (page.length < limit || fresh.length === 0) return count;
    const last = page.at(-1)!.time;
    if (last !== start) known = new Set();
    for (const entry of page) if (entry.time === last) known.add(keyOf(entry));
    start = last;
  }
}

/** Sum over the values of one of Loki's own metrics; 0 when it says nothing of it. */
export async function metricOf(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

async function ask(
  url: string,
  { query, start, end, limit }: { query: string; start: bigint; end: bigint; limit: number },
  tenant: string,
): Promise<FoundEntry[]> {
  const parameters = new URLSearchParams({
    query,
    start: String(start),
    end: String(end),
    limit: String(limit),
    direction: "forward",
  });
  const headers = {
    // Labels and metadata come apart.
    "x-loki-response-encoding-flags": "categorize-labels",
    ...(tenant === "" ? {} : { "x-scope-orgid": tenant }),
  };
  const { data } = await untilAnswered(`${url}/loki/api/v1/query_range?${parameters.toString()}`, headers);
  return data.result
    .flatMap(({ stream, values }) =>
      values.map(([time, line, more]): FoundEntry => ({
        labels: stream,
        time: BigInt(time),
        line,
        metadata: more?.structuredMetadata ?? {},
      })),
    )
    .toSorted((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
}

/** A Loki that has just started takes pushes before it answers. */
async function untilAnswered(url: string, headers: Record<string, string>): Promise<Answer> {
  for (let tries = 0; ; tries++) {
    try {
      const answer = await fetch(url, { headers, signal: AbortSignal.timeout(20_000) });
      if (answer.ok) return (await answer.json()) as Answer;
      if (tries === 40 || answer.status < 500) throw new Error(`${answer.status}: ${await answer.text()}`);
    } catch (error) {
      if (tries === 40) throw error;
    }
    await sleep(500);
  }
}

function keyOf({ labels, time, line }: FoundEntry): string {
  return JSON.stringify([labels, String(time), line]);
}

/** Entries once there are so many of them, or the last look at them. */
export async function waitForEntries(url: string, selector: string, count: number): Promise<FoundEntry[]> {
  for (let tries = 0; ; tries++) {
    const found = await entriesOf(url, selector);
    if (found.length >= count || tries === 20) return found;
    await sleep(250);
  }
}
