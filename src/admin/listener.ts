import { once } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { http } from "../core/builtins.ts";
import type { ListenConfig } from "../core/config.ts";
import { ExitCode, PannierError, describe, systemCode } from "../core/errors.ts";
import { HTTP_CONNECTIONS_MAX, HTTP_HEADER_MAX_BYTES, HTTP_REQUEST_TIMEOUT_MS } from "../core/limits.ts";
import type { Log } from "../core/log.ts";
import { refusal } from "./guard.ts";
import { jsonPieces } from "./json.ts";
import type { Answer, Route, Routes } from "./routes.ts";

/** A listener that is open. */
export interface Listener {
  readonly port: number;
  /** Resolves when no socket is left. */
  stop(): Promise<void>;
}

/** Where a listener is bound and what it answers. */
export interface ListenerOptions extends ListenConfig {
  readonly name: "admin" | "health";
  readonly routes: Routes;
  readonly log: Log;
}

/**
 * Opens a listener. When the address cannot be bound: `admin_port_in_use` (or `health_…`, `…_listen_failed`), exit code 78, if
 * the user wrote the address; undefined and a warning if it was the default, since shipping matters more than the status.
 */
export async function startListener(options: ListenerOptions): Promise<Listener | undefined> {
  // The admin listener is for people and their browsers; kubelet and Prometheus may use any name for the health listener.
  const guardedHost = options.name === "admin" ? options.host : undefined;
  const server = http.createServer(
    {
      maxHeaderSize: HTTP_HEADER_MAX_BYTES,
      headersTimeout: HTTP_REQUEST_TIMEOUT_MS,
      requestTimeout: HTTP_REQUEST_TIMEOUT_MS,
      keepAliveTimeout: HTTP_REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: HTTP_REQUEST_TIMEOUT_MS / 5,
    },
    (request, response) => {
      // A mistake in a status page must not end the agent.
      const failed = (error: unknown): void =>
        options.log.error("listener_route_failed", `${request.url} failed: ${describe(error)}`);
      try {
        respond(request, response, reply(request, options.routes, guardedHost), failed);
      } catch (error) {
        failed(error);
        const body = { error: "internal", message: describe(error) };
        respond(request, response, { status: 500, body }, failed);
      }
    },
  );
  server.maxConnections = HTTP_CONNECTIONS_MAX;
  server.listen(options.port, options.host);
  try {
    await once(server, "listening");
  } catch (error) {
    const failure = bindFailure(options, error);
    if (options.explicit) throw failure;
    options.log.warn(failure.code, `${failure.message}; going on without it`, { hint: failure.hint });
    return undefined;
  }
  server.on("error", (error) =>
    options.log.warn("listener_failed", `the ${options.name} listener: ${describe(error)}`),
  );
  return { port: (server.address() as AddressInfo).port, stop: () => stop(server) };
}

async function stop(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  // Answers are written in the same turn as they are made, so whoever is still connected is idle or slow.
  server.closeAllConnections();
  await closed;
}

function bindFailure({ name, host, port }: ListenerOptions, cause: unknown): PannierError {
  const at = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const inUse = systemCode(cause) === "EADDRINUSE";
  return new PannierError(
    inUse ? `${name}_port_in_use` : `${name}_listen_failed`,
    inUse
      ? `the ${name} listener found ${at} in use by another process`
      : `the ${name} listener cannot be bound to ${at}: ${describe(cause)}`,
    {
      hint: `${inUse ? "often another pannier on the same host; " : ""}set ${name}.listen (--${name} HOST:PORT) to a free address, or to off`,
      exitCode: ExitCode.configuration,
      cause,
    },
  );
}

type Reply = Answer & { readonly allow?: string };

function reply(request: IncomingMessage, routes: Routes, guardedHost: string | undefined): Reply {
  const refused = refusal(request.headers, guardedHost);
  if (refused !== undefined) return { status: 403, body: { error: "forbidden", message: refused } };
  const url = URL.parse(request.url ?? "/", "http://listener");
  const route: Route | undefined =
    url !== null && Object.hasOwn(routes, url.pathname) ? routes[url.pathname] : undefined;
  if (url === null || route === undefined) {
    return { status: 404, body: { error: "not_found", routes: Object.keys(routes) } };
  }
  const method = request.method === "HEAD" ? "GET" : request.method;
  if (!route.methods.some((allowed) => allowed === method)) {
    const allow = route.methods.join(", ");
    return { status: 405, body: { error: "method_not_allowed", methods: route.methods }, allow };
  }
  return route.answer(url.searchParams);
}

function respond(
  request: IncomingMessage,
  response: ServerResponse,
  { status, body, allow }: Reply,
  failed: (error: unknown) => void,
): void {
  const pieces = jsonPieces(body);
  const first = pieces.next().value ?? "";
  const second = pieces.next().value;
  const { "content-length": length, "transfer-encoding": encoding } = request.headers;
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    ...(second === undefined && { "content-length": Buffer.byteLength(first) }),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...(allow !== undefined && { allow }),
    // No route reads a body; one that is sent is not waited for.
    ...((encoding !== undefined || Number(length ?? 0) > 0) && { connection: "close" }),
  });
  if (request.method === "HEAD" || second === undefined) {
    response.end(request.method === "HEAD" ? undefined : first);
    return;
  }
  response.write(first);
  response.write(second);
  writeOn(response, pieces, failed);
}

/** Makes and writes pieces as fast as they are read. Who goes away in between leaves nothing behind. */
function writeOn(
  response: ServerResponse,
  pieces: Iterator<string, undefined>,
  failed: (error: unknown) => void,
): void {
  try {
    for (let next = pieces.next(); next.done !== true; next = pieces.next()) {
      if (response.write(next.value)) continue;
      response.once("drain", () => writeOn(response, pieces, failed));
      return;
    }
    response.end();
  } catch (error) {
    failed(error);
    response.destroy();
  }
}
