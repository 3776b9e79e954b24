import { expect, test } from "vitest";
import type { SourceFile } from "../../../src/core/source.ts";
import type { CursorRecord } from "../../../src/core/state.ts";
import { Cursor } from "../../../src/pipeline/cursor.ts";

function cursorOf(seenMtimeMs: number): Cursor {
  const file = { record: { path: "/logs/a.log", seenMtimeMs } } as unknown as SourceFile;
  const record = { committed: 0, sent: 0, tail: Buffer.alloc(0), lastTime: "", boundaries: [] };
  return new Cursor(file, record as unknown as CursorRecord);
}

test.for([
  [1_764_000_000_123, "2025-11-24T16:00:00.123Z"],
  [0, "1970-01-01T00:00:00.000Z"],
  [-2_208_988_800_000, "1970-01-01T00:00:00.000Z"],
  [15_032_385_535_000, "2262-04-11T23:47:15.000Z"],
  [1e17, "2262-04-11T23:47:15.000Z"],
] as const)("a file of %d ms gives its lines %s, which a server takes", ([seenMtimeMs, expected]) => {
  expect(cursorOf(seenMtimeMs).fallbackTime).toBe(expected);
});

test("what a cursor keeps is in memory of its own, not a piece of 64 KiB that it would keep as well", () => {
  const { lane, readTail, scannedTail } = cursorOf(0);
  const kept = [lane.time, readTail.bytes, scannedTail.bytes];
  const bytes = kept.reduce((sum, { length }) => sum + length, 0);
  for (const { buffer } of kept) expect(buffer.byteLength).toBe(bytes);
});
