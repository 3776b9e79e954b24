import { LOKI_PART_BYTES } from "../../core/loki-limits.ts";
import { type Course, courseOf } from "./course.ts";
import type { Flow } from "./flow.ts";
import { backfillLabels, serviceLabels } from "./labels.ts";
import type { Streams } from "./streams.ts";

/** The streams of one file. Which of them a record goes to follows from what was decided and from the record's offset. */
export class FileStreams {
  readonly labels: ReadonlyMap<string, string>;
  /** There are too many streams: it has none of its own labels. */
  readonly isCrowdedOut: boolean;
  /** What goes where this file's records go. */
  flow: Flow;
  /** Offset at which it was last decided that they go to streams of the file alone. */
  ownSince = 0;
  /** The stretch of the file that was looked at last. */
  block = -1;
  readonly #streams: Streams;
  readonly #fileKey: string;
  readonly #seed: number;
  #course: Course = courseOf("shared", 1);
  #part = 0;
  #number: number;

  /** `mayBeThere`: some of it may have been sent before this process began. */
  constructor(
    streams: Streams,
    labels: ReadonlyMap<string, string>,
    fileKey: string,
    seed: number,
    mayBeThere = false,
  ) {
    this.labels = labels;
    this.#streams = streams;
    this.#fileKey = fileKey;
    this.#seed = seed;
    this.#number = streams.numberOf(labels, mayBeThere);
    this.isCrowdedOut = streams.get(this.#number).labels.size < labels.size;
    this.flow = streams.flowOf(this.#number);
  }

  /** The stream of the record at an offset. */
  numberOf(course: Course, offset: number): number {
    const { parts } = course;
    // A stretch goes to one part as a whole: entries of one stream stand together in a push.
    const part = parts === 1 ? 0 : (this.#seed + Math.floor(offset / LOKI_PART_BYTES)) % parts;
    if (course === this.#course && part === this.#part) return this.#number;
    if (course.choice !== this.#course.choice) this.flow = this.#streams.flowOf(this.#numberOf(course.choice));
    this.#course = course;
    this.#part = part;
    return (this.#number = this.#numberOf(course.choice, parts === 1 ? undefined : part));
  }

  #numberOf(choice: Course["choice"], part?: number): number {
    const { labels } = this;
    if (choice === "service") return this.#streams.numberOf(serviceLabels(labels));
    if (choice === "shared" && part === undefined) return this.#streams.numberOf(labels);
    return this.#streams.numberOf(backfillLabels(labels, choice === "own" ? this.#fileKey : undefined, part));
  }
}
