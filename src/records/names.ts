import { decodeText } from "./formats/json-text.ts";
import { sampleHash } from "./keys.ts";

const SLOTS = 2_048;

/** A key with escapes that is longer than this, as it is written, is not looked up. */
const ESCAPED_MAX_BYTES = 256;

/** A fixed set of names, each with a number from 1 on, found by their bytes. */
export class Names {
  readonly #slots = new Uint16Array(SLOTS);
  readonly #hashes: number[] = [0];
  readonly #texts: string[] = [""];
  readonly #bytes: Buffer[] = [Buffer.alloc(0)];
  readonly #decoded = Buffer.alloc(ESCAPED_MAX_BYTES);

  constructor(names: Iterable<string>) {
    for (const name of names) this.add(name);
  }

  /** How many numbers are in use, 0 included. */
  get size(): number {
    return this.#texts.length;
  }

  /** The number of a name; 0 when it is not in the set. */
  idOf(name: string): number {
    const bytes = Buffer.from(name);
    return this.find(bytes, 0, bytes.length, sampleHash(bytes, 0, bytes.length));
  }

  nameOf(id: number): string {
    return this.#texts[id]!;
  }

  bytesOf(id: number): Buffer {
    return this.#bytes[id]!;
  }

  /** The number of a name that is added if it is new. */
  add(name: string): number {
    const known = this.idOf(name);
    if (known !== 0) return known;
    const bytes = Buffer.from(name);
    const hash = sampleHash(bytes, 0, bytes.length);
    const id = this.#texts.push(name) - 1;
    this.#hashes.push(hash);
    this.#bytes.push(bytes);
    let slot = hash & (SLOTS - 1);
    while (this.#slots[slot] !== 0) slot = (slot + 1) & (SLOTS - 1);
    this.#slots[slot] = id;
    return id;
  }

  /** The same for a key with escapes. */
  findEscaped(bytes: Buffer, start: number, end: number): number {
    if (end - start > this.#decoded.length) return 0;
    const length = decodeText(bytes, start, end, this.#decoded, 0);
    return this.find(this.#decoded, 0, length, sampleHash(this.#decoded, 0, length));
  }

  /** The number of the name bytes[start, end) with that `sampleHash`; 0 when it is not in the set. */
  find(bytes: Buffer, start: number, end: number, hash: number): number {
    for (let slot = hash & (SLOTS - 1); ; slot = (slot + 1) & (SLOTS - 1)) {
      const id = this.#slots[slot]!;
      if (id === 0) return 0;
      if (this.#hashes[id] === hash && equals(this.#bytes[id]!, bytes, start, end)) return id;
    }
  }
}

function equals(name: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let i = 0; i < name.length; i++) if (name[i] !== bytes[start + i]) return false;
  return true;
}
