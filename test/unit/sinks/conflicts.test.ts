import { describe, expect, test } from "vitest";
import { Outcome } from "../../../src/core/batch.ts";
import { PannierError } from "../../../src/core/errors.ts";
import { instantNs, sameInstant } from "../../../src/sinks/elasticsearch/instant.ts";
import { batchOf, record, records } from "./helpers.ts";
import { Rig, all, deliver, until } from "./rig.ts";

const rig = Rig.use();
const { delivered } = Outcome;
const OTHER_TIME = { "@timestamp": "2025-12-31T00:00:00Z", message: "another event" };

/** The server has documents under these ids already. */
function occupy(ids: readonly string[], document: Readonly<Record<string, unknown>>): void {
  for (const id of ids) rig.server.stored.set(id, document);
}

describe("an id that is taken though it was never sent", () => {
  test("with the same time is the same event: delivered", async () => {
    occupy(["r1"], record("r1").document);
    const made = rig.open(records(3));
    expect(await deliver(made)).toEqual(all(3, delivered));
    expect(made.sink.status().unexpectedConflicts).toBe(1);
    expect(made.source.salts.size).toBe(0);
    expect(rig.server.calls).toEqual(["POST /_mget"]);
    expect(made.log.codes()).toContain("unexpected_conflict");
  });

  test("with another time is another event: this one is kept under a salted id (invariant 6)", async () => {
    occupy(["r1"], OTHER_TIME);
    const made = rig.open(records(3));
    expect(await deliver(made)).toEqual(all(3, delivered));
    expect(rig.server.stored.get("r1")).toEqual(OTHER_TIME);
    expect(rig.server.stored.get("r1~1")).toEqual(record("r1").document);
    expect(made.sink.status()).toMatchObject({ unexpectedConflicts: 1, rejected: 0, deliveredLines: 3 });
  });

  test("counts as delivered whatever the time, when this start cannot know what was sent", async () => {
    occupy(["r1"], OTHER_TIME);
    const made = rig.open(records(3));
    made.source.tolerant = true;
    expect(await deliver(made)).toEqual(all(3, delivered));
    expect(rig.server.stored.size).toBe(3);
    expect(made.sink.status().unexpectedConflicts).toBe(1);
  });

  test("and cannot be read, for a key that only writes, is taken for another event", async () => {
    occupy(["r0"], record("r0").document);
    rig.server.controls.push((_method, path) =>
      path === "/_mget" ? { status: 403, body: '{"error":{"type":"security_exception","reason":"no"}}' } : undefined,
    );
    const made = rig.open(records(1));
    expect(await deliver(made)).toEqual([delivered]);
    expect(rig.server.stored.has("r0~1")).toBe(true);
  });

  test("is asked for until the server answers, since a guess could deliver it twice", async () => {
    occupy(["r0"], record("r0").document);
    let asked = 0;
    rig.server.controls.push((_method, path) =>
      path === "/_mget" && ++asked < 4 ? { status: 503, body: "" } : undefined,
    );
    const made = rig.open(records(1));
    expect(await deliver(made)).toEqual([delivered]);
    expect(asked).toBe(4);
    expect(rig.server.stored.size).toBe(1);
    expect(made.sink.status()).toMatchObject({ unexpectedConflicts: 1, state: "ok" });
  });

  test("is looked up also behind a second send without an answer, since it was taken before (invariant 6)", async () => {
    occupy(["r0"], OTHER_TIME);
    let asked = 0;
    rig.server.controls.push((_method, path) =>
      path === "/_mget" && ++asked === 1 ? { status: 503, body: "" } : undefined,
    );
    let sends = 0;
    rig.server.always = (_seen, response) => {
      if (++sends !== 2) return undefined;
      response.destroy();
      return "taken";
    };
    const made = rig.open(records(1));
    expect(await deliver(made)).toEqual([delivered]);
    expect(rig.server.stored.get("r0")).toEqual(OTHER_TIME);
    expect(rig.server.stored.get("r0~1")).toEqual(record("r0").document);
    expect(made.sink.status().unexpectedConflicts).toBe(1);
  });

  test("gets a second salt when the first salted id is taken too", async () => {
    occupy(["r0", "r0~1"], OTHER_TIME);
    const made = rig.open(records(1));
    expect(await deliver(made)).toEqual([delivered]);
    expect(rig.server.stored.get("r0~2")).toEqual(record("r0").document);
  });

  test("and is refused under its salted id, goes out as text under that id", async () => {
    occupy(["r0"], OTHER_TIME);
    const refused = '{"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"bad"}}}';
    rig.server.always = (seen) =>
      seen.ids[0] === "r0~1" && !("tags" in seen.documents[0])
        ? { status: 200, body: `{"errors":true,"items":[${refused}]}` }
        : undefined;
    const made = rig.open(records(1));
    expect(await deliver(made)).toEqual([delivered]);
    expect(rig.server.stored.get("r0~1")).toMatchObject({ tags: ["refused"], "error.message": "bad" });
  });

  test("in the thousands is looked up in pieces, each once", async () => {
    const list = records(1_500);
    for (const { id, document } of list.slice(0, 1_000)) rig.server.stored.set(id, document);
    for (const { id } of list.slice(1_000)) rig.server.stored.set(id, OTHER_TIME);
    const made = rig.open(list);
    expect(await deliver(made)).toEqual(all(1_500, delivered));
    expect(made.sink.status()).toMatchObject({ unexpectedConflicts: 1_500, deliveredLines: 1_500 });
    expect(rig.server.stored.size).toBe(2_000);
    expect(rig.server.calls.length).toBe(8);
  });
});

