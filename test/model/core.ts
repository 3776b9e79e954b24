/**
 * The core of pannier inside this process as the subject of a case: real files, real state on disk, real reading, batching,
 * delivering and committing, wired as in `src/agent.ts`. Simulated are the clock, the server, and the kill: the state directory
 * is copied at that very step, which is what a `kill -9` leaves, and whatever the old life still does goes nowhere.
 */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log } from "../../src/core/log.ts";
import { openState } from "../../src/state/open.ts";
import { stepBetween } from "./between.ts";
import { Life } from "./life.ts";
import { settingsFor } from "./settings.ts";
import { SimulatedClock, SimulatedReceiver } from "./simulated.ts";
import { cursorTerms } from "./state.ts";
import type { CursorTerms, Followed, Stage, Subject } from "./subject.ts";

const STATE_FILES = ["snapshot", "journal", "journal.old"];

/** The core and a receiver without a network. */
export const simulatedStage: Stage = {
  // Memory, and a file system that uses inodes again.
  places: [existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), tmpdir()],
  set(root) {
    const receiver = new SimulatedReceiver();
    return Promise.resolve({ receiver, subject: new PannierCore(root, receiver) });
  },
};

class PannierCore implements Subject {
  readonly #root: string;
  /** State directories are in memory where that can be had: a story would wait for the disk most of its time. */
  readonly #states: string = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "pannier-model-"));
  readonly #receiver: SimulatedReceiver;
  readonly #clock = new SimulatedClock();
  readonly #said: string[] = [];
  readonly #log: Log;
  #lives = 0;
  #life: Life | undefined;
  #unexpected = 0;
  #saidLostBytes = 0;
  #stepsLeft = Infinity;
  #onCrash: () => void = () => undefined;

  constructor(root: string, receiver: SimulatedReceiver) {
    this.#root = root;
    this.#receiver = receiver;
    const say: Log["warn"] = (code, message, fields) => {
      this.#said.push(`${code}: ${message}`);
      if (code === "unexpected_conflict") this.#unexpected++;
      if (code === "bytes_lost") this.#saidLostBytes += Number(fields?.["lost_bytes"]);
    };
    this.#log = { debug: () => undefined, info: say, warn: say, error: say };
  }

  get #state(): string {
    return join(this.#states, String(this.#lives));
  }

  get isAlive(): boolean {
    return this.#life?.isDead === false;
  }

  crashSoon(steps: number, onCrash: () => void): void {
    this.#stepsLeft = steps;
    this.#onCrash = onCrash;
  }

  async start(between: () => void): Promise<void> {
    await this.#clearAway();
    const { config, plan } = settingsFor(this.#root, this.#state);
    const state = await openState({ directory: this.#state, podUid: "pod-1", clock: this.#clock, log: this.#log });
    const step = (): void => {
      if (this.isAlive && --this.#stepsLeft <= 0) this.#crash();
    };
    const life = new Life({ state, config, plan, receiver: this.#receiver, clock: this.#clock, log: this.#log, step });
    this.#life = life;
    await stepBetween(between, () => life.catalogue.start());
  }

  /** What is in the state directory at this moment is what the next life finds. */
  #crash(): void {
    const from = this.#state;
    this.#lives++;
    mkdirSync(this.#state);
    for (const name of STATE_FILES)
      if (existsSync(join(from, name))) copyFileSync(join(from, name), join(this.#state, name));
    this.#said.push("-- killed");
    this.#stepsLeft = Infinity;
    this.#life!.isDead = true;
    this.#onCrash();
  }

  /** Without a configuration there is nothing to reload; the real process does. */
  reload(): void {}

  async kill(): Promise<void> {
    if (this.isAlive) this.#crash();
    await this.#clearAway();
  }

  async #clearAway(): Promise<void> {
    await this.#life?.clearAway();
    this.#life = undefined;
  }

  async drain(): Promise<boolean> {
    const isComplete = await this.#life!.finish();
    const isAlive = this.isAlive;
    if (isAlive) this.#said.push(`-- drained, ${isComplete ? "complete" : "deadline"}`);
    await this.#clearAway();
    return isComplete && isAlive;
  }

  nowMs(): number {
    return this.#clock.monotonicMs();
  }

  async pass(ms: number): Promise<void> {
    this.#clock.letPass(ms);
    await this.#life?.step(ms);
  }

  look(): Promise<readonly Followed[]> {
    return Promise.resolve(this.#life?.look() ?? []);
  }

  openInodes(): ReadonlySet<number> {
    return this.#life?.openInodes() ?? new Set();
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
    await this.#clearAway();
    rmSync(this.#states, { recursive: true, force: true });
    return this.#said.join("\n");
  }
}
