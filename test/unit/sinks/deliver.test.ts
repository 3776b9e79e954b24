import { describe, expect, test } from "vitest";
import { Outcome, RecordFlag } from "../../../src/core/batch.ts";
import { DeliveryAborted } from "../../../src/core/sink.ts";
import { batchOf, record, records } from "./helpers.ts";
import { Rig, all, deliver, until } from "./rig.ts";
import { CREATED, StandIn, type Step, bulkAnswer, recorded, recordedItems } from "./server.ts";

const { delivered, deadLettered } = Outcome;

const rig = Rig.use();

describe("a delivery", () => {
  test.each(["gzip", "none"] as const)("sends ids and documents as they are (%s)", async (compression) => {
    const list = records(500);
    const made = rig.open(list, { batch: { maxBytes: 1 << 20, maxAgeMs: 1, inFlight: 2, compression } });
    expect(await deliver(made)).toEqual(all(500, delivered));
    expect([...rig.server.stored]).toEqual(list.map(({ id, document }) => [id, document]));
    const [{ headers, path }] = rig.server.seen;
    expect(path).toBe("/logs-pannier-default/_bulk");
    expect(headers["content-type"]).toBe("application/x-ndjson");
    expect(headers.accept).toBe("application/json");
    expect(headers["content-encoding"]).toBe(compression === "gzip" ? "gzip" : undefined);
    const { deliveredLines, retries, state } = made.sink.status();
    expect({ deliveredLines, retries, state }).toEqual({ deliveredLines: 500, retries: 0, state: "ok" });
  });

  test("sends a batch that compression does not shrink as it is", async () => {
    const noise = Buffer.from(Array.from({ length: 600_000 }, () => Math.random() * 256)).toString("base64");
    const made = rig.open([record("big", { noise })]);
    expect(await deliver(made)).toEqual([delivered]);
    expect(rig.server.seen[0].headers["content-encoding"]).toBeUndefined();
  });

  test("settles each record of a mixed answer by itself, in their own order", async () => {
    const list = records(6);
    const [conflict, , refused] = recordedItems("9.5.3", "mixed");
    const [busy] = recordedItems("busy", "items");
    // r0 created, r1 refused, r2 busy, r3 sent before, r4 created, r5 busy
    rig.server.script.push((seen) => {
      for (const i of [0, 4]) rig.server.storeOne(seen.ids[i], seen.documents[i]);
      return bulkAnswer([CREATED, refused, busy, conflict, CREATED, busy]);
    });
    const made = rig.open(list);
    const batch = batchOf(list);
    batch.flags[3] = RecordFlag.maybeSent;
    await made.sink.deliver(batch);
    expect([...batch.outcome.subarray(0, 6)]).toEqual(all(6, delivered));
    expect(rig.server.seen.slice(1).map(({ ids }) => ids)).toEqual([["r1"], ["r2", "r5"]]);
    expect(rig.server.stored.get("r1")).toEqual({
      "@timestamp": list[1].document["@timestamp"],
      message: JSON.stringify(list[1].document),
      "error.message": expect.stringContaining("failed to parse field [n]"),
      tags: ["refused"],
    });
    expect(made.sink.status()).toMatchObject({ rejected: 1, unexpectedConflicts: 0, deadLetters: 0, state: "ok" });
  });

  test("what may be anybody's fault is the record's when others pass beside it, and waits when none does", async () => {
    const list = records(3);
    const [missing] = recordedItems("9.5.3", "missing pipeline");
    // None passes: the pipeline is missing, and all wait. Then one alone is refused, with the same type.
    rig.server.script.push(
      () => bulkAnswer([missing, missing, missing]),
      (seen) => {
        for (const i of [0, 2]) rig.server.storeOne(seen.ids[i], seen.documents[i]);
        return bulkAnswer([CREATED, missing, CREATED]);
      },
    );
    const made = rig.open(list);
    expect(await deliver(made)).toEqual(all(3, delivered));
    expect(rig.server.seen.map(({ ids }) => ids)).toEqual([["r0", "r1", "r2"], ["r0", "r1", "r2"], ["r1"]]);
    expect(rig.server.stored.get("r1")).toMatchObject({ tags: ["refused"] });
    expect(made.sink.status()).toMatchObject({ rejected: 1, deadLetters: 0 });
  });

  test("puts a record that is refused as text too into the dead letters, before it counts", async () => {
    const [, , refused] = recordedItems("9.5.3", "mixed");
    rig.server.script.push(
      () => bulkAnswer([CREATED, refused]),
      () => bulkAnswer([refused]),
    );
    const made = rig.open(records(2));
    expect(await deliver(made)).toEqual([delivered, deadLettered]);
    const letters = [];
    for await (const letter of made.deadLetters.letters()) letters.push(letter);
    expect(letters).toEqual([
      {
        time: "2026-01-02T03:04:05.678901234Z",
        id: "r1",
        status: 400,
        reason: expect.stringContaining("failed to parse field [n]") as unknown,
        file: "/logs/app.log",
        offset: JSON.stringify(record("r0").document).length + 1,
        length: JSON.stringify(record("r1").document).length + 1,
        line: Buffer.from(JSON.stringify(record("r1").document)),
        fileKey: "k",
        flags: 0,
        cut: 0,
      },
    ]);
    expect(made.sink.status().deadLetters).toBe(1);
  });

  test("repairs far more refused records than reasons fit into memory", async () => {
    const refused = `{"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"${"x".repeat(480)}"}}}`;
    const list = records(700);
    rig.server.always = (seen) => ("tags" in seen.documents[0] ? undefined : bulkAnswer(seen.ids.map(() => refused)));
    const made = rig.open(list, {}, { refusingWindowRecords: 100_000 });
    expect(await deliver(made)).toEqual(all(700, delivered));
    expect(rig.server.stored.size).toBe(700);
    for (const document of rig.server.stored.values()) expect(document["error.message"]).toBe("x".repeat(480));
    expect(made.sink.status()).toMatchObject({ rejected: 700, deliveredLines: 700 });
  });

  test("ends with DeliveryAborted when the sink stops, and leaves no connection (invariant 10)", async () => {
    rig.server.always = () => "taken";
    const made = rig.open(records(3));
    const delivering = deliver(made);
    await until(() => rig.server.seen.length === 1);
    await made.sink.stop();
    await expect(delivering).rejects.toThrow(DeliveryAborted);
    await until(() => rig.server.connections === 0);
  });
});

