/** The real process as the subject of a case. */
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { type Agent, startAgent } from "../support/agent.ts";
import { cursorTerms } from "./state.ts";
import { HttpReceiver } from "./receiver.ts";
import type { CursorTerms, Followed, Stage, Subject } from "./subject.ts";

const DRAIN_DEADLINE = "4s";
/** Of the configurations that a reload goes between, and of one for much data. */
const BATCH_BYTES = ["8KiB", "64KiB", "1MiB"] as const;
const BATCH_AGES = ["30ms", "60ms", "500ms"] as const;
const POLL_MS_AT_START = 2;
/** While it looks for the first time, others take a step so often. */
const LOOK_STEP_MS = 0.2;
/** What a step is to a process that is looked at from outside. */
const STEP_MS = 3;
/** Counted in waits, not in time: on a machine that stands still nobody is late. */
const START_MAX_MS = 20_000;
/** Starts are half of what a case costs. */
const ENV = { NODE_COMPILE_CACHE: "/tmp/pannier-model-compile-cache" };

/** The real process, and a receiver that speaks HTTP. */
export const realStage: Stage = {
  // A file system that uses inodes again, as those in production do.
  places: ["/tmp"],
  async set(root) {
    const receiver = await HttpReceiver.start();
    return { receiver, subject: new PannierProcess(root, receiver.url) };
  },
};

export class PannierProcess implements Subject {
  readonly #root: string;
  readonly #configPath: string;
  readonly #url: string;
  readonly #dataStream: string;
  readonly #state: string;
  #agent: Agent | undefined;
  #gone: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #unexpected = 0;
  #saidLostBytes = 0;
  #lives: string[] = [];

  constructor(root: string, url: string, dataStream = "logs-model-default", variant = 0) {
    this.#root = root;
    this.#state = join(root, "state");
    this.#configPath = join(root, "pannier.yaml");
    this.#url = url;
    this.#dataStream = dataStream;
    this.#writeConfig(variant);
  }

  #writeConfig(variant: number): void {
    const batch = { max_bytes: BATCH_BYTES[variant], max_age: BATCH_AGES[variant] };
    const config = {
      version: 1,
      state_dir: this.#state,
      drain: { deadline: DRAIN_DEADLINE },
      inputs: [{ paths: [join(this.#root, "a"), join(this.#root, "b")], max_line_bytes: "64KiB", fields: { variant } }],
      sinks: [{ type: "elasticsearch", urls: [this.#url], data_stream: this.#dataStream, batch }],
    };
    writeFileSync(this.#configPath, JSON.stringify(config));
  }

  reload(variant: number): void {
    this.#writeConfig(variant);
    this.#agent?.kill("SIGHUP");
  }

  get isAlive(): boolean {
    return this.#agent !== undefined;
  }

  crashSoon(steps: number, onCrash: () => void): void {
    clearTimeout(this.#timer);
    if (steps === Infinity) return;
    this.#timer = setTimeout(() => {
      if (!this.isAlive) return;
      this.#agent?.kill("SIGKILL");
      this.#leave("crashed");
      onCrash();
    }, steps * STEP_MS);
  }

  async start(step?: () => void): Promise<void> {
    await this.#gone;
    const agent = startAgent(["run", "--config", this.#configPath], { env: ENV });
    this.#agent = agent;
    this.#gone = agent.exited;
    const hasSaid = (wanted: string): boolean => agent.logs.some(({ code }) => code === wanted);
    for (let waitedMs = 0; this.#agent === agent && !hasSaid("started");) {
      if (waitedMs >= START_MAX_MS) throw new Error("pannier has not started");
      // What it says last before its first look, which takes some milliseconds.
      if (step === undefined || !hasSaid("admin_listening")) {
        await sleep(POLL_MS_AT_START);
        waitedMs += POLL_MS_AT_START;
        continue;
      }
      step();
      const nextAtMs = performance.now() + LOOK_STEP_MS;
      while (performance.now() < nextAtMs) await nextTurn();
      waitedMs += LOOK_STEP_MS;
    }
  }

  /** It stands still for a while, as under a throttled processor. */
  async freeze(ms: number): Promise<void> {
    const agent = this.#agent;
    agent?.kill("SIGSTOP");
    await sleep(ms);
    agent?.kill("SIGCONT");
  }

  async kill(): Promise<void> {
    this.#agent?.kill("SIGKILL");
    if (this.isAlive) this.#leave("killed");
    await this.#gone;
  }

  async drain(): Promise<boolean> {
    const agent = this.#agent!;
    const exit = await agent.stop();
    if (this.#agent !== agent) return false;
    this.#leave(`drained, exit ${exit.code ?? exit.signal}`);
    if (exit.code !== 0 && exit.code !== 75) throw new Error(`pannier ended with ${exit.code ?? exit.signal}`);
    return exit.code === 0;
  }

  nowMs(): number {
    return performance.now();
  }

  async pass(ms: number): Promise<void> {
    await sleep(ms);
  }

  async look(): Promise<readonly Followed[]> {
    const agent = this.#agent;
    if (agent === undefined) return [];
    const { files } = await agent.status().catch((error: unknown) => {
      if (this.#agent === agent) throw error;
      return { files: [] };
    });
    return files.map(({ path, size, ledger }) => ({ path, size, unread: ledger.unread, inFlight: ledger.in_flight }));
  }

  openInodes(): ReadonlySet<number> {
    const inodes = new Set<number>();
    const directory = `/proc/${this.#agent?.pid}/fd`;
    try {
      for (const name of readdirSync(directory)) {
        const stats = statSync(join(directory, name), { throwIfNoEntry: false });
        if (stats?.isFile() === true) inodes.add(stats.ino);
      }
    } catch {
      // It has ended, or is about to.
    }
    return inodes;
  }

  terms(): readonly CursorTerms[] {
    return cursorTerms(this.#state);
  }

  unexpectedConflicts(): number {
    return this.#unexpected;
  }

  saidLostBytes(): number {
    return this.#saidLostBytes;
  }

  async end(): Promise<string> {
    clearTimeout(this.#timer);
    await this.kill();
    return this.#lives.join("\n");
  }

  #leave(how: string): void {
    const logs = this.#agent?.logs ?? [];
    this.#agent = undefined;
    for (const { code, lost_bytes } of logs) if (code === "bytes_lost") this.#saidLostBytes += Number(lost_bytes);
    this.#unexpected += logs.filter(({ code }) => code === "unexpected_conflict").length;
    this.#lives.push(
      ...logs.filter(({ code }) => code !== "memory_plan").map((line) => JSON.stringify(line)),
      `-- ${how}`,
    );
  }
}
