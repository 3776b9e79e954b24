import { Mend } from "./entry.ts";

/** A record as a refusal looks at it. */
export interface Judged {
  readonly second: number;
  readonly nanos: number;
  readonly lineBytes: number;
  /** Labels of its stream, as text. */
  readonly labels: string;
}

/** Why Loki refused some entries of a push, and which ones that are for certain. */
export interface Refused {
  readonly type: string;
  /** Loki's own words about the first of them. */
  readonly reason: string;
  /** Asked of each record in turn. */
  readonly applies: (record: Judged) => boolean;
}

/** Words of refusals that are about entries or their stream, and what is done about them. What is not here is the destination's. */
const KNOWN: readonly { readonly words: RegExp; readonly type: string; readonly mend: number }[] = [
  { words: /has timestamp too old/, type: "timestamp_too_old", mend: Mend.time },
  { words: /has timestamp too new/, type: "timestamp_too_new", mend: Mend.time },
  { words: /entry too far behind|entry out of order/, type: "too_far_behind", mend: Mend.ownStream },
  { words: /Max entry size/, type: "line_too_long", mend: Mend.cut },
  {
    words: /structured metadata too large|too many structured metadata/,
    type: "metadata_refused",
    mend: Mend.noMetadata,
  },
  {
    words: /label names; limit|label (?:name|value) too long|duplicate label name|parse labels|parsing labels/,
    type: "labels_refused",
    mend: Mend.fewLabels,
  },
  { words: /active stream limit exceeded/, type: "too_many_streams", mend: Mend.fewLabels },
];

/** What a message is about; undefined when it is about nothing that an entry could help. */
export function typeOfRefusal(message: string): string | undefined {
  return KNOWN.find(({ words }) => words.test(message))?.type;
}

/** What a message says of the only record of a push. */
export function refusalOf(message: string): Refused | undefined {
  const type = typeOfRefusal(message);
  return type === undefined ? undefined : { type, reason: message.trim(), applies: () => true };
}

/**
 * What Loki has stored of a push that it refused in part. It first leaves out what it does not take for what it says, and, when
 * nothing was wrong with the rest, answers with that: all of the rest is there. Else it answers with what its stream did not take,
 * the first ten of it by their exact times: `named`: what stands before the last of these, and is none of them, is there.
 */
export function storedBeside(message: string): "all" | "named" | "unknown" {
  const type = typeOfRefusal(message) ?? "";
  if (["timestamp_too_old", "timestamp_too_new", "line_too_long", "metadata_refused"].includes(type)) return "all";
  const isOfPart = message.includes("__stream_shard__");
  if (type !== "too_far_behind" || isOfPart || namedIn(message) !== behindIn(message).length) return "unknown";
  return ignoredIn(message) > namedIn(message) ? "named" : "all";
}

