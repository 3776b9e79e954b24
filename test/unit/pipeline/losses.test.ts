import { expect, test } from "vitest";
import type { CursorRecord, FileRecord } from "../../../src/core/state.ts";
import { describeLosses } from "../../../src/losses.ts";
import { Losses } from "../../../src/pipeline/losses.ts";
import type { Pipeline } from "../../../src/pipeline/pipeline.ts";
import { cursorRecord } from "../../support/cursor-record.ts";

function makeCursor(sink: string, committed: number, sent: number): CursorRecord {
  return cursorRecord({ sink, committed, sent, delivered: committed });
}

function makeFile(seenBytes: number, cursors: readonly CursorRecord[]): FileRecord {
  const facts = { path: "/logs/app.log", lastPath: "/logs/app.log.1", key: "k", generation: 0, goneAtMs: 1 };
  return {
    ...facts,
    seenBytes,
    cursors: new Map(cursors.map((cursor) => [cursor.sink, cursor])),
  } as unknown as FileRecord;
}

interface Said {
  readonly code: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** The losses of one sink, and what is said of them. */
function makeLosses(sink: string, isSending = false) {
  const said: Said[] = [];
  const say = (): void => {};
  const warn = (code: string, message: string, fields: Said["fields"] = {}): void =>
    void said.push({ code, message, fields });
  const losses = new Losses(sink, { debug: say, info: say, warn, error: say }, () => isSending);
  return { losses, said, pipeline: { sink: { name: sink }, losses } as unknown as Pipeline };
}

test("of a file that is gone, what was sent without a known answer is told apart from what nobody sent", () => {
  const { losses, said } = makeLosses("s");
  losses.gone(makeFile(100, [makeCursor("s", 40, 70)]));
  losses.gone(makeFile(100, [makeCursor("s", 40, 100)]));
  losses.gone(makeFile(100, [makeCursor("s", 40, 40)]));
  losses.gone(makeFile(100, [makeCursor("s", 100, 100)]));
  losses.gone(makeFile(100, [makeCursor("another", 0, 0)]));
  expect(said.map(({ code, fields }) => [code, fields["lost_bytes"], fields["perhaps_lost_bytes"]])).toEqual([
    ["bytes_lost", 30, 30],
    ["bytes_perhaps_lost", undefined, 60],
    ["bytes_lost", 60, undefined],
  ]);
  expect(said[0].message).toMatch(
    /^30 bytes of \/logs\/app.log.1 were never sent to s.* 30 bytes .* may have arrived$/,
  );
  expect([losses.lostBytes, losses.perhapsLostBytes]).toEqual([90, 90]);
});

test("what one sink was sent was seen, and is lost for one that was not", () => {
  const file = makeFile(0, [makeCursor("a", 50, 80), makeCursor("b", 20, 20)]);
  const [a, b] = [makeLosses("a"), makeLosses("b")];
  for (const { losses } of [a, b]) losses.gone(file);
  expect([a.losses.lostBytes, a.losses.perhapsLostBytes]).toEqual([0, 30]);
  expect([b.losses.lostBytes, b.losses.perhapsLostBytes]).toEqual([60, 0]);
  const [shown] = describeLosses([file], [], [a.pipeline, b.pipeline]);
  expect(shown).toMatchObject({
    status: "gone",
    size: 80,
    read: 80,
    perhaps_lost: 0,
    ledger: { delivered: 20, lost: 60 },
    ledgers: { a: { delivered: 50, lost: 30 }, b: { delivered: 20, lost: 60 } },
  });
});

test("bytes of a deleted file that are still on their way are in flight, not lost", () => {
  const { pipeline } = makeLosses("s", true);
  const file = makeFile(100, [makeCursor("s", 40, 70)]);
  expect([...describeLosses([file], [], [pipeline])]).toMatchObject([
    { perhaps_lost: 0, ledger: { unread: 0, in_flight: 30, delivered: 40, lost: 30 } },
  ]);
  const all = makeFile(70, [makeCursor("s", 40, 70)]);
  expect([...describeLosses([all], [], [pipeline])]).toEqual([]);
});
