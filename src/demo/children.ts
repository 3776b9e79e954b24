import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Written } from "./order-service.ts";

/** `.ts` when the demo runs from its sources, `.js` from the build: children run the same. */
const EXTENSION = path.extname(import.meta.filename);
const HERE = import.meta.dirname;
/** Lines of a child's stderr that are kept to explain an unexpected end. */
const STDERR_LINES_MAX = 20;

/**
 * A child process. It is detached, so that a Ctrl-C in the terminal reaches the demo alone, which then ends its children in
 * order; the IPC channel tells it when the demo is gone.
 */
export class Child {
  readonly process: ChildProcess;
  /** The last lines of its stderr. */
  readonly stderr: string[] = [];
  readonly exited: Promise<number | null>;
  /** Resolves when it works: the agent follows its files, the application has reported; or when it has ended. A SIGTERM before would end the agent without a drain. */
  readonly started: Promise<unknown>;

  constructor(args: readonly string[]) {
    const stdio: StdioOptions = ["ignore", "ignore", "pipe", "ipc"];
    this.process = spawn(process.execPath, args, { stdio, detached: true, env: environment() });
    this.exited = once(this.process, "close").then(([code]) => code as number | null);
    const up = Promise.withResolvers<unknown>();
    this.started = Promise.race([up.promise, this.exited]);
    this.process.once("message", up.resolve);
    let rest = "";
    this.process.stderr!.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      this.stderr.push(...lines);
      if (lines.some((line) => line.includes('"code":"started"'))) up.resolve(undefined);
      this.stderr.splice(0, this.stderr.length - STDERR_LINES_MAX);
    });
  }

  get pid(): number {
    return this.process.pid!;
  }

  get running(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** Sends the signal and waits for the end. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<number | null> {
    this.process.kill(signal);
    return this.exited;
  }
}

/** Starts the application of the demo. */
export function startOrderService(
  file: string,
  linesPerSecond: number,
  rotateBytes: number,
  report: (written: Written) => void,
): Child {
  const child = new Child([
    path.join(HERE, `order-service${EXTENSION}`),
    file,
    String(linesPerSecond),
    String(rotateBytes),
  ]);
  child.process.on("message", (message) => report(message as Written));
  return child;
}

/** The environment without what configures a pannier of this machine: the demo's must not ship to its destinations. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("PANNIER_")));
}

/** Starts the agent as a user would, with the command line; a file of its own keeps it from reading `/etc/pannier`. */
export function startAgent(directory: string, receiverUrl: string): Child {
  const config = path.join(directory, "pannier.yaml");
  writeFileSync(config, "version: 1\n");
  return new Child([
    "--min-semi-space-size=4",
    "--max-semi-space-size=4",
    "--import",
    pathToFileURL(path.join(HERE, `leash${EXTENSION}`)).href,
    path.join(HERE, "..", "cli", `main${EXTENSION}`),
    "run",
    "--config",
    config,
    path.join(directory, "logs", "*.log"),
    "--to",
    `elasticsearch+${receiverUrl}/logs-orders-demo`,
    "--state-dir",
    path.join(directory, "state"),
    "--admin",
    "off",
  ]);
}