describe("a request that fails whole", () => {
  test.each([
    ["503", { status: 503, body: '{"error":{"type":"x","reason":"y"}}' }, "sink_error", true],
    ["429", recorded("busy", "whole"), "sink_busy", false],
    ["401", { status: 401, body: '{"error":{"type":"security_exception","reason":"no"}}' }, "sink_unauthorized", false],
    ["a cluster block", recorded("9.5.3", "cluster block"), "destination_blocked", false],
    ["404", { status: 404, body: "" }, "destination_missing", true],
    [
      "400 by a proxy",
      { status: 400, body: "<html>plain HTTP sent to an HTTPS port</html>" },
      "destination_error",
      false,
    ],
    ["200 by something else", { status: 200, body: "<html>It works!</html>" }, "sink_not_elasticsearch", true],
    ["200 for other records", bulkAnswer([CREATED]), "sink_not_elasticsearch", true],
    ["a redirect", { status: 302, body: "", headers: { location: "/login" } }, "sink_not_elasticsearch", true],
  ])("%s is sent again until it heals", async (_name, failing, code, unknown) => {
    rig.server.script.push(
      () => failing,
      () => failing,
    );
    const made = rig.open(records(3));
    const batch = batchOf(made.source.records);
    await made.sink.deliver(batch);
    expect([...batch.outcome.subarray(0, 3)]).toEqual(all(3, delivered));
    expect(rig.server.seen.map(({ ids }) => ids)).toEqual(all(3, 0).map(() => ["r0", "r1", "r2"]));
    expect(made.log.codes()).toContain(code);
    expect([...batch.flags.subarray(0, 3)]).toEqual(all(3, unknown ? RecordFlag.maybeSent : 0));
    expect(made.sink.status()).toMatchObject({ state: "ok", lastError: null, retries: 2 });
  });

  test.each<[string, Step]>([
    [
      "a reset before the answer",
      (_seen, response) => {
        response.socket?.resetAndDestroy();
        return "taken";
      },
    ],
    [
      "a reset in the middle of the answer",
      (_seen, response) => {
        response.writeHead(200, { "content-length": 1_000 });
        response.write('{"errors":false,"items":[{"create":{"status":201}},');
        setTimeout(() => response.socket?.resetAndDestroy(), 20);
        return "taken";
      },
    ],
    [
      "half an answer",
      (_seen, response) => {
        response.writeHead(200, { connection: "close" });
        response.end('{"errors":false,"items":[{"create":{"status":201}},');
        return "taken";
      },
    ],
    ["silence", () => "taken"],
    [
      "an answer that trickles for ever",
      (_seen, response) => {
        response.writeHead(200);
        const timer = setInterval(() => response.write(" "), 20);
        response.on("close", () => clearInterval(timer));
        return "taken";
      },
    ],
  ])("%s leaves the outcome open: what was stored counts as delivered", async (_name, fail) => {
    rig.server.script.push((seen, response) => {
      rig.server.store(seen);
      return fail(seen, response);
    });
    // A good answer is there by then, also where the machine stands still for a second before it is read.
    const made = rig.open(records(3), {}, { silenceMs: 1_500, answerMs: 3_000 });
    expect(await deliver(made)).toEqual(all(3, delivered));
    expect(rig.server.seen.length).toBe(2);
    expect(made.sink.status()).toMatchObject({ unexpectedConflicts: 0, retries: 1, rejected: 0 });
  });

  test("a refused connection leaves nothing open: a conflict afterwards is unexpected", async () => {
    const { port } = rig.server;
    await rig.server.close();
    const made = rig.open(records(1));
    const batch = batchOf(made.source.records);
    const delivering = made.sink.deliver(batch);
    await until(() => made.sink.status().state === "retrying");
    expect(made.sink.status().lastError?.message).toContain("nothing is lost");
    rig.server = new StandIn();
    await rig.server.listen(port);
    await delivering;
    expect(batch.flags[0] & RecordFlag.maybeSent).toBe(0);
  });

  test("becomes `down` when nothing gets through for long, and `ok` again", async () => {
    rig.server.always = () => ({ status: 503, body: "" });
    const made = rig.open(records(1), {}, { downAfterMs: 1_000 });
    const startMs = performance.now();
    const delivering = deliver(made);
    await until(() => made.sink.status().state === "down");
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(990);
    rig.server.always = undefined;
    await delivering;
    expect(made.sink.status()).toMatchObject({ state: "ok", lastError: null });
    expect(made.log.codes()).toContain("sink_recovered");
  });

  test("says what happened in few words, with the way out, however long the reason is", async () => {
    const reason = "because ".repeat(200);
    rig.server.script.push(() => ({
      status: 403,
      body: JSON.stringify({ error: { type: "security_exception", reason } }),
    }));
    const made = rig.open(records(1));
    await deliver(made);
    const [{ message }] = made.log.lines;
    expect(message).toContain("security_exception");
    expect(message).toContain("nothing is lost");
    expect(message).toContain("`create_doc`");
    expect(message.length).toBeLessThanOrEqual(500);
  });

  test("waits as long as Retry-After says", async () => {
    rig.server.script.push(() => ({ ...recorded("busy", "whole"), headers: { "retry-after": "1" } }));
    const made = rig.open(records(1));
    const startMs = performance.now();
    await deliver(made);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(990);
  });
});

