import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Batch, Outcome } from "../../../src/core/batch.ts";
import type { Segment } from "../../../src/core/segment.ts";
import type { SourceFile } from "../../../src/core/source.ts";
import { type FileRecord, noTerms } from "../../../src/core/state.ts";
import { Cursor } from "../../../src/pipeline/cursor.ts";
import { dropCommitted, loseUnread, nextCommit, settleSegments } from "../../../src/pipeline/settle.ts";
import { cursorRecord } from "../../support/cursor-record.ts";

function makeFile(size: number): SourceFile {
  const record = { uid: 1, path: "/logs/app.log", seenMtimeMs: 0, cursors: new Map() } as unknown as FileRecord;
  return {
    ordinal: 0,
    record,
    input: 0,
    presentAtStart: true,
    startOffset: 0,
    predecessor: undefined,
    status: "live",
    path: "/logs/app.log",
    fd: -1,
    size,
    readTo: 0,
    mtimeMs: 0,
    quietSinceMs: 0,
  };
}

interface Row {
  readonly blankBefore: number;
  readonly length: number;
  readonly cut: number;
  readonly dead: boolean;
}

const rows = fc.array(
  fc.record({ blankBefore: fc.nat(5), length: fc.integer({ min: 1, max: 100 }), cut: fc.nat(99), dead: fc.boolean() }),
  { minLength: 1, maxLength: 30 },
);

/** A batch with one segment that holds these records, white space between them. */
function fill(cursor: Cursor, from: number, records: readonly Row[]): { batch: Batch; segment: Segment } {
  const batch = new Batch(0, Buffer.alloc(0));
  let at = from;
  for (const row of records) {
    at += row.blankBefore;
    const i = batch.count++;
    batch.from[i] = at;
    at += row.length;
    batch.to[i] = at;
    batch.cut[i] = Math.min(row.cut, row.length - 1);
    batch.outcome[i] = row.dead ? Outcome.deadLettered : Outcome.delivered;
  }
  const tail = Buffer.from(String(at));
  const segment: Segment = { file: cursor.file, from, to: at, tail, lastTime: "", terms: noTerms(), settled: false };
  batch.segments.push(segment);
  cursor.uncommitted.push(segment);
  return { batch, segment };
}

test("the terms of a segment sum up to its bytes", () => {
  fc.assert(
    fc.property(rows, fc.nat(1_000), (records, from) => {
      const { batch, segment } = fill(new Cursor(makeFile(10_000), cursorRecord()), from, records);
      settleSegments(batch);
      const { delivered, filtered, deadLettered, cut, lost } = segment.terms;
      expect(delivered + filtered + deadLettered + cut + lost).toBe(segment.to - segment.from);
      expect(filtered).toBe(records.reduce((sum, row) => sum + row.blankBefore, 0));
    }),
  );
});

test("a commit never passes a batch that is not settled, in whatever order they settle (invariant 1)", () => {
  fc.assert(
    fc.property(fc.array(rows, { minLength: 1, maxLength: 8 }), fc.infiniteStream(fc.nat()), (batches, random) => {
      const cursor = new Cursor(makeFile(100_000), cursorRecord());
      const open: ReturnType<typeof fill>[] = [];
      for (const records of batches) open.push(fill(cursor, open.at(-1)?.segment.to ?? 0, records));
      const end = open.at(-1)!.segment.to;
      let committed = 0;
      while (open.length > 0) {
        const [settled] = open.splice(random.next().value! % open.length, 1);
        settleSegments(settled.batch);
        const commit = nextCommit(cursor);
        const limit = Math.min(...open.map(({ segment }) => segment.from), end);
        if (commit === undefined) {
          expect(limit).toBe(committed);
          continue;
        }
        expect(commit.committed).toBe(limit);
        const { delivered, filtered, deadLettered, cut, lost } = commit.terms;
        expect(delivered + filtered + deadLettered + cut + lost).toBe(limit - committed);
        expect(commit.tail.toString()).toBe(String(limit));
        committed = limit;
        cursor.record.committed = limit;
        dropCommitted(cursor, commit, 0);
      }
      expect(committed).toBe(end);
      expect(cursor.uncommitted).toEqual([]);
    }),
  );
});

test("what a truncated file took with it is lost, once everything before it is settled", () => {
  const cursor = new Cursor(makeFile(500), cursorRecord());
  const { batch, segment } = fill(cursor, 0, [{ blankBefore: 0, length: 100, cut: 0, dead: false }]);
  cursor.read = segment.to;
  expect(loseUnread(cursor)).toBe(400);
  expect(nextCommit(cursor)).toBeUndefined();
  settleSegments(batch);
  expect(nextCommit(cursor)).toMatchObject({ committed: 500, terms: { delivered: 100, lost: 400 } });
  expect(loseUnread(cursor)).toBe(0);
});
