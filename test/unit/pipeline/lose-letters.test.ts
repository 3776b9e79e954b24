/** Dead letters that `drop_oldest` throws away are lost, in the ledger as well, and also after a restart (contract §5). */
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Batch, Outcome } from "../../../src/core/batch.ts";
import { systemClock } from "../../../src/core/clock.ts";
import type { Segment } from "../../../src/core/segment.ts";
import type { SourceFile } from "../../../src/core/source.ts";
import { type CursorRecord, type FileRecord, noTerms, type StateStore } from "../../../src/core/state.ts";
import { Cursor } from "../../../src/pipeline/cursor.ts";
import { loseLetters } from "../../../src/pipeline/lose-letters.ts";
import { nextCommit, settleSegments } from "../../../src/pipeline/settle.ts";
import { openState } from "../../../src/state/open.ts";
import { cursorRecord } from "../../support/cursor-record.ts";

const say = (): void => {};
const log = { debug: say, info: say, warn: say, error: say };
const KEY = "0123456789abcdef0123456789abcdef";

test("what is committed moves from dead-lettered to lost, and stays there", async () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), "pannier-lose-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const open = (): ReturnType<typeof openState> => openState({ directory, podUid: "pod", clock: systemClock, log });
  let state = await open();
  const facts = { device: "1", inode: "2", birthtimeMs: 0, path: "/logs/a.log", seenMtimeMs: 0, generation: 0 };
  const file = state.addFile(facts);
  state.nameFile(file, "ab", 10, KEY);
  const cursor = state.openCursor(file, "es", 0);
  const terms = { ...noTerms(), delivered: 70, deadLettered: 30 };
  state.commit([{ file, cursor, committed: 100, tail: Buffer.from("tail"), lastTime: "t", terms }]);

  const letters = [
    { fileKey: KEY, offset: 10, bytes: 10 },
    { fileKey: KEY, offset: 40, bytes: 8 },
    { fileKey: "another", offset: 0, bytes: 5 },
  ];
  loseLetters(state, "es", [], letters);
  loseLetters(state, "another sink", [], letters);
  expect(cursor).toMatchObject({ committed: 100, delivered: 70, deadLettered: 12, lost: 18, lastTime: "t" });
  // A second letter of an event that has one already takes no more than there is.
  loseLetters(state, "es", [], [{ fileKey: KEY, offset: 10, bytes: 20 }]);
  await state.stop();

  state = await open();
  const [again] = [...state.files.values()];
  expect(again.cursors.get("es")).toMatchObject({ committed: 100, delivered: 70, deadLettered: 0, lost: 30 });
  expect(again.cursors.get("es")!.tail.toString()).toBe("tail");
  await state.stop();
});

test.each(["before", "after", "before and after", "twice before"])(
  "what is not yet committed moves in its segment, once, %s that is settled",
  (when) => {
    const cursors = new Map<string, CursorRecord>();
    const record = { uid: 1, path: "/a", key: KEY, seenMtimeMs: 0, cursors } as unknown as FileRecord;
    const file = { ordinal: 0, record, path: "/a", size: 100, fd: -1, status: "live" } as unknown as SourceFile;
    const cursor = new Cursor(file, cursorRecord());
    cursors.set("es", cursor.record);
    const segment: Segment = {
      file,
      from: 0,
      to: 100,
      tail: Buffer.alloc(0),
      lastTime: "",
      terms: noTerms(),
      settled: false,
    };
    cursor.uncommitted.push(segment);
    const batch = new Batch(0, Buffer.alloc(0));
    batch.segments.push(segment);
    batch.count = 2;
    batch.to.set([60, 100]);
    batch.from.set([0, 60]);
    batch.cut.set([0, 10]);
    batch.outcome.set([Outcome.delivered, Outcome.deadLettered]);
    const state = { files: new Map([[1, record]]) } as unknown as StateStore;
    const lose = (): void => loseLetters(state, "es", [cursor], [{ fileKey: KEY, offset: 60, bytes: 30 }]);
    // A crash before its commit makes a second letter of an event; both may be dropped before the event is committed.
    if (when !== "after") lose();
    if (when === "twice before") lose();
    settleSegments(batch);
    if (when.endsWith("after")) lose();
    const terms = { delivered: 60, filtered: 0, deadLettered: 0, cut: 10, lost: 30 };
    expect(nextCommit(cursor)).toMatchObject({ committed: 100, terms });
  },
);
