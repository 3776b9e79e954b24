import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ledgerOf } from "../../../src/state/ledger.ts";
import { addFile, inDirectory, open } from "./tools.ts";

test("seen = unread + in flight + delivered + filtered + dead-lettered + cut + lost, whatever comes when", async () => {
  const part = fc.nat(1_000);
  const step = fc.record({
    terms: fc.record({ delivered: part, filtered: part, deadLettered: part, cut: part, lost: part }),
    read: fc.nat(8_000),
    size: fc.nat(8_000),
  });
  await inDirectory(async (directory) => {
    const state = await open(directory);
    let round = 0;
    fc.assert(
      fc.property(fc.nat(10_000), fc.array(step, { minLength: 1, maxLength: 20 }), (start, steps) => {
        const file = addFile(state, `/logs/${(round += 1)}.log`);
        const cursor = state.openCursor(file, "es", start);
        const untouched = ledgerOf(cursor, 0, 0);
        expect(untouched).toMatchObject({ seen: 0, unread: 0, inFlight: 0 });
        for (const { terms, read, size } of steps) {
          const sum = Object.values(terms).reduce((a, b) => a + b);
          const committed = cursor.committed + sum;
          state.commit([{ file, cursor, committed, tail: Buffer.alloc(0), lastTime: "", terms }]);
          const ledger = ledgerOf(cursor, start + size, start + read);
          const { seen, ...parts } = ledger;
          expect(Object.values(parts).reduce((a, b) => a + b)).toBe(seen);
          expect(Math.min(...Object.values(ledger))).toBeGreaterThanOrEqual(0);
          expect(seen).toBe(Math.max(size, read, cursor.committed - start));
          expect(seen - ledger.unread - ledger.inFlight).toBe(cursor.committed - start);
        }
      }),
      { numRuns: 50 },
    );
    await state.stop();
  });
});

test("a file that is read half, with a batch on its way", async () => {
  await inDirectory(async (directory) => {
    const state = await open(directory);
    const file = addFile(state, "/logs/a.log");
    const cursor = state.openCursor(file, "es", 100);
    const terms = { delivered: 50, filtered: 10, deadLettered: 20, cut: 15, lost: 5 };
    state.commit([{ file, cursor, committed: 200, tail: Buffer.alloc(0), lastTime: "", terms }]);
    expect(ledgerOf(cursor, 1_000, 600)).toEqual({ seen: 900, unread: 400, inFlight: 400, ...terms });
    await state.stop();
  });
});
