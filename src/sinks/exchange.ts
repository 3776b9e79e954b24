import { REASONS_MAX_CHARS } from "../core/delivery-limits.ts";
import { BATCH_MAX_RECORDS } from "../core/limits.ts";

/** What the server said of one record. */
export const Verdict = {
  /** Nothing yet. */
  none: 0,
  delivered: 1,
  /** Its id exists already. */
  conflict: 2,
  /** Refused for what it says. */
  rejected: 3,
  /** The destination has no room or no right for it now; never a rejection, however long it lasts. */
  waiting: 4,
  /** An error of neither kind: breaker one decides when it lasts. */
  unclear: 5,
  /** Refused for what it says if others passed in the same answer; else of neither kind. */
  suspect: 6,
  /** Refused for something that another form of it does without. */
  mendable: 7,
} as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** An error as the operator sees it. */
export interface Problem {
  readonly code: string;
  readonly message: string;
}

/** What one request came to. */
export type Reply =
  /** A complete answer: every record of the request has its verdict. */
  | { readonly kind: "answered" }
  /**
   * No verdict for anyone. `mayHaveArrived`: the server may have stored the records all the same. `brokeOff`: the connection
   * ended before an answer, as it also does when a proxy finds a body too large and does not wait for the rest.
   */
  | {
      readonly kind: "retry";
      readonly problem: Problem;
      readonly mayHaveArrived: boolean;
      readonly brokeOff?: boolean;
      /** Of an answer. */
      readonly status?: number;
      /** It does not say that it is about the destination: something in the request may be to blame. */
      readonly mayBeContent?: boolean;
      readonly retryAfterMs?: number | undefined;
    }
  /** The whole request came at a bad time, or is too much at once. */
  | { readonly kind: "busy"; readonly problem: Problem; readonly retryAfterMs?: number | undefined }
  /** The whole request is refused for its size or for something in it: halve it; alone, the record is rejected. */
  | {
      readonly kind: "halve";
      readonly problem: Problem;
      readonly because: "size" | "content";
      readonly status: number;
    };

/** A name per position, of few different ones: one byte each. */
class Labels {
  readonly #indexOf: Uint8Array = new Uint8Array(BATCH_MAX_RECORDS);
  readonly #names: string[] = [];

  clear(count: number): void {
    this.#indexOf.fill(0, 0, count);
    this.#names.length = 0;
  }

  /** The 255th name and all later ones are not kept. */
  set(position: number, name: string): void {
    let index = this.#names.indexOf(name);
    if (index < 0 && this.#names.length < 254) index = this.#names.push(name) - 1;
    this.#indexOf[position] = index + 1;
  }

  get(position: number): string | undefined {
    return this.#names[this.#indexOf[position] - 1];
  }
}

const nothingToDo = (): Promise<void> => Promise.resolve();

/** One request: its wire bytes, and what became of each of its records, by position. Used again and again. */
export class Exchange {
  /** The connection and compressor that it goes with. */
  readonly lane: number;
  buffer: Buffer = Buffer.alloc(0);
  /** The body is buffer[from, to). */
  from = 0;
  to = 0;
  count = 0;
  /** To be waited for when a connection stands, before a byte goes out. */
  leaving: () => Promise<void> = nothingToDo;
  readonly verdicts: Uint8Array = new Uint8Array(BATCH_MAX_RECORDS);
  /** It went out twice: an id that is taken may be its own. */
  resent = false;
  /** Requests of the destination's own that settled nothing, and were tried again with less. */
  retries = 0;
  /** HTTP status of each record. */
  readonly statuses: Uint16Array = new Uint16Array(BATCH_MAX_RECORDS);
  /** Type of each record's error. */
  readonly types = new Labels();
  /** Where the other event of a conflict is: an index. */
  readonly places = new Labels();
  /** The server's words, as many as fit. */
  readonly reasons: Map<number, string> = new Map();
  /** The server's words about the first of each type, where it says them once for many. */
  readonly reasonsOfTypes: Map<string, string> = new Map();
  #reasonChars = 0;

  constructor(lane: number) {
    this.lane = lane;
  }

  /** `leaving`: see RecordSource.leaving; nothing to do for what is in no file any more. */
  begin(buffer: Buffer, from: number, to: number, count: number, leaving: () => Promise<void> = nothingToDo): void {
    this.leaving = leaving;
    this.buffer = buffer;
    this.from = from;
    this.to = to;
    this.count = count;
    this.resent = false;
    this.retries = 0;
    this.clearAnswer();
  }

  /** Forgets a partial answer. */
  clearAnswer(): void {
    this.verdicts.fill(Verdict.none, 0, this.count);
    this.types.clear(this.count);
    this.places.clear(this.count);
    this.reasons.clear();
    this.reasonsOfTypes.clear();
    this.#reasonChars = 0;
  }

  hasRoomForReason(): boolean {
    return this.#reasonChars < REASONS_MAX_CHARS;
  }

  setReason(position: number, reason: string): void {
    this.reasons.set(position, reason);
    this.#reasonChars += reason.length;
  }

  /** Arrays of one exchange, and its reasons at two bytes a character. */
  static readonly PLANNED_BYTES: number = BATCH_MAX_RECORDS * (1 + 2 + 1 + 1) + REASONS_MAX_CHARS * 2;
}