describe("a request that is too much", () => {
  test("413 halves it, and the size is remembered for the next batch", async () => {
    rig.server.always = (seen) => (seen.bytes > 2_000 ? recorded("9.5.3", "too large") : undefined);
    const made = rig.open(records(100));
    expect(await deliver(made)).toEqual(all(100, delivered));
    const refused = rig.server.seen.filter(({ bytes }) => bytes > 2_000).length;
    expect(await deliver(made, records(100, "s"))).toEqual(all(100, delivered));
    expect(rig.server.seen.filter(({ bytes }) => bytes > 2_000).length).toBe(refused);
    expect(rig.server.stored.size).toBe(200);
  });

  test("413 for one record alone is a rejection of that record", async () => {
    rig.server.always = (seen) => (seen.bytes > 2_000 ? recorded("9.5.3", "too large") : undefined);
    const made = rig.open([...records(5), record("big", { noise: "x".repeat(5_000) }), ...records(5, "s")]);
    expect(await deliver(made)).toEqual([...all(5, delivered), deadLettered, ...all(5, delivered)]);
  });

  test("a third 429 in a row halves it, down to one record, and none is ever rejected", async () => {
    rig.server.always = (seen) => (seen.ids.length > 1 ? recorded("busy", "whole") : undefined);
    const made = rig.open(records(9), {}, { backoffFirstMs: 1, backoffMaxMs: 2 });
    expect(await deliver(made)).toEqual(all(9, delivered));
    expect(made.sink.status().rejected).toBe(0);
    const sizes = rig.server.seen.map(({ ids }) => ids.length);
    expect(sizes.slice(0, 4)).toEqual([9, 9, 9, 4]);
  });

  test("a 400 that is not about the destination halves it until the guilty record is alone", async () => {
    rig.server.always = (seen) =>
      seen.ids.includes("r13") && !("tags" in seen.documents[0]) ? recorded("9.5.3", "malformed action") : undefined;
    const made = rig.open(records(40));
    expect(await deliver(made)).toEqual(all(40, delivered));
    expect(rig.server.stored.get("r13")).toMatchObject({ tags: ["refused"] });
    expect([...rig.server.stored.values()].filter((document) => "tags" in document).length).toBe(1);
  });
});