test("a salt that cannot be journaled is waited for, and nothing is sent without it", async () => {
  occupy(["r0"], OTHER_TIME);
  const made = rig.open(records(1));
  const salt = made.source.salt.bind(made.source);
  let failures = 3;
  made.source.salt = (...args) => {
    if (failures-- > 0) throw new PannierError("state_write_failed", "the journal cannot be written");
    return salt(...args);
  };
  expect(await deliver(made)).toEqual([delivered]);
  expect(made.log.codes()).toContain("state_write_failed");
  expect([...rig.server.stored.keys()]).toEqual(["r0", "r0~1"]);
});

test("a stop during a look-up ends the delivery", async () => {
  occupy(["r0"], OTHER_TIME);
  rig.server.controls.push(() => ({ status: 503, body: "" }));
  const made = rig.open(records(1), {}, { backoffFirstMs: 10_000, backoffMaxMs: 10_000 });
  const delivering = made.sink.deliver(batchOf(made.source.records)).catch((error: unknown) => error);
  await until(() => rig.server.calls.length > 0);
  await made.sink.stop();
  expect(await delivering).toMatchObject({ name: "DeliveryAborted" });
});

describe("times are compared as instants", () => {
  test.each([
    ["2026-01-02T03:04:05.678901234Z", 1767323045678901234n],
    ["2026-01-02T03:04:05Z", 1767323045000000000n],
    ["2026-01-02T04:04:05.5+01:00", 1767323045500000000n],
    ["1969-12-31T23:59:59.9Z", -100000000n],
    [1767323045678, 1767323045678000000n],
    ["1767323045678", 1767323045678000000n],
    ["yesterday", undefined],
    [undefined, undefined],
  ])("%s", (value, ns) => {
    expect(instantNs(value)).toBe(ns);
  });

  test.each([
    ["2026-01-02T03:04:05.678901234Z", "2026-01-02T03:04:05.678901234Z", true],
    ["2026-01-02T03:04:05.6Z", "2026-01-02T03:04:05.600000000Z", true],
    ["2026-01-02T03:04:05.678901234Z", "2026-01-02T03:04:05.678Z", true],
    ["2026-01-02T03:04:05.678901234Z", "2026-01-02T03:04:05.678901235Z", false],
    ["2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.679Z", false],
    ["2026-01-02T03:04:05Z", undefined, false],
  ])("sent %s, stored %s: %s", (sent, stored, same) => {
    expect(sameInstant(sent, stored)).toBe(same);
  });
});
