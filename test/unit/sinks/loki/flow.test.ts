import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Log } from "../../../../src/core/log.ts";
import { LOKI_PARTS_MAX } from "../../../../src/core/loki-limits.ts";
import { courseOf, parseCourse } from "../../../../src/sinks/loki/course.ts";
import { FileStreams } from "../../../../src/sinks/loki/file-streams.ts";
import { isOfOneFile } from "../../../../src/sinks/loki/labels.ts";
import { Streams } from "../../../../src/sinks/loki/streams.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };
const LABELS = new Map([["service_name", "shop"]]);
const KEY = "0badc0de00000000";

/** Streams of one file that is written at some speed, a stretch at a time, and what each of them got in which second. */
class Writing {
  readonly streams = new Streams("loki", silent);
  readonly file = new FileStreams(this.streams, LABELS, KEY, 7);
  readonly bytes = new Map<string, number>();
  readonly parts: number[] = [];
  #nowMs = 5_000;
  #offset = 0;

  run(bytesPerSecond: number, seconds: number): this {
    const until = this.#nowMs + seconds * 1_000;
    while (this.#nowMs < until) {
      const parts = this.file.flow.look(this.#nowMs, this.streams.flowShare);
      if (parts !== this.parts.at(-1)) this.parts.push(parts);
      const stream = this.file.numberOf(courseOf("shared", parts), this.#offset);
      const key = `${this.streams.get(stream).text} ${Math.floor(this.#nowMs / 1_000)}`;
      this.bytes.set(key, (this.bytes.get(key) ?? 0) + 64 * KiB);
      this.file.flow.add(64 * KiB);
      this.#offset += 64 * KiB;
      this.#nowMs += (64 * KiB * 1_000) / bytesPerSecond;
    }
    return this;
  }

  get most(): number {
    return Math.max(...this.bytes.values());
  }
}

describe("what comes fast", () => {
  test.each([0.4, 1, 4, 12, 30])("at %d MiB a second no stream gets what Loki splits", (speed) => {
    // What Loki compares with 1.5 MiB also holds the push at hand, in which a part has a stretch or two.
    expect(new Writing().run(speed * MiB, 30).most).toBeLessThan(1.4 * MiB);
  });

  test("is spread over as few streams as that takes", () => {
    expect(new Writing().run(0.5 * MiB, 30).parts).toEqual([1]);
    expect(new Writing().run(2 * MiB, 30).parts).toEqual([1, 4]);
    expect(new Writing().run(8 * MiB, 30).parts).toEqual([1, 4, 16]);
    expect(new Writing().run(200 * MiB, 5).parts.at(-1)).toBe(LOKI_PARTS_MAX);
  });

  test("is together again when it has been slow for a while, and not before", () => {
    const writing = new Writing().run(20 * MiB, 10);
    expect(writing.parts.at(-1)).toBe(64);
    writing.run(4 * MiB, 5);
    expect(writing.parts.at(-1)).toBe(64);
    writing.run(0.2 * MiB, 60);
    expect(writing.parts).toEqual([1, 4, 16, 64, 16, 4, 1]);
  });

  test("does not go to and fro, whatever its speed", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.05, max: 35, noNaN: true }), (speed) => {
        const { parts } = new Writing().run(speed * MiB, 40);
        expect(parts).toEqual(parts.toSorted((a, b) => a - b));
      }),
      { numRuns: 40 },
    );
  });

  test("goes on over as many streams as before a restart, until it is slow", () => {
    const writing = new Writing();
    writing.file.flow.goOn(16);
    expect(writing.run(4 * MiB, 8).parts).toEqual([16]);
    writing.file.flow.goOn(64);
    expect(writing.run(0.2 * MiB, 60).parts).toEqual([16, 4, 1]);
  });

  test("goes to more streams where the server said that one takes less", () => {
    const writing = new Writing();
    writing.streams.flowShare = 0.25;
    expect(writing.run(0.5 * MiB, 10).parts).toEqual([1, 4]);
  });
});

describe("the streams of a file", () => {
  test("follow from its place alone, and say so in one label", () => {
    const texts = [1, 2].map(() => {
      const streams = new Streams("loki", silent);
      const file = new FileStreams(streams, LABELS, KEY, 7);
      return ["shared", "own", "shared 4", "own 4", "service"].map(
        (course) => streams.get(file.numberOf(parseCourse(course), 520 * KiB)).text,
      );
    });
    expect(texts[0]).toEqual(texts[1]);
    expect(texts[0]).toEqual([
      '{service_name="shop"}',
      '{pannier_backfill="0badc0de", service_name="shop"}',
      '{pannier_backfill="part-1", service_name="shop"}',
      '{pannier_backfill="0badc0de-part-1", service_name="shop"}',
      '{service_name="shop"}',
    ]);
  });

  test("are known as those of one file", () => {
    const streams = new Streams("loki", silent);
    const file = new FileStreams(streams, LABELS, KEY, 7);
    const isAlone = (course: string): boolean => isOfOneFile(streams.get(file.numberOf(parseCourse(course), 0)).labels);
    expect(["shared", "shared 4", "own", "own 4"].map(isAlone)).toEqual([false, false, true, true]);
  });

  test("a course that nobody wrote is the usual one", () => {
    expect(parseCourse("")).toMatchObject({ choice: "shared", parts: 1 });
    expect(parseCourse("elsewhere -3")).toMatchObject({ choice: "shared", parts: 1 });
  });
});