describe("trouble of the destination", () => {
  test.each([
    ["write block", "destination_blocked"],
    ["disk full", "destination_blocked"],
    ["closed index", "destination_closed"],
    ["missing index", "destination_missing"],
    ["missing pipeline", "destination_error"],
    ["invalid name", "destination_error"],
  ])("%s is waited out, however long, and rewrites nothing", async (name, code) => {
    for (const version of ["9.5.3", "8.19.21"]) {
      const [item] = recordedItems(version, name);
      const list = records(3, version);
      for (let i = 0; i < 15; i++) rig.server.script.push((seen) => bulkAnswer(seen.ids.map(() => item)));
      const made = rig.open(list, {}, { poisonTries: 5, poisonAfterMs: 10 });
      expect(await deliver(made)).toEqual(all(3, delivered));
      expect(list.map(({ id }) => rig.server.stored.get(id))).toEqual(list.map(({ document }) => document));
      expect(made.log.codes()).toContain(code);
      expect(made.sink.status()).toMatchObject({ rejected: 0, state: "ok", unexpectedConflicts: 0 });
    }
  });

  test.each([401, 403, 429])(
    "an item-level %i never becomes a rejection, also when all others pass",
    async (status) => {
      const item = `{"create":{"status":${status},"error":{"type":"security_exception","reason":"no"}}}`;
      let tries = 0;
      rig.server.always = (seen) =>
        tries++ > 20
          ? undefined
          : bulkAnswer(seen.ids.map((id, i) => (id === "r1" ? item : rig.server.storeOne(id, seen.documents[i]))));
      const made = rig.open(records(3), {}, { poisonTries: 3, poisonAfterMs: 1, backoffMaxMs: 5 });
      expect(await deliver(made)).toEqual(all(3, delivered));
      expect(rig.server.stored.get("r1")).toEqual(record("r1").document);
      expect(made.sink.status().rejected).toBe(0);
    },
  );

  test("credentials that heal are used at the next try", async () => {
    let key = "stale-key";
    rig.server.always = (seen) =>
      seen.headers.authorization === "ApiKey fresh-key"
        ? undefined
        : { status: 401, body: '{"error":{"type":"security_exception","reason":"key stale-key is wrong"}}' };
    const made = rig.open(records(2), { auth: { apiKey: { read: () => key } } });
    const delivering = deliver(made);
    await until(() => made.sink.status().lastError?.code === "sink_unauthorized");
    expect(JSON.stringify(made.log.lines)).not.toContain("stale-key");
    key = "fresh-key";
    expect(await delivering).toEqual(all(2, delivered));
  });
});

