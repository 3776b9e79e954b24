import { copyAll, copySpan, quoteSpan } from "./copy.ts";
import { FLAGS, Kind, KIND_MASK, VALUE_END, VALUE_START } from "./members.ts";

const MEMBER = Buffer.from(',"app.duplicates":[');

/** Values that lost their key to a later one; they go out together, as texts, under `app.duplicates`. */
export class Duplicates {
  readonly #entries: number[] = [];
  #count = 0;

  clear(): void {
    this.#count = 0;
  }

  add(entry: number): void {
    this.#entries[this.#count++] = entry;
  }

  write(bytes: Buffer, entries: Int32Array, out: Buffer, at: number): number {
    if (this.#count === 0) return at;
    at = copyAll(MEMBER, out, at);
    for (let i = 0; i < this.#count; i++) {
      if (i > 0) out[at++] = 0x2c;
      const entry = this.#entries[i]!;
      const start = entries[entry + VALUE_START]!;
      const end = entries[entry + VALUE_END]!;
      const isText = (entries[entry + FLAGS]! & KIND_MASK) === Kind.text;
      at = isText ? copySpan(bytes, start, end, out, at) : quoteSpan(bytes, start, end, out, at);
    }
    out[at++] = 0x5d;
    return at;
  }
}
