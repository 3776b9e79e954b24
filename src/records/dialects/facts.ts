import { Kind } from "../members.ts";
import type { Names } from "../names.ts";

/** Facts about which members a line has, as bits of two numbers. */
export interface FactSet {
  readonly low: number;
  readonly high: number;
}

const BITS = 30;

/** Numbers the facts that dialects ask about: `key`, or `key:kind`. */
export class Facts {
  readonly #bits = new Map<string, number>();

  set(facts: readonly string[]): FactSet {
    let low = 0;
    let high = 0;
    for (const fact of facts) {
      const bit = this.#bits.get(fact) ?? this.#bits.size;
      if (bit >= 2 * BITS) throw new RangeError(`dialects ask about more than ${2 * BITS} facts`);
      this.#bits.set(fact, bit);
      if (bit < BITS) low |= 1 << bit;
      else high |= 1 << (bit - BITS);
    }
    return { low, high };
  }

  keys(): string[] {
    return Array.from(this.#bits.keys(), (fact) => fact.split(":")[0]);
  }

  /** What a member of a name and kind proves: index (id << 3) | kind. */
  tables(names: Names): { low: Int32Array; high: Int32Array } {
    const low = new Int32Array(names.size << 3);
    const high = new Int32Array(names.size << 3);
    for (const fact of this.#bits.keys()) {
      const [key, wanted] = fact.split(":");
      const set = this.set([fact]);
      for (const [name, kind] of Object.entries(Kind)) {
        if (wanted !== undefined && wanted !== name) continue;
        low[(names.idOf(key) << 3) | kind] |= set.low;
        high[(names.idOf(key) << 3) | kind] |= set.high;
      }
    }
    return { low, high };
  }
}
