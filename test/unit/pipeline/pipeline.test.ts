import { setTimeout as sleep } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { BatchPool } from "../../../src/batches/pool.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { PannierError } from "../../../src/core/errors.ts";
import type { Sink } from "../../../src/core/sink.ts";
import type { SourceFile } from "../../../src/core/source.ts";
import { type CursorRecord, type FileRecord, noTerms, type StateStore } from "../../../src/core/state.ts";
import type { Cursor } from "../../../src/pipeline/cursor.ts";
import { Pipeline } from "../../../src/pipeline/pipeline.ts";
import type { TurnReader } from "../../../src/pipeline/turn.ts";
import { cursorRecord } from "../../support/cursor-record.ts";

function makeFile(ordinal: number): SourceFile {
  const path = `/logs/${ordinal}.log`;
  const record = { uid: ordinal, path, key: "0".repeat(32), seenMtimeMs: 0 } as unknown as FileRecord;
  const facts = { input: 0, presentAtStart: true, startOffset: 0, predecessor: undefined, status: "live" } as const;
  return { ordinal, record, ...facts, path, fd: -1, size: 10, readTo: 0, mtimeMs: 0, quietSinceMs: 0 };
}

/** A pipeline whose parts do what the test says. */
function makePipeline(parts: {
  turn: TurnReader["turn"];
  markSent?: StateStore["markSent"];
  commit?: StateStore["commit"];
  deliver?: Sink["deliver"];
  replace?: () => void;
}): Pipeline {
  const openCursor = (file: FileRecord): CursorRecord => cursorRecord({ sink: `cursor of ${file.uid}` });
  const say = (): void => {};
  return new Pipeline({
    sink: { name: "s", start() {}, deliver: parts.deliver, stop: () => Promise.resolve() } as unknown as Sink,
    state: {
      openCursor,
      noteSize: say,
      markSent: parts.markSent ?? say,
      commit: parts.commit ?? say,
    } as unknown as StateStore,
    pool: new BatchPool(2, 1_024),
    reader: { turn: parts.turn } as unknown as TurnReader,
    maxAgeMs: 60_000,
    clock: systemClock,
    log: { debug: say, info: say, warn: say, error: say },
    ensureKey: () => true,
    reopen: () => true,
    replace: parts.replace ?? say,
    isHurried: () => false,
  });
}

test("new content whose record cannot be journaled yet is taken up again", async () => {
  let calls = 0;
  const refused = new PannierError("state_write_failed", "the journal takes no record");
  const pipeline = makePipeline({
    turn: () => "changed",
    replace() {
      if (++calls === 1) throw refused;
    },
  });
  pipeline.addFile(makeFile(1));
  await vi.waitFor(() => expect(calls).toBe(2), { timeout: 30_000 });
  await pipeline.stop();
});

test("a file that is replaced while it waits for its turn is not read any more", async () => {
  const read: number[] = [];
  const pipeline = makePipeline({
    turn({ file }) {
      read.push(file.ordinal);
      return "idle";
    },
  });
  const [gone, there] = [makeFile(1), makeFile(2)];
  pipeline.addFile(gone);
  pipeline.addFile(there);
  gone.status = "replaced";
  while (read.length === 0) await sleep(1);
  await pipeline.stop();
  expect(read).toEqual([2]);
});

test("a turn that fails behind its first segment leaves every segment with its own cursor", async () => {
  const marks: { file: number; sink: string }[] = [];
  const markSent = (all: readonly { file: FileRecord; cursor: CursorRecord }[]): void => {
    marks.push(...all.map(({ file, cursor }) => ({ file: file.uid, sink: cursor.sink })));
  };
  const turn: TurnReader["turn"] = (cursor: Cursor, batch) => {
    const { file } = cursor;
    batch.segments.push({
      file,
      from: 0,
      to: 10,
      tail: Buffer.alloc(0),
      lastTime: "",
      terms: noTerms(),
      settled: false,
    });
    batch.count = 1;
    if (file.ordinal === 1) throw new PannierError("state_write_failed", "the journal takes no boundary");
    return "full";
  };
  const pipeline = makePipeline({ turn, markSent, deliver: (batch) => pipeline.leaving(batch) });
  pipeline.addFile(makeFile(1));
  pipeline.addFile(makeFile(2));
  // How many batches they share is a matter of time.
  while (!marks.some(({ file }) => file === 2)) await sleep(1);
  await pipeline.stop();
  expect(marks[0].file).toBe(1);
  for (const { file, sink } of marks) expect(sink).toBe(`cursor of ${file}`);
});

test("a commit that the journal had no room for goes with the next one that it takes", async () => {
  const commits: number[][] = [];
  const commit: StateStore["commit"] = (all) => {
    commits.push(all.map(({ file }) => file.uid));
    if (commits.length === 1) throw new PannierError("state_write_failed", "the journal has no room");
  };
  const pipeline = makePipeline({
    turn(cursor, batch) {
      const { file } = cursor;
      if (cursor.read === 10) return "idle";
      cursor.read = 10;
      const segment = { file, from: 0, to: 10, tail: Buffer.alloc(0), lastTime: "", terms: noTerms(), settled: false };
      batch.segments.push(segment);
      cursor.uncommitted.push(segment);
      return "full";
    },
    commit,
  });
  pipeline.addFile(makeFile(1));
  while (commits.length === 0) await sleep(1);
  pipeline.addFile(makeFile(2));
  while (commits.length === 1) await sleep(1);
  await pipeline.stop();
  expect(commits).toEqual([[1], [1, 2]]);
});

test("a file that could not be read is not taken up again behind the stop (invariant 10)", async () => {
  const turns: number[] = [];
  const pipeline = makePipeline({
    turn({ file }) {
      turns.push(file.ordinal);
      return "failed";
    },
  });
  pipeline.addFile(makeFile(1));
  while (turns.length === 0) await sleep(1);
  await pipeline.stop();
  await sleep(1_200);
  expect(pipeline.cursors.get(1)?.queued).toBe(false);
  expect(turns).toEqual([1]);
});
