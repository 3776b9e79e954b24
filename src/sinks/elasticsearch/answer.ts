import { REASON_MAX_CHARS } from "../../core/limits.ts";
import {
  type AnswerItem,
  BACKSLASH,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  Depth,
  MEMBERS,
  Member,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  State,
  decodeText,
} from "./answer-shape.ts";
import { RUN_ITEMS, SuccessSample } from "./success-sample.ts";

/** Nesting of an answer; `caused_by` may go deep, but not this deep. */
const DEPTH_MAX = 64;
/** Bytes of a name or text that are kept: a reason in full, escaped. */
const TEXT_MAX_BYTES = REASON_MAX_CHARS * 4;

/** Who hears of the items, in order. */
export interface AnswerReader {
  item(item: AnswerItem, position: number): void;
  /** That many plain successes from a position on. */
  successes(position: number, count: number): void;
}

/**
 * Reads the answer to a `_bulk` request as it comes in, in pieces of any size, and keeps nothing but the item it is in: 7,000
 * conflicts answer with 1.8 MB. It follows the structure of the JSON byte by byte; all but the few members above is skipped.
 *
 * Almost all items are alike: when one that lies in one piece was a success, its bytes are kept, and items with the same
 * bytes are taken without being followed.
 */
export class AnswerScanner {
  #reader: AnswerReader | undefined;
  readonly #item: AnswerItem;
  readonly #arrays = new Uint8Array(DEPTH_MAX);
  readonly #members = new Uint8Array(DEPTH_MAX);
  readonly #text: Buffer = Buffer.alloc(TEXT_MAX_BYTES);
  readonly #reason: Buffer = Buffer.alloc(TEXT_MAX_BYTES);
  readonly #sample = new SuccessSample();
  /** The last item was like the sample: more of them are likely. */
  #inRun = false;
  #state: number = State.value;
  #depth = 0;
  #escaped = false;
  #isKey = false;
  #textBytes = 0;
  #reasonBytes = 0;
  /** Where the item began in this piece; -1 when in an earlier one. */
  #itemStart = -1;
  #sawItems = false;
  /** Items so far. */
  count = 0;

  constructor() {
    this.#item = {
      status: 0,
      type: "",
      index: "",
      inFailureStore: false,
      reason: () => decodeText(this.#reason, this.#reasonBytes).slice(0, REASON_MAX_CHARS),
    };
  }

  begin(reader: AnswerReader): void {
    this.#reader = reader;
    this.#state = State.value;
    this.#depth = 0;
    this.#sample.clear();
    this.#inRun = false;
    this.#sawItems = false;
    this.#members.fill(0);
    this.count = 0;
  }

  /** The answer ended: true when it was one whole JSON object with a list of items. */
  get complete(): boolean {
    return this.#state === State.end && this.#sawItems;
  }

  write(chunk: Buffer): void {
    this.#itemStart = -1;
    const { length } = chunk;
    let i = 0;
    while (i < length && this.#state !== State.broken) {
      if (this.#state === State.string) i = this.#readString(chunk, i);
      else if (this.#state === State.scalar) i = this.#readScalar(chunk, i);
      else {
        const byte = chunk[i];
        const next = byte === OPEN_OBJECT ? this.#takeSuccesses(chunk, i) : i;
        if (next > i) i = next;
        else {
          this.#state = this.#next(byte, i);
          if (this.#state !== State.scalar) i++;
          if (byte === CLOSE_OBJECT && this.#depth === Depth.items) this.#keepSample(chunk, i);
        }
      }
    }
  }

  /** One byte between the texts and numbers; returns what may come behind it. */
  #next(byte: number, at: number): number {
    if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) return this.#state;
    const state = this.#state;
    if (state === State.colon) return byte === COLON ? State.value : State.broken;
    if (state === State.commaOrEnd && byte === COMMA) return this.#arrays[this.#depth] === 1 ? State.value : State.key;
    if (byte === CLOSE_OBJECT && (state === State.commaOrEnd || state === State.keyOrEnd)) return this.#close(0);
    if (byte === CLOSE_ARRAY && (state === State.commaOrEnd || state === State.valueOrEnd)) return this.#close(1);
    if (state === State.key || state === State.keyOrEnd) return byte === QUOTE ? this.#beginString(true) : State.broken;
    if (state !== State.value && state !== State.valueOrEnd) return State.broken;
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) return this.#open(byte === OPEN_ARRAY ? 1 : 0, at);
    // An answer is an object: another text is not from the server.
    if (this.#depth === 0) return State.broken;
    if (byte === QUOTE) return this.#beginString(false);
    this.#textBytes = 0;
    return State.scalar;
  }

  get #inItems(): boolean {
    return this.#members[Depth.root] === Member.items && this.#depth >= Depth.items && this.#arrays[Depth.items] === 1;
  }

  #open(isArray: 0 | 1, at: number): number {
    if (++this.#depth === DEPTH_MAX || (this.#depth === Depth.root && isArray === 1)) return State.broken;
    this.#arrays[this.#depth] = isArray;
    this.#members[this.#depth] = Member.other;
    if (this.#depth === Depth.item && this.#inItems) {
      this.#itemStart = at;
      this.#clearItem();
    }
    return isArray === 1 ? State.valueOrEnd : State.keyOrEnd;
  }

  #clearItem(): void {
    this.#item.status = 0;
    this.#item.type = "";
    this.#item.index = "";
    this.#item.inFailureStore = false;
    this.#reasonBytes = 0;
  }

