import { SHAPES_MAX_BYTES } from "../../core/limits.ts";
import { Window } from "../copy.ts";

/** What all shapes of an encoder are written into: half of it numbers, half of it texts. It is taken once and never grows. */
export class ShapeMemory {
  readonly numbers: Int32Array = new Int32Array(SHAPES_MAX_BYTES / 8);
  readonly text: Window = new Window(Buffer.alloc(SHAPES_MAX_BYTES / 2));
  #numbersUsed = 0;
  #textUsed = 0;

  clear(): void {
    this.#numbersUsed = 0;
    this.#textUsed = 0;
  }

  hasRoom(numbers: number, textBytes: number): boolean {
    return this.#numbersUsed + numbers <= this.numbers.length && this.#textUsed + textBytes <= this.text.bytes.length;
  }

  /** Keeps numbers, and returns the place of the first. */
  keepNumbers(numbers: readonly number[]): number {
    const at = this.#numbersUsed;
    this.numbers.set(numbers, at);
    this.#numbersUsed += numbers.length;
    return at;
  }

  /** Keeps texts one behind the other, and returns where the first begins. */
  keepTexts(texts: readonly Buffer[]): number {
    const at = this.#textUsed;
    for (const text of texts) this.#textUsed += text.copy(this.text.bytes, this.#textUsed);
    return at;
  }
}