describe("rejections", () => {
  test.each(["9.5.3", "8.19.21"])("strict mapping: once more as text, then dead letters (%s)", async (version) => {
    const [, strict] = recordedItems(version, "strict mapping");
    rig.server.always = (seen) => bulkAnswer(seen.ids.map(() => strict));
    const made = rig.open(records(2));
    expect(await deliver(made)).toEqual(all(2, deadLettered));
    expect(rig.server.seen.length).toBe(2);
  });

  test("what went into the failure store is sent as text under the same id", async () => {
    rig.server.script.push((seen) =>
      bulkAnswer([CREATED, '{"create":{"status":201,"failure_store":"used"}}'].slice(0, seen.ids.length)),
    );
    const made = rig.open(records(2));
    expect(await deliver(made)).toEqual(all(2, delivered));
    expect(rig.server.stored.get("r1")).toMatchObject({ tags: ["refused"] });
  });

  test("the text comes from the document when the file no longer has the line", async () => {
    const [, , refused] = recordedItems("9.5.3", "mixed");
    rig.server.always = (seen) => bulkAnswer(seen.ids.map(() => refused));
    const made = rig.open(records(1));
    made.source.gone = true;
    expect(await deliver(made)).toEqual([deadLettered]);
    for await (const letter of made.deadLetters.letters())
      expect(letter.line.toString()).toBe(JSON.stringify(record("r0").document));
  });
});

test("compaction keeps every record whole, whatever heals when", async () => {
  const list = Array.from({ length: 300 }, (_, i) => record(`c${i}`, { noise: "x".repeat((i * 37) % 400) }));
  const [busy] = recordedItems("busy", "items");
  rig.server.always = (seen) =>
    bulkAnswer(seen.ids.map((id, i) => (Math.random() < 0.6 ? busy : rig.server.storeOne(id, seen.documents[i]))));
  const made = rig.open(list, {}, { backoffFirstMs: 1, backoffMaxMs: 2 });
  expect(await deliver(made)).toEqual(all(300, delivered));
  expect(rig.server.stored.size).toBe(300);
  for (const { id, document } of list) expect(rig.server.stored.get(id)).toEqual(document);
});

test("an outage that breaks connections leaves no small requests behind", async () => {
  rig.server.always = (_seen, response) => {
    response.socket?.destroy();
    return "taken";
  };
  const made = rig.open(records(1_000), {}, { backoffFirstMs: 1, backoffMaxMs: 2 });
  const delivering = deliver(made);
  await until(() => rig.server.seen.length > 60);
  rig.server.always = undefined;
  expect(await delivering).toEqual(all(1_000, delivered));
  const during = rig.server.seen.length;
  expect(await deliver(made)).toEqual(all(1_000, delivered));
  expect(rig.server.seen.length - during, "requests for the next thousand records").toBeLessThan(30);
});
