/** The real process as the subject of a case. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Agent, startAgent } from "../support/agent.ts";
import { cursorTerms } from "./state.ts";
import { HttpReceiver } from "./receiver.ts";
import type { CursorTerms, Followed, Stage, Subject } from "./subject.ts";

const DRAIN_DEADLINE = "4s";
const POLL_MS = 10;
const LOOKS_MAX = 2_000;
/** Starts are half of what a case costs. */
const ENV = { NODE_COMPILE_CACHE: "/tmp/pannier-model-compile-cache" };

/** The real process, and a receiver that speaks HTTP. */
export const realStage: Stage = async (root) => {
  const receiver = await HttpReceiver.start();
  return { receiver, subject: new PannierProcess(root, receiver.url) };
};

class PannierProcess implements Subject {
  readonly #config: string;
  readonly #state: string;
  #agent: Agent | undefined;
  #unexpected = 0;
  #lives: string[] = [];

  constructor(root: string, url: string) {
    this.#state = join(root, "state");
    this.#config = join(root, "pannier.yaml");
    const config = {
      version: 1,
      state_dir: this.#state,
      drain: { deadline: DRAIN_DEADLINE },
      inputs: [{ paths: [join(root, "a"), join(root, "b")], max_line_bytes: "64KiB" }],
      sinks: [{ type: "elasticsearch", urls: [url], batch: { max_bytes: "8KiB", max_age: "30ms" } }],
    };
    writeFileSync(this.#config, JSON.stringify(config));
  }

  async start(): Promise<void> {
    this.#agent = startAgent(["run", "--config", this.#config], { env: ENV });
    for (let looks = 1; !this.#agent.logs.some(({ code }) => code === "started"); looks++) {
      if (looks === LOOKS_MAX) throw new Error("pannier has not started");
      await sleep(POLL_MS);
    }
  }

  async kill(): Promise<void> {
    await this.#agent?.kill9();
    this.#leave("killed");
  }

  async drain(): Promise<boolean> {
    const exit = await this.#agent!.stop();
    this.#leave(`drained, exit ${exit.code ?? exit.signal}`);
    if (exit.code !== 0 && exit.code !== 75) throw new Error(`pannier ended with ${exit.code ?? exit.signal}`);
    return exit.code === 0;
  }

  async pass(ms: number): Promise<void> {
    await sleep(ms);
  }

  async look(): Promise<readonly Followed[]> {
    const { files } = await this.#agent!.status();
    return files.map(({ path, ledger }) => ({ path, unread: ledger.unread, inFlight: ledger.in_flight }));
  }

  terms(): readonly CursorTerms[] {
    return cursorTerms(this.#state);
  }

  unexpectedConflicts(): number {
    return this.#unexpected;
  }

  async end(): Promise<string> {
    await this.kill();
    return this.#lives.join("\n");
  }

  #leave(how: string): void {
    const logs = this.#agent?.logs ?? [];
    this.#agent = undefined;
    this.#unexpected += logs.filter(({ code }) => code === "unexpected_conflict").length;
    this.#lives.push(
      ...logs.filter(({ code }) => code !== "memory_plan").map((line) => JSON.stringify(line)),
      `-- ${how}`,
    );
  }
}
