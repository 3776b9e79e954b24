import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const CHILD = fileURLToPath(new URL("child.ts", import.meta.url));

/** A process that runs a task of child.ts. */
export class Child {
  readonly lines: string[] = [];
  readonly process: ChildProcess;
  readonly #closed: Promise<unknown>;
  #wake: () => void = () => {};
  #ended = false;

  constructor(task: string, directory: string, wrap: readonly string[] = [], nodeFlags: readonly string[] = []) {
    const [command, ...args] = [...wrap, process.execPath, ...nodeFlags, CHILD, task, directory];
    this.process = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#closed = once(this.process, "close").finally(() => {
      this.#ended = true;
      this.#wake();
    });
    createInterface({ input: this.process.stdout! }).on("line", (line) => {
      this.lines.push(line);
      this.#wake();
    });
  }

  /** Its line with that number, or undefined when it ended before. */
  async line(number: number): Promise<string | undefined> {
    while (this.lines.length <= number && !this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.lines[number];
  }

  /** Its exit code, or the signal that ended it. */
  async ended(): Promise<number | string> {
    await this.#closed;
    return this.process.exitCode ?? this.process.signalCode ?? "unknown";
  }

  kill(signal: NodeJS.Signals = "SIGKILL"): Promise<number | string> {
    this.process.kill(signal);
    return this.ended();
  }
}
