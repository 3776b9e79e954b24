import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RecordTime } from "../../../src/records/time/record-time.ts";
import { Zone } from "../../../src/records/time/zone.ts";
import { Encoding, fieldsOf } from "./encode.ts";

/** What the time with that JSON source becomes; undefined when it is none. */
function timeOf(source: string, timezone = "UTC"): unknown {
  const fields = fieldsOf(`{"time":${source}}`, { timezone });
  return fields["event.timestamp_source"] === "assigned" ? undefined : fields["@timestamp"];
}

describe("a text", () => {
  test.each([
    ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"],
    ["2026-01-02T03:04:05.6Z", "2026-01-02T03:04:05.6Z"],
    ["2026-01-02T03:04:05.678901234Z", "2026-01-02T03:04:05.678901234Z"],
    ["2026-01-02T03:04:05.000+00:00", "2026-01-02T03:04:05.000+00:00"],
    ["2026-01-02T03:04:05-00:00", "2026-01-02T03:04:05Z"],
    ["2026-01-02T03:04:05.50+02:00", "2026-01-02T01:04:05.50Z"],
    ["2026-01-02T03:04:05-0530", "2026-01-02T08:34:05Z"],
    ["2026-01-02T03:04:05+14", "2026-01-01T13:04:05Z"],
    ["2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00Z"],
    ["2026-01-02t03:04:05z", "2026-01-02T03:04:05Z"],
    ["2026-01-02 03:04:05,678", "2026-01-02T03:04:05.678Z"],
    ["2026-01-02 03:04:05.678 +0100", "2026-01-02T02:04:05.678Z"],
    ["2026-01-02 03:04:05 UTC", "2026-01-02T03:04:05Z"],
    ["2026/01/02 03:04:05", "2026-01-02T03:04:05Z"],
    ["2026-01-02T03:04Z", "2026-01-02T03:04:00Z"],
    ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"],
    ["2026-06-30T23:59:60Z", "2026-07-01T00:00:00Z"],
  ])("%s is %s", (text, expected) => {
    expect(timeOf(JSON.stringify(text))).toBe(expected);
  });

  test.each([
    "",
    "now",
    "1767323045678",
    "2026-01-02",
    "03:04:05",
    "2026-13-02T03:04:05Z",
    "2026-00-02T03:04:05Z",
    "2026-02-30T03:04:05Z",
    "2025-02-29T03:04:05Z",
    "2026-01-02T24:00:00Z",
    "2026-01-02T03:60:05Z",
    "2026-01-02T03:04:61Z",
    "2026-01-02T03:04:05.Z",
    "2026-01-02T03:04:05.1x",
    "2026-01-02T03:04:05+24:00",
    "2026-01-02T03:04:05+1:00",
    "2026-01-02T03:04:05 CET",
    "2026-1-2T03:04:05Z",
    "2026-01/02T03:04:05Z",
    "2026-01-02X03:04:05Z",
    " 2026-01-02T03:04:05Z",
    "2026-01-02T03:04:05ZZ",
    "+2026-01-02T03:04:05Z",
    "2015-12-31T00:00:00Z",
    "2036-02-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "1969-12-31T23:59:59Z",
  ])("%j is no time", (text) => {
    const fields = fieldsOf({ time: text });
    expect(fields).toMatchObject({
      "@timestamp": "2026-01-02T03:04:05.678Z",
      "event.timestamp_source": "assigned",
      "app.time": text,
    });
  });

  test("finer than nanoseconds is cut, and the whole of it kept", () => {
    expect(fieldsOf({ time: "2026-01-02T03:04:05.1234567899Z" })).toEqual({
      "@timestamp": "2026-01-02T03:04:05.123456789Z",
      "app.time": "2026-01-02T03:04:05.1234567899Z",
    });
  });
});

