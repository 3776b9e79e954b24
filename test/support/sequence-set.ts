const SPACE = 32;

/** How often each sequence number was seen: lost and doubled lines are counted from it, never from a maximum or a count. */
export class SequenceSet {
  #times = new Uint8Array(1 << 20);
  /** Documents without a sequence number. */
  without = 0;

  add(sequence: number): void {
    if (sequence >= this.#times.length) {
      const grown = new Uint8Array(Math.max(this.#times.length * 2, sequence + 1));
      grown.set(this.#times);
      this.#times = grown;
    }
    if (this.#times[sequence] < 255) this.#times[sequence] += 1;
  }

  /** Reads `"seq":N` from bytes[from, to). */
  addFrom(bytes: Buffer, from: number, to: number): void {
    const at = bytes.indexOf(`"seq":`, from, "latin1");
    if (at === -1 || at >= to) {
      this.without += 1;
      return;
    }
    let sequence = 0;
    let i = at + 6;
    if (bytes[i] === SPACE) i += 1;
    for (; bytes[i] >= 48 && bytes[i] <= 57; i++) sequence = sequence * 10 + bytes[i] - 48;
    this.add(sequence);
  }

  times(sequence: number): number {
    return this.#times[sequence] ?? 0;
  }

  /** What is wrong among the numbers 0 … count - 1, at most ten of each kind. */
  compare(count: number): { missing: number; doubled: number; firstMissing: number[]; firstDoubled: number[] } {
    const result = { missing: 0, doubled: 0, firstMissing: [] as number[], firstDoubled: [] as number[] };
    for (let sequence = 0; sequence < count; sequence++) {
      const times = this.times(sequence);
      if (times === 0 && ++result.missing <= 10) result.firstMissing.push(sequence);
      if (times > 1 && ++result.doubled <= 10) result.firstDoubled.push(sequence);
    }
    return result;
  }
}
