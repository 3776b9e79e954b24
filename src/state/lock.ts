import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, linkSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { ExitCode, PannierError, systemCode } from "../core/errors.ts";
import { LOCK_ANSWER_TIMEOUT_MS, LOCK_PID_TIMEOUT_MS } from "../core/limits.ts";
import { isSameFile } from "./directory.ts";
import { ask, LineServer, SocketDirectory } from "./socket.ts";
import type { Handler } from "./socket.ts";

const LOCK_NAME = /^lock\.(\d{1,15})$/;
const CANDIDATE_NAME = /^lock-new\./;
/** A candidate has its name for milliseconds, for the first of them without listening: it would be taken for dead. */
const CANDIDATE_OLD_MS = 60_000;
/** Each turn of the loop means that another starter moved; they are few. */
const ATTEMPTS_MAX = 1_000;
const PID_REQUEST = "pid";

/**
 * The lock of a state directory: a Unix socket that listens as long as the process lives, however it ends.
 *
 * A starter listens under a name of its own and then links the socket to `lock.N`, N one above the highest there, provided
 * that the highest refuses connections: its process is dead. `link` fails when the name exists, so of several starters one
 * wins N. The highest name is never removed, not even by its owner when it stops, and that is what makes this safe: a starter
 * that slept between looking and linking either finds its N taken, or, should N be gone again because N+1 exists by now,
 * sees the higher one when it looks once more after linking, and withdraws. A name that a living process holds is never
 * renamed or removed, so there is no moment in which a third could take it.
 */
export class Lock {
  readonly directory: SocketDirectory;
  readonly #server: LineServer;
  readonly #requests: Requests;
  readonly #number: number;

  constructor(directory: SocketDirectory, number: number, server: LineServer, requests: Requests) {
    this.directory = directory;
    this.#number = number;
    this.#server = server;
    this.#requests = requests;
  }

  /** Who answers what other commands ask the running agent. */
  onRequest(handler: Handler): void {
    this.#requests.handler = handler;
  }

  /** Whoever looks at the directory's path finds this lock. */
  isInPlace(): boolean {
    const { fd, path } = this.directory;
    return isSameFile(fd, path) && existsSync(join(path, `lock.${this.#number}`));
  }

  /** From now on the directory is free. */
  async release(): Promise<void> {
    await this.#server.close();
    this.directory.close();
  }
}

/** What the lock's socket answers: the process number by itself, anything else by the agent's handler. */
class Requests {
  handler: Handler | undefined;

  answer(line: string): Promise<string> {
    if (line === PID_REQUEST) return Promise.resolve(String(process.pid));
    return this.handler === undefined ? Promise.reject(new Error("still starting")) : this.handler(line);
  }
}

/** Takes the lock, or throws `state_locked` (74) when another pannier that lives has it. */
export async function takeLock(path: string): Promise<Lock> {
  const directory = new SocketDirectory(path);
  const requests = new Requests();
  const candidate = `lock-new.${process.pid}.${randomBytes(6).toString("hex")}`;
  const server = new LineServer((line) => requests.answer(line));
  try {
    await server.listen(directory.address(candidate));
    chmodSync(join(path, candidate), 0o600);
    const number = await win(directory, candidate);
    rmSync(join(path, candidate), { force: true });
    await sweep(directory, number);
    return new Lock(directory, number, server, requests);
  } catch (error) {
    rmSync(join(path, candidate), { force: true });
    await server.close();
    directory.close();
    throw error;
  }
}

/** Sends a line to the pannier that runs on the directory and returns its answer; undefined when none runs. */
export async function askRunning(path: string, line: string): Promise<string | undefined> {
  let directory: SocketDirectory;
  try {
    directory = new SocketDirectory(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const highest = Math.max(...lockNumbers(path));
    return highest < 0 ? undefined : await ask(directory.address(`lock.${highest}`), line, LOCK_ANSWER_TIMEOUT_MS);
  } finally {
    directory.close();
  }
}

async function win(directory: SocketDirectory, candidate: string): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const highest = Math.max(0, ...lockNumbers(directory.path));
    if (highest > 0) await expectDead(directory, highest);
    const mine = highest + 1;
    try {
      linkSync(join(directory.path, candidate), join(directory.path, `lock.${mine}`));
    } catch (error) {
      // Taken; or swept away, having been there for a minute without listening. Either way the next turn meets the winner.
      if (systemCode(error) === "EEXIST" || systemCode(error) === "ENOENT") continue;
      throw error;
    }
    if (Math.max(...lockNumbers(directory.path)) === mine) return mine;
    rmSync(join(directory.path, `lock.${mine}`), { force: true });
  }
  throw new PannierError(
    "state_locked",
    `too many processes try to take the state directory ${directory.path} at once`,
    {
      hint: "give every pannier a state_dir of its own",
      exitCode: ExitCode.state,
    },
  );
}

async function expectDead(directory: SocketDirectory, number: number): Promise<void> {
  const address = directory.address(`lock.${number}`);
  let holder: string;
  try {
    const pid = await ask(address, PID_REQUEST, LOCK_PID_TIMEOUT_MS);
    if (pid === undefined) return;
    holder = `process ${pid}`;
  } catch {
    // It may have died just now, while it was asked: then nobody listens any more.
    if (await refuses(address)) return;
    holder = "it did not tell its process number";
  }
  throw new PannierError("state_locked", `another pannier runs on the state directory ${directory.path} (${holder})`, {
    hint: "two on one state would send everything twice: stop the other, or give each a state_dir of its own",
    exitCode: ExitCode.state,
  });
}

function lockNumbers(path: string): number[] {
  return readdirSync(path).flatMap((name) => {
    const match = LOCK_NAME.exec(name);
    return match === null ? [] : [Number(match[1])];
  });
}

/**
 * Removes the names of the dead. The one just below ours stays until the next start: were it removed, somebody who lists the
 * directory at this moment might see neither it nor ours, which is a moment old.
 */
async function sweep(directory: SocketDirectory, mine: number): Promise<void> {
  for (const name of readdirSync(directory.path)) {
    const match = LOCK_NAME.exec(name);
    const isDead = match === null ? await isDeadCandidate(directory, name) : Number(match[1]) < mine - 1;
    if (isDead) rmSync(join(directory.path, name), { force: true });
  }
}

async function isDeadCandidate(directory: SocketDirectory, name: string): Promise<boolean> {
  if (!CANDIDATE_NAME.test(name)) return false;
  const mtimeMs = statSync(join(directory.path, name), { throwIfNoEntry: false })?.mtimeMs;
  return mtimeMs !== undefined && Date.now() - mtimeMs > CANDIDATE_OLD_MS && refuses(directory.address(name));
}

async function refuses(address: string): Promise<boolean> {
  try {
    return (await ask(address, PID_REQUEST, LOCK_PID_TIMEOUT_MS)) === undefined;
  } catch {
    return false;
  }
}
