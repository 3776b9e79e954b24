/**
 * An Elasticsearch that misbehaves in ways of its own, beside those of the conformance suite: each scenario is played against
 * the real process and held to its seven terms (contract §5).
 */
import { describe, test } from "vitest";
import type { ItemOf } from "../support/bulk-store.ts";
import { play, type Scenario } from "../support/conformance.ts";
import { answers, breaksOff, first } from "../support/misbehaviours.ts";
import type { Behaviour } from "../support/misbehaving-server.ts";
import { recorded, recordedItems } from "../unit/sinks/server.ts";

const QUICK = { BACKOFF_FIRST_MS: 20, BACKOFF_MAX_MS: 100 };

function item(status: number, type: string, reason: string): string {
  return JSON.stringify({ create: { status, error: { type, reason } } });
}

function says(status: number, type: string, reason: string): string {
  const error = { type, reason };
  return JSON.stringify({ error: { root_cause: [error], ...error }, status });
}

// What real servers said, where they could be brought to say it.
const [BUSY] = recordedItems("busy", "items");
const [, , PARSE] = recordedItems("9.5.3", "mixed");
const WHOLE_BUSY = recorded("busy", "whole").body;
const SERVER_STATES = ["closed index", "missing index", "write block", "disk full", "missing pipeline"].flatMap(
  (name) => ["9.5.3", "8.19.21"].map((version) => recordedItems(version, name)[0]),
);
const UNCLEAR = item(500, "illegal_state_exception", "cannot cope");
const SHARDS = item(503, "unavailable_shards_exception", "[logs][0] primary shard is not active");
const FORBIDDEN = item(403, "security_exception", "action [indices:data/write/bulk[s]] is unauthorized");
const UNAUTHORIZED = item(401, "security_exception", "token expired");
const FAILURE_STORE = '{"create":{"status":201,"failure_store":"used"}}';

/** The first deliveries have these items among good ones, in turn. */
function items(deliveries: number, ...bad: readonly ItemOf[]): Behaviour {
  return (turn) =>
    turn.number > deliveries ? turn.pass() : turn.pass((arrival) => bad[arrival.sequence % bad.length](arrival));
}

const good: ItemOf = () => undefined;
const always =
  (text: string): ItemOf =>
  () =>
    text;
/** Refused until it comes as text. */
const refusedOnce: ItemOf = ({ asText }) => (asText ? undefined : PARSE);

/** Refuses bodies of more records than that. */
function takesAtMost(records: number, status: number, body: string): Behaviour {
  return async (turn) => {
    const text = await turn.body();
    if (text.toString("latin1").split("\n").length - 1 > records * 2) return turn.answer(status, body);
    turn.reply(turn.take(text));
    return undefined;
  };
}

const connections: Readonly<Record<string, Scenario>> = {
  "half an answer in chunks": { behave: first(2, breaksOff("chunked")), says: "sink_unreachable" },
  "half an answer up to the close": { behave: first(2, breaksOff("close")), says: "sink_not_elasticsearch" },
};

const strangers: Readonly<Record<string, Scenario>> = {
  "200 and nothing": { behave: first(2, answers(200, "")), says: "sink_not_elasticsearch" },
  "200 and a list": { behave: first(2, answers(200, "[]")), says: "sink_not_elasticsearch" },
  "200 and no items": {
    behave: first(2, answers(200, '{"errors":false,"items":[]}')),
    says: "sink_not_elasticsearch",
  },
  "200 and fewer items than records": {
    behave: first(2, answers(200, '{"errors":false,"items":[{"create":{"status":201}}]}')),
    says: "sink_not_elasticsearch",
  },
  "200 and more items than records, which were stored": {
    behave: first(2, async (turn) =>
      turn.answer(200, (await turn.store()).body.replace("[", '[{"create":{"status":201}},')),
    ),
    says: "sink_not_elasticsearch",
  },
  "200 and two answers": {
    behave: first(2, async (turn) => {
      const { body } = await turn.store();
      turn.answer(200, body + body);
    }),
    says: "sink_not_elasticsearch",
  },
  "a redirect": {
    behave: first(2, answers(302, "", { location: "https://elsewhere.test/login" })),
    says: "sink_not_elasticsearch",
    mentions: "points to https://elsewhere.test/login",
  },
  "a change of protocol": {
    behave: first(2, ({ request, socket }) => {
      request.resume();
      socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n");
    }),
    says: "sink_unreachable",
  },
  "an encoding that nobody asked for or knows": {
    behave: first(2, answers(200, "(\u00b5/\u00fd", { "content-encoding": "zstd" })),
    says: "sink_unreachable",
    mentions: "encoding",
  },
  "gzip that is none": {
    behave: first(2, answers(200, "no gzip", { "content-encoding": "gzip" })),
    says: "sink_unreachable",
  },
  "headers without end": {
    behave: first(2, ({ request, socket }) => {
      request.resume();
      socket.write(`HTTP/1.1 200 OK\r\n${`x-filler: ${"y".repeat(1_000)}\r\n`.repeat(200)}`);
    }),
    says: "sink_unreachable",
  },
};

