import { describe, expect, test } from "vitest";
import {
  type Judged,
  lineLimitOf,
  readRefusals,
  refusesMetadata,
  storedBeside,
  typeOfRefusal,
} from "../../../../src/sinks/loki/refusal.ts";

/** Answers of Loki 3.5.3, as it gave them. */
const RECORDED = {
  old: `1 errors like: entry for stream '{a="1", service_name="x"}' has timestamp too old: 2026-11-03T12:23:33Z, oldest acceptable timestamp is: 2026-11-16T12:23:33Z; 1 errors like: entry for stream '{a="1", service_name="x"}' has timestamp too old: 2026-10-24T12:23:33Z, oldest acceptable timestamp is: 2026-11-16T12:23:33Z\n`,
  future: `entry for stream '{a="1", service_name="x"}' has timestamp too new: 2026-11-23T13:23:33Z\n`,
  long: `Max entry size '262144' bytes exceeded for stream '{a="1", service_name="x"}' while adding an entry with length '300000' bytes\n`,
  behind: `entry with timestamp 2026-11-23 10:23:33.294 +0000 UTC ignored, reason: 'entry too far behind, entry timestamp is: 2026-11-23T10:23:33Z, oldest acceptable timestamp is: 2026-11-23T11:23:33Z',\nentry with timestamp 2026-11-23 11:23:33.193999999 +0000 UTC ignored, reason: 'entry too far behind, entry timestamp is: 2026-11-23T11:23:33Z, oldest acceptable timestamp is: 2026-11-23T11:23:33Z',\nuser 'fake', total ignored: 2 out of 3 for stream: {a="1", service_name="x"}\n`,
  labels: `entry for stream '{a="1", service_name="x"}' has 20 label names; limit 15\n`,
  streams: `Maximum active stream limit exceeded when trying to create stream {a="1", service_name="x"}, reduce the number of active streams (reduce labels or reduce label values), or contact your Loki administrator to see if the limit can be increased, user: 'fake'\n`,
  metadata:
    "stream '{a=\"1\"}' includes structured metadata, but this feature is disallowed. Please see `limits_config.allow_structured_metadata` or contact your Loki administrator to enable it.\n",
} as const;

const LABELS = '{a="1", service_name="x"}';

function record(time: string, more: Partial<Judged> = {}): Judged {
  const [seconds, digits = ""] = time.replace("Z", "").split(".");
  const second = Date.parse(`${seconds}Z`) / 1_000;
  return { second, nanos: Number(digits.padEnd(9, "0")), lineBytes: 10, labels: LABELS, ...more };
}

/** The type that the message gives to a record; undefined when it does not say that it is refused. */
function verdict(message: string, judged: Judged): string | undefined {
  return readRefusals(message).find(({ applies }) => applies(judged))?.type;
}

describe("what Loki refuses", () => {
  test.each([
    ["old", record("2026-11-03T12:23:33Z"), "timestamp_too_old"],
    ["old", record("2026-11-10T00:00:00Z"), "timestamp_too_old"],
    // In the second of the limit some may have been taken.
    ["old", record("2026-11-16T12:23:33.1Z"), undefined],
    ["old", record("2026-11-20T00:00:00Z"), undefined],
    ["future", record("2026-11-23T13:23:33.5Z"), undefined],
    ["future", record("2026-11-23T13:23:34Z"), "timestamp_too_new"],
    ["future", record("2026-11-23T12:00:00Z"), undefined],
    ["long", record("2026-11-23T12:00:00Z", { lineBytes: 262_145 }), "line_too_long"],
    ["long", record("2026-11-23T12:00:00Z", { lineBytes: 262_144 }), undefined],
    ["behind", record("2026-11-23T10:23:33.294Z"), "too_far_behind"],
    // All of them are listed: this one came before what it is too old for now.
    ["behind", record("2026-11-23T10:00:00Z"), undefined],
    ["behind", record("2026-11-23T11:23:33.193999999Z"), "too_far_behind"],
    ["behind", record("2026-11-23T11:23:33.194Z"), undefined],
    ["behind", record("2026-11-23T10:23:33.294Z", { labels: '{a="2", service_name="x"}' }), undefined],
    ["labels", record("2026-11-23T12:00:00Z"), "labels_refused"],
    ["labels", record("2026-11-23T12:00:00Z", { labels: '{a="2", service_name="x"}' }), undefined],
    ["streams", record("2026-11-23T12:00:00Z"), "too_many_streams"],
  ] as const)("%s: of %j it says %s", (name, judged, expected) => {
    expect(verdict(RECORDED[name], judged)).toBe(expected);
  });

  test("a part of a stream that was split is the stream", () => {
    const split = RECORDED.behind.replace('{a="1", ', '{__stream_shard__="3", a="1", ');
    expect(verdict(split, record("2026-11-23T10:23:33.294Z"))).toBe("too_far_behind");
  });

  test("lists the first ones that are too far behind: what is as old is refused behind the last of these only", () => {
    const more = RECORDED.behind.replace("2 out of 3", "12 out of 30");
    const [{ applies }] = readRefusals(more);
    const old = record("2026-11-23T10:00:00Z");
    expect(applies(old)).toBe(false);
    expect(applies(record("2026-11-23T10:23:33.294Z"))).toBe(true);
    expect(applies(old)).toBe(false);
    expect(applies(record("2026-11-23T11:23:33.193999999Z"))).toBe(true);
    expect(applies(old)).toBe(true);
    expect(applies(record("2026-11-23T11:23:33Z"))).toBe(false);
  });

  test.each([
    ["what is too old, beside which the rest is there", RECORDED.old, "all"],
    ["what is too new", RECORDED.future, "all"],
    ["what is too long", RECORDED.long, "all"],
    ["all that is too far behind", RECORDED.behind, "all"],
    ["the first that are too far behind", RECORDED.behind.replace("2 out of 3", "12 out of 30"), "named"],
    ["a part of a stream that was split", RECORDED.behind.replace('{a="1", ', '{__stream_shard__="3", '), "unknown"],
    [
      "what was too fast, too",
      `entry with timestamp 2026-11-23 10:23:33 +0000 UTC ignored, reason: 'Per stream rate limit exceeded (limit: 1KB/sec)',\n${RECORDED.behind}`,
      "unknown",
    ],
    ["labels", RECORDED.labels, "unknown"],
  ] as const)("names %s", (_, message, expected) => {
    expect(storedBeside(message)).toBe(expected);
  });

  test("says how long a line may be, and that it wants no metadata", () => {
    expect(lineLimitOf(RECORDED.long)).toBe(262_144);
    expect(refusesMetadata(RECORDED.metadata)).toBe(true);
    expect(typeOfRefusal(RECORDED.metadata)).toBeUndefined();
  });

  test.each(["snappy: corrupt input", "400 Bad Request", "couldn't read", "no org id", ""])(
    "of %j no record is guilty",
    (message) => {
      expect(typeOfRefusal(message)).toBeUndefined();
      expect(readRefusals(message)).toEqual([]);
    },
  );
});
