/** What servers, and what stands before them, do wrong over HTTP; the same for every kind of sink. */
import { setTimeout as sleep } from "node:timers/promises";
import { deflateSync, gzipSync } from "node:zlib";
import type { Behaviour } from "./misbehaving-server.ts";
import type { Answer } from "./sink-kind.ts";

/** A behaviour for the first deliveries; later ones are answered well. */
export function first(times: number, behaviour: Behaviour): Behaviour {
  return (turn) => (turn.number <= times ? behaviour(turn) : turn.pass());
}

export function answers(status: number, body: string, headers: Readonly<Record<string, string>> = {}): Behaviour {
  return (turn) => turn.answer(status, body, headers);
}

export function webPage(status: number): Behaviour {
  return answers(status, `<html><body><h1>${status}</h1></body></html>`, { "content-type": "text/html" });
}

/** Reads the beginning of a body and breaks off. */
export const resetsInBody: Behaviour = ({ request, socket }) => {
  request.once("data", () => socket.resetAndDestroy());
};

/** Takes the delivery and breaks off instead of answering. */
export const resetsAfterBody: Behaviour = async (turn) => {
  await turn.store();
  turn.socket.resetAndDestroy();
};

/** Takes the delivery and says nothing any more. */
export const fallsSilent: Behaviour = async (turn) => {
  await turn.store();
};

/** Reads nothing and says nothing. */
export const isDeaf: Behaviour = () => {};

function head({ status }: Answer, ...lines: readonly string[]): string {
  return [`HTTP/1.1 ${status} OK`, "content-type: application/json", ...lines, "", ""].join("\r\n");
}

/** Takes the delivery and answers it a few bytes at a time. */
export function trickles(bytes: number, everyMs: number): Behaviour {
  return async (turn) => {
    const wire = turn.wireOf(await turn.store());
    for (let at = 0; at < wire.length && !turn.socket.destroyed; at += bytes) {
      turn.raw(wire.slice(at, at + bytes));
      await sleep(everyMs);
    }
  };
}

/** Takes the delivery, writes half of the answer and closes. */
export function breaksOff(framing: "length" | "chunked" | "close"): Behaviour {
  return async (turn) => {
    const answer = await turn.store();
    const half = answer.body.slice(0, answer.body.length >> 1);
    if (framing === "length") turn.raw(turn.wireOf(answer).slice(0, -Math.max(4, half.length)));
    else if (framing === "chunked")
      turn.raw(`${head(answer, "transfer-encoding: chunked")}${half.length.toString(16)}\r\n${half}\r\n`);
    else turn.raw(`${head(answer, "connection: close")}${half}`);
    turn.socket.end();
  };
}

/** A good answer in another form, where it needs no body. */
export const goodForms: Readonly<Record<string, Behaviour>> = {
  "100 Continue and other 1xx before the answer": async (turn) => {
    turn.raw(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n",
    );
    await turn.pass();
  },
  "HTTP/1.0 without a length": async (turn) => {
    const answer = await turn.store();
    turn.raw(`HTTP/1.0 ${answer.status} OK\r\ncontent-type: application/json\r\n\r\n${answer.body}`);
    turn.socket.end();
  },
  "a few bytes at a time": trickles(80, 1),
  "a close after every answer": async (turn) => {
    const { status, body } = await turn.store();
    turn.answer(status, body, { connection: "close" });
  },
  "a close without a word when the connection is used again": async (turn) => {
    if (turn.onConnection > 1) turn.socket.destroy();
    else await turn.pass();
  },
  "a reset when the connection is used again, after it took the delivery": async (turn) => {
    if (turn.onConnection === 1) return turn.pass();
    await turn.store();
    turn.socket.resetAndDestroy();
    return undefined;
  },
};

/** A good answer in another form of its body. */
export const goodBodies: Readonly<Record<string, Behaviour>> = {
  "small chunks with extensions and trailers": async (turn) => {
    const answer = await turn.store();
    turn.raw(head(answer, "transfer-encoding: chunked", "trailer: x-sum"));
    for (let at = 0; at < answer.body.length; at += 17) {
      const piece = answer.body.slice(at, at + 17);
      turn.raw(`${piece.length.toString(16)};name=value\r\n${piece}\r\n`);
    }
    turn.raw("0\r\nx-sum: 1\r\n\r\n");
  },
  "gzip, though not asked for": async (turn) =>
    turn.answer(200, gzipSync((await turn.store()).body), { "content-encoding": "gzip" }),
  "deflate, though not asked for": async (turn) =>
    turn.answer(200, deflateSync((await turn.store()).body), { "content-encoding": "deflate" }),
};
