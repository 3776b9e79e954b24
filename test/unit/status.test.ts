import { expect, test } from "vitest";
import { describeStatus } from "../../src/status.ts";

/** One file, and the agent in the middle of a reload: the old pipelines are gone, the new ones not there yet. */
function ledgerBetweenPipelines(cursors: readonly object[]): unknown {
  const record = { key: "0".repeat(32), generation: 0, lastPath: "/logs/app.log", cursors: { values: () => cursors } };
  const file = { path: "/logs/app.log", record, input: 0, status: "live", size: 100, quietSinceMs: 0 };
  const status = describeStatus({
    startedAt: new Date(0).toISOString(),
    state: "running",
    config: {},
    catalogue: { files: [file], reclaimed: { files: 0, bytes: 0 } },
    shipping: { pipelines: [], config: { inputs: [] }, plan: { lines: [] } },
    records: [],
    monotonicMs: 0,
  } as unknown as Parameters<typeof describeStatus>[0]) as unknown as { files: Iterable<{ ledger: unknown }> };
  return [...status.files][0].ledger;
}

const NOTHING = { in_flight: 0, delivered: 0, filtered: 0, dead_lettered: 0, cut: 0, lost: 0 };

test("between two pipelines the ledger of a file is what the journal knows", () => {
  const terms = { delivered: 30, filtered: 10, deadLettered: 0, cut: 0, lost: 0 };
  expect(ledgerBetweenPipelines([{ start: 0, committed: 40, ...terms }])).toEqual({
    ...NOTHING,
    unread: 60,
    delivered: 30,
    filtered: 10,
  });
});

test("a file that no sink has begun is unread as a whole", () => {
  expect(ledgerBetweenPipelines([])).toEqual({ ...NOTHING, unread: 100 });
});