  #close(isArray: 0 | 1): number {
    if (this.#arrays[this.#depth] !== isArray) return State.broken;
    if (this.#inItems) {
      if (this.#depth === Depth.item) this.#reader?.item(this.#item, this.count++);
      if (this.#depth === Depth.items) this.#sawItems = true;
    }
    return --this.#depth === 0 ? State.end : State.commaOrEnd;
  }

  /** An item has just ended: if it is a plain success, later ones will look the same. */
  #keepSample(chunk: Buffer, end: number): void {
    if (this.#itemStart < 0 || !this.#inItems || this.#item.status >= 300 || this.#item.inFailureStore) return;
    this.#sample.keep(chunk, this.#itemStart, end);
    this.#inRun = true;
  }

  /** Takes items that are like the sample and returns the offset behind them. */
  #takeSuccesses(chunk: Buffer, from: number): number {
    const sample = this.#sample;
    if (this.#depth !== Depth.items || sample.itemBytes === 0 || !this.#inItems) return from;
    if (this.#state !== State.value && this.#state !== State.valueOrEnd) return from;
    let at = from;
    while (this.#inRun && sample.hasRun(chunk, at)) {
      this.#reader?.successes(this.count, RUN_ITEMS);
      this.count += RUN_ITEMS;
      at += sample.runBytes;
      this.#state = State.value;
    }
    this.#inRun = sample.hasOne(chunk, at);
    if (!this.#inRun) return at;
    this.#reader?.successes(this.count++, 1);
    this.#state = State.commaOrEnd;
    return at + sample.itemBytes;
  }

  #beginString(isKey: boolean): number {
    this.#isKey = isKey;
    this.#textBytes = 0;
    this.#escaped = false;
    return State.string;
  }

  /** Reads a text to its end or to the end of the piece. */
  #readString(chunk: Buffer, from: number): number {
    for (let i = from; i < chunk.length; i++) {
      const byte = chunk[i];
      if (byte === QUOTE && !this.#escaped) {
        this.#state = this.#isKey ? this.#endKey() : this.#endText();
        return i + 1;
      }
      this.#escaped = byte === BACKSLASH && !this.#escaped;
      if (this.#textBytes < TEXT_MAX_BYTES) this.#text[this.#textBytes++] = byte;
    }
    return chunk.length;
  }

  #endKey(): number {
    const names = MEMBERS[this.#depth];
    const name = names === undefined ? "" : this.#text.toString("latin1", 0, this.#textBytes);
    this.#members[this.#depth] = names?.[name] ?? Member.other;
    return State.colon;
  }

  #endText(): number {
    const member = this.#members[this.#depth];
    const wanted =
      this.#inItems &&
      (this.#depth === Depth.action || (this.#depth === Depth.error && this.#members[Depth.action] === Member.error));
    if (wanted) {
      if (member === Member.failureStore)
        this.#item.inFailureStore = this.#text.toString("latin1", 0, this.#textBytes) === "used";
      else if (member === Member.index) this.#item.index = decodeText(this.#text, this.#textBytes);
      else if (member === Member.type) this.#item.type = decodeText(this.#text, this.#textBytes);
      else if (member === Member.reason) this.#reasonBytes = this.#text.copy(this.#reason, 0, 0, this.#textBytes);
    }
    return State.commaOrEnd;
  }

  /** Reads a number or a literal up to what ends it. */
  #readScalar(chunk: Buffer, from: number): number {
    for (let i = from; i < chunk.length; i++) {
      const byte = chunk[i];
      if (byte === COMMA || byte === CLOSE_OBJECT || byte === CLOSE_ARRAY || byte <= 0x20) {
        this.#state = this.#endScalar();
        return i;
      }
      if (this.#textBytes < TEXT_MAX_BYTES) this.#text[this.#textBytes++] = byte;
    }
    return chunk.length;
  }

  #endScalar(): number {
    const text = this.#text.toString("latin1", 0, this.#textBytes);
    if (!/^(?:true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)$/.test(text)) return State.broken;
    if (this.#inItems && this.#depth === Depth.action && this.#members[Depth.action] === Member.status)
      this.#item.status = Number(text);
    return State.commaOrEnd;
  }
}
