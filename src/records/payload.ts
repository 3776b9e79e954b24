import { KEY_MAX_BYTES } from "../core/limits.ts";
import type { Line } from "../core/record.ts";
import { scanJson } from "./formats/json.ts";
import { LONE, PAIR, seenInTexts, surrogates } from "./formats/json-tokens.ts";
import { ENTRY_SHIFT, KEY_END, KEY_START, type Members } from "./members.ts";
import { Window } from "./copy.ts";
import { isUtf8Span, repairUtf8 } from "./formats/utf8.ts";

const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Where a line is put when it cannot be read where it is. Encoding is synchronous, so one serves all encoders. */
let scratch = Buffer.alloc(0);
const scratchSource = new Window();

/** The text of the line at hand: its bytes as they stand in the read buffer or, when they have to change first, a copy. */
export class Payload {
  /** The read buffer or the scratch. */
  source: Window;
  start = 0;
  end = 0;
  readonly #read = new Window();

  /** `maxLineBytes`: so that no line has to make the scratch larger. */
  constructor(maxLineBytes: number) {
    growScratch(maxLineBytes);
    this.source = this.#read;
  }

  /** Takes the line, repaired where it is not UTF-8. */
  set(line: Line): void {
    this.#read.set(line.bytes);
    this.source = this.#read;
    this.start = line.start;
    this.end = line.end;
    if (line.knownUtf8 || isUtf8Span(line.bytes, line.start, line.end)) return;
    growScratch(line.end - line.start);
    this.end = repairUtf8(line.bytes, line.start, line.end, scratch, 0);
    this.source = scratchSource;
    this.start = 0;
    scratch[this.end] = 0;
  }

  /** Fills the table if the text is a JSON object. Afterwards there is no line break between its tokens. */
  scan(members: Members): boolean {
    if (!this.#beginsWithBrace()) return false;
    // The scanner runs up to a control character, which behind a line is its line end. Behind a cut line it is missing.
    const { bytes } = this.source;
    if (this.end >= bytes.length || bytes[this.end] >= 0x20) this.#copyToScratch();
    seenInTexts.loneSurrogate = false;
    if (!scanJson(this.source.bytes, this.start, this.end, members)) return false;
    if (this.end - this.start > KEY_MAX_BYTES && hasLongKey(members)) return false;
    if (seenInTexts.loneSurrogate) {
      this.#copyToScratch();
      repairSurrogates(scratch, this.end);
      if (!scanJson(this.source.bytes, this.start, this.end, members)) return false;
    }
    if (members.hasLineBreaks) {
      this.#copyToScratch();
      // A line break inside of a text is escaped, so that all that are found are white space.
      for (let p = 0; p < this.end; p++) {
        if (scratch[p] === LINE_FEED || scratch[p] === CARRIAGE_RETURN) scratch[p] = 0x20;
      }
      return scanJson(this.source.bytes, this.start, this.end, members);
    }
    return true;
  }

  #beginsWithBrace(): boolean {
    const { bytes } = this.source;
    let p = this.start;
    while (p < this.end && bytes[p] <= 0x20) p++;
    return p < this.end && bytes[p] === OPEN_BRACE;
  }

  #copyToScratch(): void {
    const length = this.end - this.start;
    if (this.source !== scratchSource) {
      growScratch(length);
      this.source.bytes.copy(scratch, 0, this.start, this.end);
      this.source = scratchSource;
    }
    this.start = 0;
    this.end = length;
    scratch[length] = 0;
  }
}

/** Whether a key is too long for servers; the line is then a text, in which everything is found. */
function hasLongKey({ entries, count }: Members): boolean {
  for (let at = 0; at < count << ENTRY_SHIFT; at += 1 << ENTRY_SHIFT)
    if (entries[at + KEY_END] - entries[at + KEY_START] > KEY_MAX_BYTES) return true;
  return false;
}

/**
 * Writes U+FFFD for halves of surrogate pairs, as for bytes that are not UTF-8: a server takes them, but does not find a word
 * beside one. The escape of U+FFFD has the same length, and every backslash of valid JSON stands in a text.
 */
function repairSurrogates(bytes: Buffer, end: number): void {
  for (let p = bytes.indexOf(BACKSLASH); p >= 0 && p < end; p = bytes.indexOf(BACKSLASH, p)) {
    const kind = surrogates(bytes, p);
    if (kind === LONE) bytes.write("fffd", p + 2, "latin1");
    p += kind === PAIR ? 12 : 2;
  }
}

/** Bytes of the scratch for lines of that size: a byte that is not UTF-8 becomes three, and one stands behind. */
export function scratchBytes(maxLineBytes: number): number {
  return 3 * maxLineBytes + 1;
}

function growScratch(lineBytes: number): void {
  if (scratch.length >= scratchBytes(lineBytes)) return;
  scratch = Buffer.allocUnsafeSlow(scratchBytes(lineBytes));
  scratchSource.set(scratch);
}
