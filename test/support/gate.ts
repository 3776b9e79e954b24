/** Stands before a receiver and makes it misbehave, as servers and what lies between do. */
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * `pass`: as if it were not there. `mute`: takes requests and never answers. `swallow`: the receiver gets the request, its
 * answer is lost with the connection. An answer: given to every request, and the receiver sees none.
 */
export type Behaviour = "pass" | "mute" | "swallow" | Canned;

export interface Canned {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Gate {
  readonly url: string;
  /** Requests so far. */
  readonly requests: () => number;
  /** From the next request on. */
  readonly behave: (behaviour: Behaviour) => void;
  /** Every request waits so long from now on. */
  readonly delay: (ms: number) => void;
  /** Ends every connection; what was under way on them is never answered. */
  readonly disconnect: () => void;
  readonly close: () => Promise<void>;
}

export async function startGate(target: string, first: Behaviour, port: number = 0): Promise<Gate> {
  let behaviour = first;
  let requests = 0;
  let delayMs = 0;
  const server = http.createServer((request, response) => {
    requests += 1;
    if (behaviour === "mute") request.resume();
    else if (delayMs > 0 && behaviour === "pass") setTimeout(() => forward(target, request, response, "pass"), delayMs);
    else if (behaviour === "pass" || behaviour === "swallow") forward(target, request, response, behaviour);
    else answer(request, response, behaviour);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    behave: (changed) => {
      behaviour = changed;
    },
    delay: (ms) => {
      delayMs = ms;
    },
    disconnect: () => server.closeAllConnections(),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answer(request: IncomingMessage, response: ServerResponse, canned: Canned): void {
  request.resume();
  request.on("end", () => response.writeHead(canned.status, { ...canned.headers }).end(canned.body));
}

function forward(
  target: string,
  request: IncomingMessage,
  response: ServerResponse,
  behaviour: "pass" | "swallow",
): void {
  const { method, headers } = request;
  const onward = http.request(new URL(request.url ?? "/", target), { method, headers, agent: false }, (received) => {
    if (behaviour === "swallow") {
      received.resume();
      received.on("end", () => response.destroy());
      return;
    }
    response.writeHead(received.statusCode ?? 502, received.headers);
    received.pipe(response);
  });
  onward.on("error", () => response.destroy());
  request.pipe(onward);
}