/** The second from which on entries are not too old, where a message says so; else -1. */
export function oldestSecond(message: string): number {
  const [, time = ""] = /oldest acceptable timestamp is: ([^\s;',]+)/.exec(message) ?? [];
  const second = secondOf(time);
  return Number.isNaN(second) ? -1 : second;
}

/** What is done about a record that was refused with this type; 0 when nothing can be. */
export function mendFor(type: string): number {
  return KNOWN.find((known) => known.type === type)?.mend ?? 0;
}

/** The server is set up to take no structured metadata at all. */
export function refusesMetadata(message: string): boolean {
  return /structured metadata, but this feature is disallowed/.test(message);
}

/** Longest line that the server takes, where a message says so. */
export function lineLimitOf(message: string): number | undefined {
  const limit = /Max entry size '(\d+)'/.exec(message)?.[1];
  return limit === undefined ? undefined : Number(limit);
}

/**
 * Reads why entries were refused. Loki has stored all others of the push, and names those that it refused by second, stream or
 * length, some of them by their exact time, and not always all. So a criterion is used only as far as it is certain; what it
 * leaves is sent again, which has no effect on what is stored, and asked about again.
 */
export function readRefusals(message: string): Refused[] {
  return [...tooOld(message), ...tooNew(message), ...tooLong(message), ...tooFarBehind(message), ...labels(message)];
}

function tooOld(message: string): Refused[] {
  const found = [
    ...message.matchAll(
      /entry for stream [^;]*? has timestamp too old: \S+, oldest acceptable timestamp is: ([^\s;]+)/g,
    ),
  ];
  const oldest = Math.max(...found.map(([, time]) => secondOf(time)));
  if (!(oldest > 0)) return [];
  return [{ type: "timestamp_too_old", reason: found[0][0], applies: ({ second }) => second < oldest }];
}

function tooNew(message: string): Refused[] {
  const found = [...message.matchAll(/entry for stream [^;]*? has timestamp too new: ([^\s;]+)/g)];
  const newest = Math.min(...found.map(([, time]) => secondOf(time)));
  if (!(newest < Infinity)) return [];
  // Of entries in that very second some may have been taken.
  return [{ type: "timestamp_too_new", reason: found[0][0], applies: ({ second }) => second > newest }];
}

function tooLong(message: string): Refused[] {
  const limit = lineLimitOf(message);
  if (limit === undefined) return [];
  const reason = /Max entry size[^;\n]*/.exec(message)?.[0] ?? "";
  return [{ type: "line_too_long", reason, applies: ({ lineBytes }) => lineBytes > limit }];
}

function tooFarBehind(message: string): Refused[] {
  const stream = /for stream: (\{.*\})/.exec(message)?.[1];
  const listed = behindIn(message);
  const last = listed.at(-1);
  if (stream === undefined || last === undefined) return [];
  const exact = new Set(listed.map(({ time }) => time));
  const labelsOf = withoutShard(stream);
  // Those that are not listed stand behind the last one that is. Before it, what is as old was not too old when it came.
  const areAllListed = ignoredIn(message) <= namedIn(message);
  let isBehindListed = false;
  return [
    {
      type: "too_far_behind",
      reason: listed[0].reason,
      applies: ({ second, nanos, labels: own }) => {
        if (own !== labelsOf) return false;
        const time = `${second} ${nanos}`;
        isBehindListed ||= time === last.time;
        return exact.has(time) || (!areAllListed && isBehindListed && second < last.oldest);
      },
    },
  ];
}

interface Behind {
  /** Second and nanoseconds. */
  readonly time: string;
  readonly reason: string;
  /** The second in which what its stream took began. */
  readonly oldest: number;
}

/** Entries that a message lists as too far behind. */
function behindIn(message: string): Behind[] {
  const pattern =
    /entry with timestamp (\S+) (\d\d:\d\d:\d\d)(?:\.(\d+))? \+0000 UTC ignored, reason: '(entry (?:too far behind|out of order)[^']*)'/g;
  return Array.from(message.matchAll(pattern), ([, day, time, digits = "", reason]) => ({
    time: `${secondOf(`${day}T${time}Z`)} ${Number(digits.padEnd(9, "0"))}`,
    reason,
    oldest: oldestSecond(reason),
  }));
}

/** How many entries of a stream a message lists, for whatever reason. */
function namedIn(message: string): number {
  return [...message.matchAll(/entry with timestamp /g)].length;
}

/** How many there are. */
function ignoredIn(message: string): number {
  return Number(/total ignored: (\d+) out of/.exec(message)?.[1] ?? Infinity);
}

function labels(message: string): Refused[] {
  return KNOWN.filter(({ mend, words }) => mend === Mend.fewLabels && words.test(message)).flatMap(({ type }) => {
    const stream = /(?:stream '|create stream )(\{.*?\})/.exec(message)?.[1];
    if (stream === undefined) return [];
    const labelsOf = withoutShard(stream);
    return [{ type, reason: message.trim(), applies: ({ labels: own }: Judged) => own === labelsOf }];
  });
}

/** Loki adds a label of its own to the parts of a stream that is too fast for one ingester. */
function withoutShard(stream: string): string {
  return stream.replace(/__stream_shard__="[^"]*"(?:, )?/, "").replace(/, \}$/, "}");
}

/** Seconds since 1970; NaN for what is no time. */
function secondOf(text: string): number {
  return Math.floor(Date.parse(text) / 1_000);
}