describe("a number", () => {
  test.each([
    ["1767323045", "2026-01-02T03:04:05Z"],
    ["1767323045.5", "2026-01-02T03:04:05.5Z"],
    ["1767323045.678901", "2026-01-02T03:04:05.678901Z"],
    ["1767323045.100000000", "2026-01-02T03:04:05.100000000Z"],
    ["1.767323045678e9", "2026-01-02T03:04:05.678Z"],
    ["1.767323045e9", "2026-01-02T03:04:05Z"],
    ["17673230456780e-4", "2026-01-02T03:04:05.6780Z"],
    ["1767323045678", "2026-01-02T03:04:05.678Z"],
    ["1767323045000", "2026-01-02T03:04:05.000Z"],
    ["1767323045678.25", "2026-01-02T03:04:05.67825Z"],
    ["1767323045678901", "2026-01-02T03:04:05.678901Z"],
    ["1767323045678901234", "2026-01-02T03:04:05.678901234Z"],
    ["1767323045678901235", "2026-01-02T03:04:05.678901235Z"],
    ["1767225599", "2025-12-31T23:59:59Z"],
    ["1767225600", "2026-01-01T00:00:00Z"],
  ])("%s is %s", (source, expected) => {
    expect(timeOf(source)).toBe(expected);
  });

  test.each(["0", "-0", "-1767323045", "12", "99999999999", "0.1767323045", "1e99", "1e-99", `1${"0".repeat(60)}`])(
    "%s is no time",
    (source) => {
      const fields = fieldsOf(`{"time":${source}}`);
      expect(fields["event.timestamp_source"]).toBe("assigned");
      expect(fields).toHaveProperty(["app.time"]);
    },
  );

  test("agrees with Date on every millisecond of twenty years", () => {
    const encoding = new Encoding();
    fc.assert(
      fc.property(fc.integer({ min: Date.UTC(2016, 0, 3), max: Date.UTC(2036, 0, 1) }), (ms) => {
        expect(encoding.document(`{"time":${ms}}`)["@timestamp"]).toBe(new Date(ms).toISOString());
        expect(encoding.document(`{"time":"${new Date(ms).toISOString().slice(0, -1)}+00:00"}`)["@timestamp"]).toBe(
          `${new Date(ms).toISOString().slice(0, -1)}+00:00`,
        );
      }),
    );
  });
});

describe("a record without a time of its own", () => {
  test("has the time of the record before it, or the file's", () => {
    const encoding = new Encoding();
    expect(encoding.document("first")["@timestamp"]).toBe("2026-01-02T03:04:05.678Z");
    expect(encoding.lane.lastTime()).toBe("2026-01-02T03:04:05.678Z");
    encoding.document('{"time":"2026-03-04T05:06:07+01:00"}');
    expect(encoding.lane.lastTime()).toBe("2026-03-04T04:06:07Z");
    expect(encoding.document("third")).toMatchObject({
      "@timestamp": "2026-03-04T04:06:07Z",
      "event.timestamp_source": "assigned",
    });
    encoding.lane.setLastTime("2026-05-05T00:00:00.123456789Z");
    expect(encoding.document('{"a":1}')["@timestamp"]).toBe("2026-05-05T00:00:00.123456789Z");
  });

  test("keeps the key that comes first when none of several is a time", () => {
    expect(fieldsOf({ date: "x", timestamp: "y" })).toMatchObject({ "app.time": "y", date: "x" });
  });
});

