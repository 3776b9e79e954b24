import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ReceiverStats } from "../test/support/receiver.ts";
import type { SequenceSet } from "../test/support/sequence-set.ts";
import { OTHER_CORE } from "./measure.ts";

/** A receiver in a process of its own, on the other core. */
export interface ReceiverProcess {
  readonly url: string;
  stats(): Promise<ReceiverStats>;
  compare(count: number): Promise<ReturnType<SequenceSet["compare"]>>;
  /** Resolves when it is up again. */
  down(forMs: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startReceiverProcess(flags: readonly string[] = []): Promise<ReceiverProcess> {
  const program = fileURLToPath(new URL("receiver.ts", import.meta.url));
  const child = spawn("taskset", ["-c", OTHER_CORE, process.execPath, program, ...flags], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  const [url] = (await once(createInterface(child.stdout!), "line")) as [string];
  const answers: ((answer: unknown) => void)[] = [];
  const downs: (() => void)[] = [];
  child.on("message", (message: { answer: unknown }) => {
    if (message.answer === "up") downs.shift()?.();
    else answers.shift()?.(message.answer);
  });
  const ask = <T>(question: object): Promise<T> =>
    new Promise((resolve) => {
      answers.push(resolve as (answer: unknown) => void);
      child.send(question);
    });
  return {
    url,
    stats: () => ask({ ask: "stats" }),
    compare: (count) => ask({ ask: "compare", count }),
    down: (forMs) =>
      new Promise((resolve) => {
        downs.push(resolve);
        child.send({ ask: "down", forMs });
      }),
    stop: async () => {
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      await exited;
    },
  };
}
