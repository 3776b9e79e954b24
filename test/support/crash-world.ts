/**
 * A small world in which pannier lives and dies again and again: an application that writes, rotates, deletes and truncates
 * its logs, a destination that knows every document, and one state directory.
 */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Agent, type AgentOptions, isCommitted, SHIPPED_FLAGS, startAgent, type Status } from "./agent.ts";
import { type DoubleOptions, ElasticsearchDouble } from "./elasticsearch-double.ts";

/** What a process loads that is to end or fail at a step. */
export const STEPS: string = fileURLToPath(new URL("steps.ts", import.meta.url));
const TICK_MS = 15;
const LINES_PER_TICK = 4;
const TRUNCATE_EVERY_MS = 100;
const ROTATE_EVERY = 7;
const REFUSE_EVERY = 25;
const ROTATED_KEPT = 3;
const LINE_PADDING = 32;
const BEGIN = "=== begin ===\n";
/** How long a step may be waited for: processes start slowly where much else is going on. */
const PATIENCE_MS = 90_000;

export class CrashWorld {
  readonly directory: string = mkdtempSync(join(tmpdir(), "pannier-crash-"));
  state: string = join(this.directory, "state");
  readonly destination: ElasticsearchDouble;
  /** Sequence numbers so far, and which of them the destination refuses. */
  count = 0;
  readonly refused: Set<number> = new Set();
  /** How often the truncated file began anew. */
  begins = 0;
  /** Its last line has no end yet. */
  isOpen = false;
  /** The destination refuses a line now and then. */
  refuses = true;
  /** A file is truncated in place again and again. */
  truncates = true;
  /** What was read of the dead letters when they had this size. */
  #letters = { size: 0, sequences: new Set<number>() };
  readonly #agents: Agent[] = [];
  #ticks = 0;
  #url = "";

  constructor(options: DoubleOptions = {}) {
    this.destination = new ElasticsearchDouble({ delayMs: 5, ...options });
    mkdirSync(this.logs);
  }

  get logs(): string {
    return join(this.directory, "logs");
  }

  path(name: string): string {
    return join(this.logs, name);
  }

  async open(): Promise<void> {
    this.#url = await this.destination.start();
    this.configure();
  }

  /** Writes the configuration. */
  configure(): void {
    const sink = `{ type: elasticsearch, urls: ["${this.#url}"], batch: { max_age: 20ms } }`;
    writeFileSync(
      join(this.directory, "pannier.yaml"),
      `version: 1\nstate_dir: ${this.state}\ninputs: [{ paths: ["${this.logs}"] }]\nsinks: [${sink}]\n`,
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.kill9()));
    await this.destination.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Starts pannier; `faults` are the variables of steps.ts. */
  start(faults?: Readonly<Record<string, string>>, options: AgentOptions = {}): Agent {
    const more = faults === undefined ? {} : { flags: [...SHIPPED_FLAGS, "--import", STEPS], env: faults };
    const agent = startAgent(["run", "--config", join(this.directory, "pannier.yaml")], { ...options, ...more });
    this.#agents.push(agent);
    return agent;
  }

  /** Lines of JSON with sequence numbers. */
  write(name: string, lines: number, end = "\n"): void {
    let text = "";
    if (name === "app.log") {
      if (this.isOpen) text = "\n";
      this.isOpen = end === "";
    }
    for (let i = 0; i < lines; i++) {
      const seq = this.count++;
      const refuse = this.refuses && name === "app.log" && seq % REFUSE_EVERY === REFUSE_EVERY - 1;
      if (refuse) this.refused.add(seq);
      const time = new Date(1_764_000_000_000 + seq).toISOString();
      // Of one length, so that a truncated file is soon as long as it was.
      const msg = "order".padEnd(LINE_PADDING - String(seq).length, ".");
      text += `${JSON.stringify({ time, level: "info", ...(refuse && { refuse }), msg, seq })}${i + 1 < lines ? "\n" : end}`;
    }
    appendFileSync(this.path(name), text);
  }

