/** Things that are few: each is with one taker at a time, and whoever has to wait gets the next one in the order of asking. */
export class Shelf<T> {
  readonly #things: T[];
  readonly #waiting: ((thing: T) => void)[] = [];

  constructor(things: readonly T[]) {
    this.#things = [...things];
  }

  async take(): Promise<T> {
    return this.#things.pop() ?? (await new Promise<T>((resolve) => this.#waiting.push(resolve)));
  }

  give(thing: T): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#things.push(thing);
    else next(thing);
  }
}
