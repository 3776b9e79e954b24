import { Constant, copyConstant, copySpan, quoteSpan } from "../copy.ts";
import type { Window } from "../copy.ts";
import { FLAGS, Kind, KIND_MASK, VALUE_END, VALUE_START } from "../members.ts";

const MEMBER = new Constant(',"app.duplicates":[');

/** Values that lost their key to a later one; they go out together, as texts, under `app.duplicates`. */
export class Duplicates {
  readonly #entries: number[] = [];
  count = 0;

  clear(): void {
    this.count = 0;
  }

  add(entry: number): void {
    this.#entries[this.count++] = entry;
  }

  write(source: Window, entries: Int32Array, out: Window, at: number): number {
    if (this.count === 0) return at;
    at = copyConstant(MEMBER, out, at);
    for (let i = 0; i < this.count; i++) {
      if (i > 0) out.bytes[at++] = 0x2c;
      const entry = this.#entries[i];
      const start = entries[entry + VALUE_START];
      const end = entries[entry + VALUE_END];
      const isText = (entries[entry + FLAGS] & KIND_MASK) === Kind.text;
      at = isText ? copySpan(source, start, end, out, at) : quoteSpan(source, start, end, out, at);
    }
    out.bytes[at++] = 0x5d;
    return at;
  }
}
