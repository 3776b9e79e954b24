import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ExitCode, PannierError } from "../core/errors.ts";
import { type Child, startAgent, startOrderService } from "./children.ts";
import type { Written } from "./order-service.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import { Tally } from "./tally.ts";
import { type Scene, type View, describeReceiver, liveView, plainView } from "./view.ts";

const LINES_PER_SECOND = 1_000;
const ROTATE_BYTES = 1024 * 1024;
const INTERVAL_MS = 1_000;
const LIVE_INTERVAL_MS = 200;
const POLL_MS = 100;
/** How long the demo runs where nobody can interrupt it. */
const SECONDS_DEFAULT = 15;
/** When the agent is killed if the demo runs until it is interrupted. */
const KILL_AFTER_MS = 10_000;

/** Settings of `pannier demo`. */
export interface DemoOptions {
  /** Without it: until interrupted on a terminal, 15 s elsewhere. */
  readonly seconds?: number;
}

/**
 * Shows pannier at work: an application logs, the agent ships, a receiver counts every sequence number. On the way the agent
 * is killed with -9 and started again. Ends with 0 when nothing was lost or doubled, else with 1.
 */
export async function runDemo(options: DemoOptions): Promise<ExitCode> {
  const terminal = process.stdout.isTTY;
  const seconds = options.seconds ?? (terminal ? Infinity : SECONDS_DEFAULT);
  const view = terminal ? liveView(process.stdout) : plainView(process.stdout, process.stderr);
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  const directory = mkdtempSync(path.join(os.tmpdir(), "pannier-demo-"));
  mkdirSync(path.join(directory, "logs"));
  const tally = new Tally();
  const receiver = await startReceiver((document) => {
    if (typeof document["seq"] === "number") tally.deliver(document["seq"]);
    view.record(document);
  });
  const demo = new Demo(directory, receiver, tally, view);
  // Also when the process is ended from elsewhere, such as `pannier demo | head`.
  const leave = (): void => {
    void demo.kill();
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  };
  process.once("exit", leave);
  try {
    const timer = setInterval(() => demo.show(), terminal ? LIVE_INTERVAL_MS : INTERVAL_MS);
    try {
      await demo.play(seconds * 1_000, interrupted.signal);
    } finally {
      clearInterval(timer);
    }
    return demo.finish();
  } finally {
    await demo.kill();
    await receiver.stop();
    process.off("exit", leave);
    leave();
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}

class Demo {
  readonly #directory: string;
  readonly #receiver: Receiver;
  readonly #tally: Tally;
  readonly #view: View;
  readonly #service: Child;
  #agent: Child;
  #written: Written = { written: 0, rotations: 0 };
  #agentText = "starting";

  constructor(directory: string, receiver: Receiver, tally: Tally, view: View) {
    this.#directory = directory;
    this.#receiver = receiver;
    this.#tally = tally;
    this.#view = view;
    this.#service = startOrderService(
      path.join(directory, "logs", "orders.log"),
      LINES_PER_SECOND,
      ROTATE_BYTES,
      (report) => {
        this.#written = report;
        tally.write(report.written, performance.now());
      },
    );
    this.#agent = startAgent(directory, receiver.url);
    this.#agentText = `pid ${this.#agent.pid}, running`;
  }

  /** Runs for the time given or until the signal, then stops the application first and lets the agent drain. */
  async play(durationMs: number, interrupted: AbortSignal): Promise<void> {
    // On a slow machine processes take longer to start than a short demo lasts.
    await this.#service.started;
    const endAt = performance.now() + durationMs;
    const killAfterMs = Math.min(durationMs / 2, KILL_AFTER_MS);
    const over = (): boolean => interrupted.aborted || performance.now() >= endAt;
    await this.#wait(killAfterMs, interrupted);
    // A kill proves something only in the middle of the agent's work; on a slow machine that may begin late.
    while (!over() && !this.#delivers()) await this.#wait(POLL_MS, interrupted);
    if (!over()) await this.#killAgent();
    await this.#wait(endAt - performance.now(), interrupted);
    await this.#service.end("SIGTERM");
    this.#agentText = `pid ${this.#agent.pid}, draining`;
    await this.#agent.started;
    await this.#agent.end("SIGTERM");
    this.#agentText = "drained and stopped";
  }

  #delivers(): boolean {
    return this.#tally.numbers(performance.now()).delivered > 0;
  }

  async #killAgent(): Promise<void> {
    const killed = this.#agent;
    await killed.end("SIGKILL");
    this.#agent = startAgent(this.#directory, this.#receiver.url);
    this.#agentText = `pid ${this.#agent.pid}, running, started again after kill -9`;
    this.#view.say(`killed the agent (pid ${killed.pid}) with -9 in the middle of its work, and started it again`);
  }

  /** Waits; a child that ends by itself ends the demo with its last words. */
  async #wait(ms: number, interrupted: AbortSignal): Promise<void> {
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, interrupted]);
    // A timer cannot wait for more than 24 days; whoever needs longer interrupts.
    const time = sleep(Math.min(Math.max(0, ms), 2 ** 31 - 1), undefined, { signal }).catch(() => {});
    try {
      await Promise.race([time, diedEarly("agent", this.#agent), diedEarly("order-service", this.#service)]);
    } finally {
      over.abort();
    }
  }

  show(): void {
    this.#view.numbers(this.#tally.numbers(performance.now()), this.#scene());
  }

  /** Shows the final numbers and judges them. */
  finish(): ExitCode {
    const numbers = this.#tally.numbers(performance.now(), true);
    this.#view.numbers(numbers, this.#scene());
    return numbers.lost === 0 && numbers.doubled === 0 ? ExitCode.ok : ExitCode.findings;
  }

  /** Ends what still runs after a failure. */
  async kill(): Promise<void> {
    await Promise.all(
      [this.#service, this.#agent].filter((child) => child.running).map((child) => child.end("SIGKILL")),
    );
  }

  #scene(): Scene {
    const { rotations } = this.#written;
    return {
      service: `pid ${this.#service.pid}, ${LINES_PER_SECOND} orders a second, rotations of orders.log: ${rotations}`,
      agent: this.#agentText,
      receiver: describeReceiver(this.#receiver.stats),
    };
  }
}

/** Rejects when the child ends; it should not while the demo plays. */
async function diedEarly(name: string, child: Child): Promise<never> {
  const code = await child.exited;
  throw new PannierError("demo_child_ended", `the ${name} of the demo ended by itself (exit code ${code})`, {
    hint: child.stderr.join("\n"),
  });
}
