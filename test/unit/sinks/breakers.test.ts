import { describe, expect, test } from "vitest";
import { Outcome } from "../../../src/core/batch.ts";
import { batchOf, record, records } from "./helpers.ts";
import { Rig, all, deliver, until } from "./rig.ts";
import { type Seen, bulkAnswer } from "./server.ts";

const rig = Rig.use();
const { delivered, deadLettered } = Outcome;
const POISON = '{"create":{"status":500,"error":{"type":"illegal_state_exception","reason":"cannot cope"}}}';
const REFUSED = '{"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"bad"}}}';

/** Answers with `item` for records that the test picks, and stores the others. */
function failing(item: string, picks: (id: string, document: Readonly<Record<string, unknown>>) => boolean) {
  return (seen: Seen) =>
    bulkAnswer(
      seen.ids.map((id, i) => (picks(id, seen.documents[i]) ? item : rig.server.storeOne(id, seen.documents[i]))),
    );
}

describe("breaker one: a record that breaks the server", () => {
  const times = { poisonTries: 10, poisonAfterMs: 100, backoffFirstMs: 2, backoffMaxMs: 30 };

  test("goes out as text after enough tries, when others of its answer passed", async () => {
    rig.server.always = failing(POISON, (id, document) => id === "r1" && !("tags" in document));
    const made = rig.open(records(3), {}, times);
    const startMs = performance.now();
    expect(await deliver(made)).toEqual(all(3, delivered));
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(99);
    expect(rig.server.seen.filter(({ ids }) => ids.includes("r1")).length).toBeGreaterThanOrEqual(11);
    expect(rig.server.stored.get("r1")).toMatchObject({ tags: ["refused"], "error.message": "cannot cope" });
  });

  test("goes to the dead letters at once when the text breaks it in the same way", async () => {
    rig.server.always = failing(POISON, (id) => id === "r1");
    const made = rig.open(records(3), {}, times);
    expect(await deliver(made)).toEqual([delivered, deadLettered, delivered]);
    expect(rig.server.seen.filter(({ documents }) => "tags" in documents[0]).length).toBe(1);
  });

  test("stays as it is while nothing passes, and while only what came before it had passed", async () => {
    let tries = 0;
    rig.server.script.push(failing(POISON, () => false));
    rig.server.always = (seen) => (++tries > 40 ? undefined : failing(POISON, () => true)(seen));
    const made = rig.open(records(3), {}, { ...times, poisonTries: 5, poisonAfterMs: 10, backoffMaxMs: 5 });
    expect(await deliver(made, records(2, "before"))).toEqual(all(2, delivered));
    expect(await deliver(made)).toEqual(all(3, delivered));
    expect(made.sink.status().rejected).toBe(0);
  });

  test("is given up when another delivery passes meanwhile", async () => {
    rig.server.always = failing(POISON, (id, document) => id === "poison" && !("tags" in document));
    const made = rig.open([record("poison")], {}, times);
    const poisoned = deliver(made);
    for (let i = 0; !("tags" in (rig.server.stored.get("poison") ?? {})) && i < 500; i++) {
      await made.sink.deliver(batchOf(records(1, `other${i}-`), 1));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(await poisoned).toEqual([delivered]);
  });

  test("was stored though its item failed: the conflict afterwards is a delivery", async () => {
    rig.server.script.push((seen) => {
      rig.server.store(seen);
      return bulkAnswer([POISON]);
    });
    const made = rig.open(records(1), {}, times);
    expect(await deliver(made)).toEqual([delivered]);
    expect(made.sink.status().unexpectedConflicts).toBe(0);
  });
});

describe("breaker two: too many rejections of one type", () => {
  /** Long enough for a busy machine to send a batch without waiting for it. */
  const INTERVAL_MS = 600;
  const times = { refusingWindowRecords: 100, refusingIntervalMs: INTERVAL_MS, backoffFirstMs: 1 };

  test("makes the sink `refusing`: one batch per interval, verdicts as before, until it heals", async () => {
    let broken = true;
    rig.server.always = failing(REFUSED, (_id, document) => broken && !("tags" in document));
    const made = rig.open([], {}, times);
    const send = async (prefix: string, slot = 0): Promise<void> => {
      const list = records(50, prefix);
      made.source.records.splice(0, made.source.records.length, ...list);
      await made.sink.deliver(batchOf(list, slot));
    };
    await send("a");
    expect(made.sink.status().state).toBe("ok");
    // The interval begins in here, with the answer.
    const startMs = performance.now();
    await send("b");
    expect(made.sink.status()).toMatchObject({ state: "refusing", lastError: { code: "sink_refusing" } });
    await send("c");
    await send("d");
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(2 * INTERVAL_MS - 10);
    broken = false;
    await send("e");
    expect(made.sink.status().state).toBe("refusing");
    await send("f");
    await until(() => made.sink.status().state === "ok");
    expect(made.sink.status()).toMatchObject({ rejected: 200, deliveredLines: 300, lastError: null });
    // The fastest of some: a busy machine has other things to do meanwhile.
    const tookMs: number[] = [];
    for (const prefix of ["g", "h", "i"]) {
      const sentMs = performance.now();
      await send(prefix);
      tookMs.push(performance.now() - sentMs);
    }
    expect(Math.min(...tookMs)).toBeLessThan(INTERVAL_MS - 10);
  });

  test("a fifth of the records is not yet too many", async () => {
    rig.server.always = failing(REFUSED, (id, document) => Number(id.slice(1)) % 5 === 0 && !("tags" in document));
    const made = rig.open(records(500), {}, times);
    expect(await deliver(made)).toEqual(all(500, delivered));
    expect(made.sink.status()).toMatchObject({ state: "ok", rejected: 100 });
  });

  test("different types are counted apart", async () => {
    const other = REFUSED.replace("document_parsing_exception", "strict_dynamic_mapping_exception");
    rig.server.always = (seen) =>
      bulkAnswer(
        seen.ids.map((id, i) => {
          const n = "tags" in seen.documents[i] ? -1 : Number(id.slice(1)) % 10;
          return n === 0 || n === 5 ? REFUSED : n === 3 || n === 7 ? other : rig.server.storeOne(id, seen.documents[i]);
        }),
      );
    const made = rig.open(records(200), {}, times);
    expect(await deliver(made)).toEqual(all(200, delivered));
    expect(made.sink.status()).toMatchObject({ state: "ok", rejected: 80 });
  });
});