describe("the window of ten years", () => {
  const read = (fallback: string, time: string): boolean => {
    const recordTime = new RecordTime(new Zone("UTC"));
    recordTime.setFallback(fallback);
    return recordTime.readText(Buffer.from(time), 0, time.length);
  };

  test("is measured from the file", () => {
    expect(read("2026-01-02T03:04:05Z", "2035-12-31T00:00:00Z")).toBe(true);
    expect(read("2026-01-02T03:04:05Z", "2036-01-04T00:00:00Z")).toBe(false);
    expect(read("2040-01-02T03:04:05Z", "2036-01-04T00:00:00Z")).toBe(true);
    expect(read("2026-01-02T03:04:05Z", "2016-01-03T00:00:00Z")).toBe(true);
    expect(read("2026-01-02T03:04:05Z", "2015-12-31T00:00:00Z")).toBe(false);
  });

  test("is all times when the clock was not set as the file was written", () => {
    for (const unset of [
      "1970-01-01T00:00:00Z",
      "1999-12-31T23:59:59Z",
      "2100-01-01T00:00:00Z",
      "2262-04-11T00:00:00Z",
    ])
      for (const time of ["1970-01-01T00:00:00Z", "2026-01-02T03:04:05Z", "2262-04-11T23:47:15Z"])
        expect(read(unset, time), `${time} in a file of ${unset}`).toBe(true);
    expect(read("2000-01-01T00:00:00Z", "2026-01-02T03:04:05Z")).toBe(false);
    expect(read("2099-12-31T23:59:59Z", "2026-01-02T03:04:05Z")).toBe(false);
  });

  test("ends where servers end", () => {
    expect(read("1975-01-01T00:00:00Z", "1970-01-01T00:00:00Z")).toBe(true);
    expect(read("1975-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z")).toBe(false);
    expect(read("2261-01-01T00:00:00Z", "2262-04-11T23:47:15.999999999Z")).toBe(true);
    expect(read("2261-01-01T00:00:00Z", "2262-04-11T23:47:17Z")).toBe(false);
  });
});

describe("a time zone", () => {
  test.each([
    ["Europe/Berlin", "2026-01-15 12:00:00", "2026-01-15T11:00:00Z"],
    ["Europe/Berlin", "2026-07-15 12:00:00", "2026-07-15T10:00:00Z"],
    // Clocks go from 02:00 to 03:00: half past two is read as if they had not.
    ["Europe/Berlin", "2026-03-29 01:59:59", "2026-03-29T00:59:59Z"],
    ["Europe/Berlin", "2026-03-29 02:30:00", "2026-03-29T01:30:00Z"],
    ["Europe/Berlin", "2026-03-29 03:00:00", "2026-03-29T01:00:00Z"],
    // Clocks go from 03:00 to 02:00: half past two is the first of the two.
    ["Europe/Berlin", "2026-10-25 02:30:00", "2026-10-25T00:30:00Z"],
    ["Europe/Berlin", "2026-10-25 03:00:00", "2026-10-25T02:00:00Z"],
    ["Asia/Kolkata", "2026-01-01 00:00:00", "2025-12-31T18:30:00Z"],
    ["Australia/Lord_Howe", "2026-04-05 01:45:00", "2026-04-04T14:45:00Z"],
    ["America/St_Johns", "2026-03-08 03:00:00", "2026-03-08T05:30:00Z"],
    ["Pacific/Apia", "2026-06-01 00:00:00", "2026-05-31T11:00:00Z"],
  ])("%s: %s is %s", (timezone, local, expected) => {
    expect(timeOf(JSON.stringify(local), timezone)).toBe(expected);
  });

  test.each([
    "Europe/Berlin",
    "America/New_York",
    "Africa/Casablanca",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
  ])("%s gives back every time that happens once", (timezone) => {
    const zone = new Zone(timezone);
    const format = new Intl.DateTimeFormat("sv-SE", { timeZone: timezone, dateStyle: "short", timeStyle: "medium" });
    const localOf = (utc: number): number => Date.parse(`${format.format(utc * 1_000).replace(" ", "T")}Z`) / 1_000;
    fc.assert(
      fc.property(fc.integer({ min: Date.UTC(2016, 0, 1) / 1_000, max: Date.UTC(2036, 0, 1) / 1_000 }), (utc) => {
        const local = localOf(utc);
        const read = local - zone.offsetAt(local);
        expect(localOf(read)).toBe(local);
        if (localOf(utc - 3_600) !== local && localOf(utc - 1_800) !== local) expect(read).toBe(utc);
      }),
    );
  });
});
