import { closeSync, constants, openSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { join } from "node:path";
import { describe, ExitCode, PannierError, systemCode } from "../core/errors.ts";
import { LOCK_ANSWER_TIMEOUT_MS, LOCK_CONNECTIONS_MAX, LOCK_LINE_MAX_CHARS } from "../core/limits.ts";

/** Room for a path in a Unix socket's address (sockaddr_un), without its final NUL. */
const ADDRESS_MAX_BYTES = 107;

/** Answers one line with one line. */
export type Handler = (line: string) => Promise<string>;

/** A descriptor of a directory and how its entries are called in a socket's address, however long the directory's path is. */
export class SocketDirectory {
  readonly path: string;
  readonly fd: number;

  constructor(path: string) {
    this.path = path;
    this.fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  }

  address(name: string): string {
    const path = join(this.path, name);
    return Buffer.byteLength(path) <= ADDRESS_MAX_BYTES ? path : `/proc/self/fd/${this.fd}/${name}`;
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** A listening Unix socket; every connection asks one line and gets one: `+ANSWER`, or `-MESSAGE` when it failed. */
export class LineServer {
  readonly #server: Server;
  readonly #sockets: Set<Socket> = new Set();

  constructor(answer: Handler) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket.once("close", () => this.#sockets.delete(socket)));
      serve(socket, answer);
    });
    this.#server.maxConnections = LOCK_CONNECTIONS_MAX;
  }

  listen(address: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(address, () => {
        this.#server.off("error", reject);
        // A failing accept (out of descriptors) is the asker's trouble; the socket goes on listening.
        this.#server.on("error", () => {});
        this.#server.unref();
        resolve();
      });
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
  }
}

function serve(socket: Socket, answer: Handler): void {
  let request = "";
  let answered = false;
  socket.unref();
  socket.setEncoding("utf8");
  socket.setTimeout(LOCK_ANSWER_TIMEOUT_MS, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("data", (text: string) => {
    if (answered) return;
    request += text;
    const end = request.indexOf("\n");
    if (end < 0) {
      if (request.length > LOCK_LINE_MAX_CHARS) socket.destroy();
      return;
    }
    answered = true;
    socket.setTimeout(0);
    answer(request.slice(0, end)).then(
      (reply) => socket.end(`+${reply}\n`),
      (error: unknown) => socket.end(`-${describe(error).replaceAll("\n", " ")}\n`),
    );
  });
}

/**
 * Asks a listening socket one line. Undefined: nobody listens there (refused, or no such name). Rejects when somebody does
 * but gives no answer in time.
 */
export function ask(address: string, line: string, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(address);
    let reply = "";
    const fail = (why: string, cause?: unknown): void => {
      socket.destroy();
      reject(
        new PannierError("state_no_answer", `the pannier that runs on this state directory gave no answer: ${why}`, {
          hint: "it may be very busy or stopped (SIGSTOP); try again, or restart it",
          exitCode: ExitCode.unavailable,
          cause,
        }),
      );
    };
    socket.setEncoding("utf8");
    socket.setTimeout(timeoutMs, () => fail(`nothing came within ${timeoutMs} ms`));
    socket.on("connect", () => socket.write(`${line}\n`));
    socket.on("data", (text: string) => (reply += text));
    socket.on("error", (error) => {
      const code = systemCode(error);
      if (code === "ECONNREFUSED" || code === "ENOENT") resolve(undefined);
      else fail(error.message, error);
    });
    socket.on("close", () => {
      const text = reply.slice(1, reply.indexOf("\n"));
      if (!reply.endsWith("\n")) fail("the connection was closed");
      else if (reply.startsWith("+")) resolve(text);
      else fail(text);
    });
  });
}
