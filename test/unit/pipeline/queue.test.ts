import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Cursor } from "../../../src/pipeline/cursor.ts";
import { ReadQueue } from "../../../src/pipeline/queue.ts";

interface Fake {
  readonly file: { readonly ordinal: number; readonly predecessor: { readonly ordinal: number } | undefined };
  queued: boolean;
}

/** Cursors of one family, each the predecessor of the next. */
function family(size: number): { queue: ReadQueue; cursors: Cursor[] } {
  const fakes: Fake[] = [];
  for (let ordinal = 0; ordinal < size; ordinal++)
    fakes.push({ file: { ordinal, predecessor: fakes[ordinal - 1]?.file }, queued: false });
  const cursors = fakes as unknown as Cursor[];
  return { queue: new ReadQueue(new Map(cursors.map((cursor, ordinal) => [ordinal, cursor]))), cursors };
}

test("nobody is read before an older sibling that waits, and nobody is forgotten", () => {
  const action = fc.oneof(
    fc.record({ kind: fc.constantFrom("add", "remove"), which: fc.nat(7) }),
    fc.record({ kind: fc.constantFrom("again", "release"), which: fc.constant(0) }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const { queue, cursors } = family(8);
      const waiting = new Set<Cursor>();
      const take = (): Cursor | undefined => {
        const cursor = queue.take();
        expect(cursor === undefined).toBe(waiting.size === 0);
        if (cursor === undefined) return undefined;
        const older = cursors[cursors.indexOf(cursor) - 1];
        expect(older !== undefined && waiting.has(older)).toBe(false);
        return cursor;
      };
      for (const { kind, which } of actions) {
        const cursor = kind === "add" || kind === "remove" ? cursors[which] : take();
        if (cursor === undefined) continue;
        if (kind === "add") expect(queue.add(cursor)).toBe(!waiting.has(cursor));
        if (kind === "add") waiting.add(cursor);
        if (kind === "again") queue.again(cursor);
        if (kind === "remove") queue.remove(cursor);
        if (kind === "release") queue.release(cursor);
        if (kind === "remove" || kind === "release") waiting.delete(cursor);
        expect(queue.length).toBe(waiting.size);
        for (const each of cursors) expect(each.queued).toBe(waiting.has(each));
      }
      for (let cursor = take(); cursor !== undefined; cursor = take()) {
        queue.release(cursor);
        waiting.delete(cursor);
      }
      expect(waiting.size).toBe(0);
    }),
  );
});

test("thousands of rotated files behind the oldest cost nothing while that one is read", () => {
  const { queue, cursors } = family(20_000);
  for (const cursor of cursors) queue.add(cursor);
  for (let turn = 0; turn < 20_000; turn++) {
    const cursor = queue.take()!;
    expect(cursor).toBe(cursors[0]);
    queue.again(cursor);
  }
});