const refusals: Record<string, Scenario> = {
  "403 for the whole request": {
    behave: first(3, answers(403, says(403, "security_exception", "action is unauthorized"))),
    says: "sink_forbidden",
    mentions: "create_doc",
  },
  "429 for ever for more than one record": {
    lines: 40,
    limits: QUICK,
    behave: takesAtMost(1, 429, WHOLE_BUSY),
    says: "sink_busy",
  },
  "a block of the cluster that an administrator removes": {
    behave: first(3, answers(403, recorded("9.5.3", "cluster block").body)),
    says: "destination_blocked",
  },
};

const RETRY_AFTER = [
  "1000000000",
  "-5",
  "1e9",
  "soon",
  "Thu, 01 Jan 1970 00:00:00 GMT",
  "Fri, 31 Dec 9999 23:59:59 GMT",
  "0",
  "",
];
refusals["503 with a Retry-After that nobody can mean"] = {
  limits: QUICK,
  behave: first(RETRY_AFTER.length, (turn) => turn.answer(503, "", { "retry-after": RETRY_AFTER[turn.number - 1] })),
  says: "sink_error",
};

const mixes: Readonly<Record<string, Scenario>> = {
  "429 for some of the records, again and again": {
    lines: 1_000,
    behave: (turn) => turn.pass(({ sequence, times }) => (times <= sequence % 5 ? BUSY : undefined)),
    says: "sink_busy",
  },
  "every kind of error at once": {
    behave: items(3, good, always(BUSY), good, always(SHARDS), always(UNCLEAR), good, always(FORBIDDEN)),
    says: "sink_busy",
  },
  "an index that is closed, missing, blocked, full and without its pipeline": {
    limits: QUICK,
    behave: first(SERVER_STATES.length, (turn) => turn.pass(() => SERVER_STATES[turn.number - 1])),
    says: "destination_closed",
  },
  "records without a right": { behave: items(3, always(UNAUTHORIZED), always(FORBIDDEN)), says: "sink_unauthorized" },
  "records that are refused, and taken as text": {
    lines: 1_000,
    behave: (turn) => turn.pass((arrival) => (arrival.sequence % 10 === 3 ? refusedOnce(arrival) : undefined)),
    rejected: 100,
    says: "record_rejected",
  },
  "records that went into the failure store": {
    lines: 1_000,
    behave: (turn) => turn.pass(({ asText, sequence }) => (sequence % 10 === 3 && !asText ? FAILURE_STORE : undefined)),
    rejected: 100,
    says: "record_rejected",
  },
  "an item that was stored though its answer says 500": {
    behave: first(1, async (turn) =>
      turn.answer(200, (await turn.store()).body.replaceAll('{"create":{"status":201}}', UNCLEAR)),
    ),
    says: "sink_error",
  },
  "records that are refused in every form": {
    lines: 1_000,
    behave: (turn) => turn.pass(({ sequence }) => (sequence === 7 || sequence === 900 ? PARSE : undefined)),
    dead: [7, 900],
    rejected: 2,
    says: "record_rejected",
  },
  "records in every batch that break the server, while all others pass": {
    lines: 600,
    batch: "max_bytes: 16KiB",
    limits: { ...QUICK, POISON_AFTER_MS: 8_000 },
    behave: (turn) => turn.pass(({ sequence, asText }) => (sequence % 100 === 50 && !asText ? UNCLEAR : undefined)),
    steps: async ({ agent, server }) => {
      await agent.waitForLog("sink_error");
      // Every batch has one, and there are more of them than buffers: the others do not wait for any.
      await agent.waitForStatus(() => server.store.arrivals.length >= 594);
      const waited = server.store.arrivals.findIndex(({ asText }) => asText);
      if (waited !== -1 && waited < 594) throw new Error(`only ${waited} came before one that breaks the server`);
    },
    rejected: 6,
    says: "sink_error",
  },
  "a firewall that does not let some documents through": {
    lines: 600,
    batch: "max_bytes: 16KiB",
    limits: QUICK,
    behave: async (turn) => {
      const body = await turn.body();
      const isGuarded = turn.number < 200 && /"seq":\d*77\b/.test(body.toString());
      if (isGuarded) turn.answer(403, "<html>blocked</html>", { "content-type": "text/html" });
      else turn.reply(turn.take(body));
    },
    steps: async ({ agent, server }) => {
      await agent.waitForStatus(() => server.store.arrivals.length >= 594);
    },
    says: "sink_forbidden",
  },
  "megabytes of reasons": {
    lines: 1_000,
    behave: items(2, always(item(429, "es_rejected_execution_exception", "x".repeat(10_000)))),
    says: "sink_busy",
  },
};

describe.each(Object.entries({ connections, strangers, refusals, mixes }))("%s", (_group, table) => {
  test.concurrent.for(Object.entries(table))("%s", async ([, scenario], { expect }) => play(scenario, expect));
});
