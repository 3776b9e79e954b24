import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Tally, formatNumbers } from "../../../src/demo/tally.ts";

describe("tally", () => {
  test("prints exactly the line of the contract", () => {
    const tally = new Tally();
    tally.write(3, 1_000);
    tally.deliver(1);
    tally.deliver(3);
    expect(formatNumbers(tally.numbers(1_250))).toBe("written=3 delivered=2 lag_ms=250 lost=0 doubled=0");
    expect(formatNumbers(tally.numbers(1_250, true))).toBe("written=3 delivered=2 lag_ms=0 lost=1 doubled=0");
  });

  test("a line is under way for half a minute before it counts as lost, and is found when it comes", () => {
    const tally = new Tally();
    tally.write(2, 0);
    tally.write(5, 20_000);
    tally.deliver(1);
    tally.deliver(5);
    expect(tally.numbers(30_000).lost).toBe(0);
    expect(tally.numbers(30_001).lost).toBe(1);
    tally.deliver(2);
    expect(tally.numbers(30_001).lost).toBe(0);
    expect(tally.numbers(50_001)).toMatchObject({ lost: 2, lagMs: 30_001 });
  });

  test("one lost and one doubled do not cancel out", () => {
    const tally = new Tally();
    tally.write(3, 0);
    for (const seq of [1, 3, 3, 3]) tally.deliver(seq);
    expect(tally.numbers(1, true)).toMatchObject({ written: 3, delivered: 2, lost: 1, doubled: 1 });
  });

  test("agrees with a set, in any order and beyond its first size", () => {
    const seqs = fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 400 });
    fc.assert(
      fc.property(seqs, fc.integer({ min: 1, max: 200 }), fc.boolean(), (delivered, written, far) => {
        const offset = far ? 70_000 : 0;
        const tally = new Tally();
        for (let seq = 1; seq <= offset; seq++) tally.deliver(seq);
        tally.write(written + offset, 0);
        for (const seq of delivered) tally.deliver(seq + offset);
        const times = (seq: number): number => delivered.filter((other) => other === seq).length;
        const all = Array.from({ length: 200 }, (_, i) => i + 1);
        expect(tally.numbers(0, true)).toMatchObject({
          delivered: offset + new Set(delivered).size,
          lost: all.filter((seq) => seq <= written && times(seq) === 0).length,
          doubled: all.filter((seq) => times(seq) > 1).length,
        });
      }),
      { numRuns: 60 },
    );
  });
});
