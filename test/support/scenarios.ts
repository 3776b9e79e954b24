/**
 * What every sink has to stand: servers, and what stands before them, that misbehave in the ways that are the same for all
 * kinds. Each scenario ends with every line delivered or in the dead letters, and is held to the seven terms by `play`.
 */
import { describe, test } from "vitest";
import { play, type Scenario } from "./conformance.ts";
import {
  answers,
  breaksOff,
  fallsSilent,
  first,
  goodBodies,
  goodForms,
  isDeaf,
  resetsAfterBody,
  resetsInBody,
  trickles,
  webPage,
} from "./misbehaviours.ts";
import { type Behaviour, MisbehavingServer, type Turn } from "./misbehaving-server.ts";
import type { SinkKind } from "./sink-kind.ts";

type Scenarios = Readonly<Record<string, Scenario>>;

const QUICK = { BACKOFF_FIRST_MS: 20, BACKOFF_MAX_MS: 100 };
/** A scenario is over within the patience of a test, however seldom this waits. */
const STORM = 20;

/** Declares the tests of a kind of sink. `how` tells apart those of one kind. */
export function holdToConformance(kind: SinkKind, how = ""): void {
  const groups = {
    connections: connections(kind),
    strangers: strangers(kind),
    refusals: refusals(kind),
    forms: forms(kind),
  };
  describe.each(Object.entries(groups))(`${kind.type}${how}: %s`, (_group, table) => {
    test.concurrent.for(Object.entries(table))("%s", async ([, scenario], { expect }) => play(scenario, expect, kind));
  });
}

function connections(kind: SinkKind): Scenarios {
  const large = { lines: 3_000, batch: kind.largeBodies };
  return {
    "a connection that is refused, and then is not": {
      behave: (turn) => turn.pass(),
      steps: async (world) => {
        const { port, store } = world.server;
        await world.server.close();
        await world.agent.waitForLog("sink_unreachable");
        world.server = await new MisbehavingServer({ kind, port, store }).listen();
      },
      says: "sink_unreachable",
      mentions: "nothing is lost",
    },
    "a reset in the middle of the body": {
      ...large,
      behave: first(3, resetsInBody),
      says: "sink_unreachable",
      mentions: "nothing is lost",
    },
    "a reset after the body, which was stored": {
      behave: first(2, resetsAfterBody),
      says: "sink_unreachable",
      stored: true,
    },
    "an answer that trickles for ever": {
      behave: first(1, trickles(1, 100)),
      limits: { ANSWER_MAX_MS: 1_500 },
      says: "sink_unreachable",
      mentions: "no complete answer",
      stored: true,
    },
    "no answer at all, though it was stored": {
      behave: first(2, fallsSilent),
      limits: { ANSWER_SILENCE_MAX_MS: 1_000 },
      says: "sink_unreachable",
      mentions: "silence",
      stored: true,
    },
    "a server that does not even read": {
      ...large,
      behave: first(1, isDeaf),
      limits: { ANSWER_SILENCE_MAX_MS: 1_000 },
      says: "sink_unreachable",
    },
    "half an answer": { behave: first(2, breaksOff("length")), says: "sink_unreachable", stored: true },
  };
}

/** Good HTTP, and not from the server. */
function strangers(kind: SinkKind): Scenarios {
  const says = kind.stranger;
  const own = kind.strangers.map(({ status, body }): [string, Scenario] => [
    `${status} and ${body === "" ? "nothing" : body}`,
    { behave: first(2, answers(status, body)), says },
  ]);
  return {
    "200 and a web page": { behave: first(2, webPage(200)), says, mentions: "check `urls`" },
    "200 and JSON of another shape": { behave: first(2, answers(200, '{"ok":true}')), says },
    "202": { behave: first(2, answers(202, "")), says },
    "a redirect": { behave: first(2, answers(302, "", { location: "https://elsewhere.test/login" })), says },
    ...Object.fromEntries(own),
  };
}

function refusals(kind: SinkKind): Scenarios {
  const { busy, unauthorized, refused, refusal, reason } = kind;
  return {
    "503": { behave: first(3, answers(503, "")), says: "sink_error" },
    "a proxy's 502 and 504 as a web page": {
      behave: first(3, (turn) => webPage(turn.number === 2 ? 504 : 502)(turn)),
      says: "sink_error",
    },
    "a storm of 429": { limits: QUICK, behave: first(STORM, answers(busy.status, busy.body)), says: "sink_busy" },
    "401 that heals": {
      behave: first(3, answers(unauthorized.status, unauthorized.body)),
      says: "sink_unauthorized",
      mentions: "a changed secret file is read by itself",
    },
    "413 with an empty body and a closed connection": {
      lines: 3_000,
      batch: kind.largeBodies,
      behave: takesQuarters(),
      says: "",
    },
    "400 for every request of more than one record": {
      lines: 40,
      behave: takesAlone(answers(refused.status, refused.body)),
      says: "",
      stored: true,
    },
    "records that are refused in every form": {
      lines: 200,
      behave: (turn) => turn.pass(({ sequence }) => (sequence === 7 || sequence === 150 ? refusal : undefined)),
      dead: [7, 150],
      rejected: 2,
      reason,
      says: "record_rejected",
      stored: true,
    },
  };
}

/** Takes no bodies larger than a quarter of the first one. */
function takesQuarters(): Behaviour {
  let maxBytes = 0;
  return (turn) => {
    const bytes = Number(turn.request.headers["content-length"]);
    maxBytes ||= bytes / 4;
    if (bytes <= maxBytes) return turn.pass();
    turn.raw("HTTP/1.1 413 Request Entity Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    turn.socket.end();
    return undefined;
  };
}

/** Takes requests of one record, and misbehaves with larger ones, of which nothing is stored. */
function takesAlone(otherwise: Behaviour): Behaviour {
  return async (turn: Turn) => {
    const body = await turn.body();
    if (turn.countIn(body) > 1) return otherwise(turn);
    turn.reply(turn.take(body));
    return undefined;
  };
}

function forms(kind: SinkKind): Scenarios {
  const all = { ...goodForms, ...(kind.answersWithBody ? goodBodies : {}) };
  return Object.fromEntries(
    Object.entries(all).map(([name, behave]) => [name, { behave, writes: 4, stored: true } satisfies Scenario]),
  );
}