  /** One step in the life of the application. */
  tick(): void {
    this.write("app.log", LINES_PER_TICK);
    if (++this.#ticks % ROTATE_EVERY === 0) this.rotate();
  }

  /** `.2 → .3` and so on; what falls off the end goes only once it has arrived. */
  rotate(): void {
    const name = (i: number): string => this.path(i === 0 ? "app.log" : `app.log.${i}`);
    const last = name(ROTATED_KEPT);
    if (existsSync(last)) {
      if (!this.#sequencesIn(last).every((seq) => this.hasArrived(seq))) return;
      rmSync(last);
    }
    for (let i = ROTATED_KEPT - 1; i >= 0; i--) if (existsSync(name(i))) renameSync(name(i), name(i + 1));
  }

  #sequencesIn(path: string): number[] {
    return [...readFileSync(path, "utf8").matchAll(/"seq":(\d+)/g)].map(([, seq]) => Number(seq));
  }

  /** It is stored, or a dead letter. */
  hasArrived(seq: number): boolean {
    return this.refused.has(seq) ? this.letters().has(seq) : this.destination.has(seq);
  }

  /** Truncates a file that is committed to its end; the same line comes first again, and is another event. */
  async truncate(agent: Agent): Promise<void> {
    const path = this.path("copy.log");
    if (existsSync(path)) {
      // The status alone could be that of the content before, which was as long.
      const sequences = this.#sequencesIn(path);
      const isThere = ({ files }: Status): boolean =>
        sequences.every((seq) => this.hasArrived(seq)) &&
        isCommitted({ files: files.filter((file) => file.path === path) });
      await agent.waitForStatus(isThere);
      truncateSync(path);
    }
    appendFileSync(path, BEGIN);
    this.begins += 1;
    this.write("copy.log", LINES_PER_TICK);
  }

  /** Again and again until it dies. */
  async #truncateWhile(agent: Agent): Promise<void> {
    try {
      await agent.waitForLog("started");
      for (;;) {
        await this.truncate(agent);
        await sleep(TRUNCATE_EVERY_MS);
      }
    } catch {
      // It is dead: there is no status any more.
    }
  }

  /** How many documents say that the truncated file began anew. */
  begun(): number {
    return [...this.destination.documents.values()].filter(({ text }) => text.includes(BEGIN.trim())).length;
  }

  /** Sequence numbers among the dead letters. */
  letters(): ReadonlySet<number> {
    const path = join(this.state, "dead-letters", "elasticsearch.ndjson");
    const size = existsSync(path) ? statSync(path).size : 0;
    if (size !== this.#letters.size) {
      const text = size === 0 ? "" : readFileSync(path, "utf8");
      const sequences = [...text.matchAll(/\\"seq\\":(\d+)/g)].map(([, seq]) => Number(seq));
      this.#letters = { size, sequences: new Set(sequences) };
    }
    return this.#letters.sequences;
  }

  /** Lives until it dies of the crash at this step. Throws when it does not come to it. */
  async dieAt(step: string, faults: Readonly<Record<string, string>> = {}): Promise<Agent> {
    const agent = this.start({ PANNIER_CRASH_AT: step, ...faults });
    const life = { over: false };
    void agent.exited.then(() => (life.over = true));
    const deadline = performance.now() + PATIENCE_MS;
    const truncating = this.truncates ? this.#truncateWhile(agent) : undefined;
    while (!life.over && performance.now() < deadline) {
      this.tick();
      await sleep(TICK_MS);
    }
    await this.#expectDeath(agent, step);
    await truncating;
    return agent;
  }

  /** Starts, does this once it is running, and dies of the crash at this step. */
  async dieOf(step: string, act: (agent: Agent) => void): Promise<Agent> {
    const agent = this.start({ PANNIER_CRASH_AT: step });
    await agent.waitForLog("started");
    act(agent);
    await this.#expectDeath(agent, step);
    return agent;
  }

  async #expectDeath(agent: Agent, step: string): Promise<void> {
    const exit = await Promise.race([agent.exited, sleep(PATIENCE_MS, undefined, { ref: false })]);
    agent.kill("SIGKILL");
    await agent.exited;
    if (exit?.signal !== "SIGKILL")
      throw new Error(`it did not die at ${step}: ${JSON.stringify(agent.logs.slice(-5))}`);
  }

  /** Lives until everything has arrived, and stops. Returns what it said, and its last status. */
  async finish(agent: Agent = this.start()) {
    if (this.isOpen) this.write("app.log", 1);
    const status = await agent
      .waitForStatus((now) => isCommitted(now) && this.missing().length === 0)
      .catch(async (error: unknown) => {
        const { files, sinks } = await agent.status();
        const missing = this.missing();
        throw new Error(`not complete: ${JSON.stringify({ missing, files, sinks })}`, { cause: error });
      });
    const exit = await agent.stop();
    return { status, exit, agent };
  }

  /** Sequence numbers that have not arrived. */
  missing(): number[] {
    return Array.from({ length: this.count }, (_, seq) => seq).filter((seq) => !this.hasArrived(seq));
  }
}
