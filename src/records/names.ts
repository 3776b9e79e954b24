import { Constant } from "./copy.ts";
import { decodeText } from "./formats/json-text.ts";
import { sampleHash } from "./formats/keys.ts";

/** Slots of the hash table, several times the names, so that a key without a name mostly meets an empty one. */
const SLOTS = 4_096;
const NAMES_MAX = 1_024;

/** A key with escapes that is longer than this, as it is written, is not looked up. */
const ESCAPED_MAX_BYTES = 256;

/** A fixed set of names, each with a number from 1 on, found by their bytes. */
export class Names {
  readonly #slots = new Uint16Array(SLOTS);
  readonly #hashes = new Int32Array(NAMES_MAX);
  /** The bytes of name `id` are #bytes[#starts[id], #starts[id + 1]). */
  readonly #starts = new Int32Array(NAMES_MAX + 1);
  #bytes = Buffer.alloc(0);
  readonly #names: string[] = [""];
  /** Made when they are first asked for: few names are ever written. */
  readonly #texts: (Constant | undefined)[] = [];
  readonly #decoded = Buffer.alloc(ESCAPED_MAX_BYTES);

  constructor(names: Iterable<string>) {
    for (const name of names) this.add(name);
  }

  /** How many numbers are in use, 0 included. */
  get size(): number {
    return this.#names.length;
  }

  /** The number of a name; 0 when it is not in the set. */
  idOf(name: string): number {
    const bytes = Buffer.from(name);
    return this.find(bytes, 0, bytes.length, sampleHash(bytes, 0, bytes.length));
  }

  textOf(id: number): Constant {
    return (this.#texts[id] ??= new Constant(this.#names[id]));
  }

  /** The number of a name that is added if it is new. */
  add(name: string): number {
    const known = this.idOf(name);
    if (known !== 0) return known;
    const id = this.#names.push(name) - 1;
    if (id === NAMES_MAX) throw new RangeError(`more than ${NAMES_MAX} names`);
    const bytes = Buffer.from(name);
    this.#hashes[id] = sampleHash(bytes, 0, bytes.length);
    this.#starts[id] = this.#bytes.length;
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    this.#starts[id + 1] = this.#bytes.length;
    let slot = this.#hashes[id] & (SLOTS - 1);
    while (this.#slots[slot] !== 0) slot = (slot + 1) & (SLOTS - 1);
    this.#slots[slot] = id;
    return id;
  }

  /** The same for a key with escapes. */
  findEscaped(bytes: Buffer, start: number, end: number): number {
    if (end - start > ESCAPED_MAX_BYTES) return 0;
    const length = decodeText(bytes, start, end, this.#decoded, 0);
    return this.find(this.#decoded, 0, length, sampleHash(this.#decoded, 0, length));
  }

  /** The number of the name bytes[start, end) with that `sampleHash`; 0 when it is not in the set. */
  find(bytes: Buffer, start: number, end: number, hash: number): number {
    const slots = this.#slots;
    let slot = hash & (SLOTS - 1);
    for (let id = slots[slot]; id !== 0; id = slots[slot]!) {
      if (this.#hashes[id] === hash && this.#equals(id, bytes, start, end)) return id;
      slot = (slot + 1) & (SLOTS - 1);
    }
    return 0;
  }

  #equals(id: number, bytes: Buffer, start: number, end: number): boolean {
    const names = this.#bytes;
    let p = this.#starts[id];
    if (this.#starts[id + 1] - p !== end - start) return false;
    while (start < end) if (names[p++] !== bytes[start++]) return false;
    return true;
  }
}
