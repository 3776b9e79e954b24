import type { Clock } from "../../core/clock.ts";
import {
  LOKI_BACKFILL_LAG_MS,
  LOKI_BACKFILL_MIN_BYTES,
  LOKI_CAUGHT_UP_MS,
  LOKI_PART_BYTES,
  LOKI_PARTS_MAX,
} from "../../core/loki-limits.ts";
import type { Line, Placements } from "../../core/record.ts";
import { type Course, courseOf, parseCourse } from "./course.ts";
import type { FileStreams } from "./file-streams.ts";
import type { Streams } from "./streams.ts";

const SHARED = courseOf("shared", 1);

/**
 * Decides which stream a record goes to. Loki refuses what is more than an hour behind the newest entry of its stream, and
 * several files can share one: so a file that lags goes to streams of its own until it has caught up. And it splits a stream
 * that is too fast: so what comes fast is spread over several (`flow.ts`). What was decided is journaled, and obeyed by a re-read.
 */
export class Placer {
  readonly #clock: Clock;
  readonly #streams: Streams;
  /** The clock is asked once for every second of the lines' time, and once for a stretch of the file. */
  #lastSecond = 0;
  #nowMs = 0;

  constructor(clock: Clock, streams: Streams) {
    this.#clock = clock;
    this.#streams = streams;
  }

  /** The stream of a line whose time is in that second. */
  streamOf({ placements, offset }: Line, file: FileStreams, second: number): number {
    if (placements === undefined) return file.numberOf(SHARED, offset);
    const decided = placements.at("stream", offset);
    let course = decided === undefined ? SHARED : parseCourse(decided);
    if (course.choice !== "service" && placements.isOpen(offset))
      course = this.#reconsider(course, placements, offset, file, second);
    return file.numberOf(course, offset);
  }

  #reconsider(course: Course, placements: Placements, offset: number, file: FileStreams, second: number): Course {
    if (file.isCrowdedOut) return this.#decide(courseOf("service", 1), placements, offset);
    const block = Math.floor(offset / LOKI_PART_BYTES);
    if (second !== this.#lastSecond || block !== file.block) {
      this.#lastSecond = second;
      this.#nowMs = this.#clock.nowMs();
    }
    const lagMs = this.#nowMs - second * 1_000;
    const isOwn = course.choice === "own";
    const isLagging = lagMs > (isOwn ? LOKI_CAUGHT_UP_MS : LOKI_BACKFILL_LAG_MS);
    const isOther = isLagging !== isOwn && (isLagging || offset - file.ownSince >= LOKI_BACKFILL_MIN_BYTES);
    if (block === file.block && !isOther) return course;
    file.block = block;
    const choice = isOther === isOwn ? "shared" : "own";
    if (isOther) {
      file.numberOf(courseOf(choice, 1), offset);
      file.ownSince = offset;
    } else file.flow.goOn(course.parts);
    const maxParts = this.#streams.isCrowded ? course.parts : choice === "own" ? LOKI_PARTS_MAX / 4 : LOKI_PARTS_MAX;
    const parts = file.flow.look(this.#clock.monotonicMs(), this.#streams.flowShare, maxParts);
    if (!isOther && parts === course.parts) return course;
    return this.#decide(courseOf(choice, parts), placements, offset);
  }

  #decide(course: Course, placements: Placements, offset: number): Course {
    placements.decide({ from: offset, what: "stream", value: course.text });
    return course;
  }
}
