import { LOKI_STREAMS_MAX } from "../../core/loki-limits.ts";
import type { Log } from "../../core/log.ts";
import { Flow } from "./flow.ts";
import { labelText, SERVICE_LABEL } from "./labels.ts";
import { Turnstile } from "../wait.ts";

export interface Stream {
  readonly labels: ReadonlyMap<string, string>;
  readonly text: string;
  /** The text as protobuf has it. */
  readonly bytes: Buffer;
}

/** The streams of one sink by number. A record on its way holds a number, so none is ever given again. */
export class Streams {
  readonly #sink: string;
  readonly #log: Log;
  readonly #streams: Stream[] = [];
  readonly #numbers: Map<string, number> = new Map();
  readonly #flows: Flow[] = [];
  readonly #turnstiles: Turnstile[] = [];
  /** How fast a stream may be, of what is usual: less where the server said that it takes less. */
  flowShare = 1;

  constructor(sink: string, log: Log) {
    this.#sink = sink;
    this.#log = log;
  }

  get count(): number {
    return this.#streams.length;
  }

  /** There are so many that none is spread over more. */
  get isCrowded(): boolean {
    return this.#streams.length > LOKI_STREAMS_MAX / 2;
  }

  /** What goes to a stream and its parts. */
  flowOf(number: number): Flow {
    return (this.#flows[number] ??= new Flow());
  }

  /**
   * Lets one push of a stream pass after the other. Of two at the same time Loki can write the later one first to the journal
   * that it reads after a restart, and takes the other one for a part of that then: it is gone, though it was taken.
   */
  turnstileOf(number: number): Turnstile {
    return (this.#turnstiles[number] ??= new Turnstile());
  }

  get(number: number): Stream {
    return this.#streams[number];
  }

  /**
   * The number of the stream with these labels. When there are too many, those of one service share a stream; not where records
   * may have gone to theirs already.
   */
  numberOf(labels: ReadonlyMap<string, string>, mayBeThere = false): number {
    const text = labelText(labels);
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const service = labels.get(SERVICE_LABEL);
    if (!mayBeThere && this.#streams.length >= LOKI_STREAMS_MAX && labels.size > 1 && service !== undefined) {
      this.#warn();
      return this.numberOf(new Map([[SERVICE_LABEL, service]]));
    }
    const number = this.#streams.push({ labels, text, bytes: Buffer.from(text) }) - 1;
    this.#numbers.set(text, number);
    return number;
  }

  #warn(): void {
    const [label, values] = this.#worstLabel();
    this.#log.warn(
      "too_many_streams",
      `${this.#sink}: there are ${this.#streams.length} streams, and label ${label} alone has ${values} values; files of further ones go to the stream of their service, ` +
        "and their path is in the metadata. Nothing is lost. Loki wants few streams: a label is for what few files differ in",
      { sink: this.#sink, label, values },
    );
  }

  /** The label with the most values. */
  #worstLabel(): [string, number] {
    const values = new Map<string, Set<string>>();
    for (const { labels } of this.#streams)
      for (const [name, value] of labels) values.set(name, (values.get(name) ?? new Set()).add(value));
    const sorted = Array.from(values, ([name, set]): [string, number] => [name, set.size]).toSorted(
      (a, b) => b[1] - a[1],
    );
    return sorted[0] ?? ["", 0];
  }
}
