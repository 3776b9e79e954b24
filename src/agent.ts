import { DrainSoon } from "./admin/drain-soon.ts";
import type { Loaded } from "./config/load.ts";
import { systemClock } from "./core/clock.ts";
import { ExitCode } from "./core/errors.ts";
import { DRAIN_REPORT_RESERVE_MS } from "./core/limits.ts";
import { type FileCatalogue, createFileCatalogue } from "./files/catalogue.ts";
import { Listeners } from "./listeners.ts";
import { finishPipelines } from "./pipeline/finish.ts";
import { Reloader } from "./reload.ts";
import { replayHandler } from "./replay.ts";
import { Shipping } from "./shipping.ts";
import type { Signals } from "./signals.ts";
import { openState } from "./state/open.ts";
import type { Store } from "./state/store.ts";
import { type AgentState, describeStatus } from "./status.ts";
import { followed, takeOver } from "./take-over.ts";
import { startDrainRecord } from "./telemetry/drain-record.ts";
import type { ProcessLog } from "./telemetry/log.ts";

export interface AgentOptions {
  readonly loaded: Loaded;
  /** Reads the configuration again; see Reloader. */
  readonly load: (running: Loaded) => Loaded;
  /** A configuration was taken over. */
  readonly onReload: (loaded: Loaded) => void;
  /** Ship what is there to its end, then stop. */
  readonly once: boolean;
  readonly log: ProcessLog;
  readonly serviceName: string | undefined;
  /** The Pod that it runs in. */
  readonly podName: string | undefined;
  readonly podUid: string | undefined;
  /** When to stop, and when to reload. */
  readonly signals: Signals;
}

/**
 * Follows and ships until SIGTERM or SIGINT (with `once`: until all is committed), then drains and stops. Returns the exit
 * code of contract §2; throws PannierError when it cannot start.
 */
export async function runAgent(options: AgentOptions): Promise<ExitCode> {
  const { loaded, log, podUid } = options;
  const state = await openState({ directory: loaded.config.stateDir, podUid, clock: systemClock, log });
  try {
    return await new Agent(options, state).run();
  } finally {
    await state.stop();
  }
}

/**
 * The map: state and files, which outlive every configuration, what is shipped to whom, which follows it, and the way from
 * start to stop.
 */
class Agent {
  readonly #o: AgentOptions;
  readonly #state: Store;
  readonly #startedAt = new Date(systemClock.nowMs()).toISOString();
  readonly #drainSoon: DrainSoon;
  readonly #shipping: Shipping;
  readonly #catalogue: FileCatalogue;
  readonly #listeners: Listeners;
  readonly #reloader: Reloader;
  #phase: AgentState = "starting";

  constructor(options: AgentOptions, state: Store) {
    const { loaded, log, signals, serviceName, podName } = options;
    const { config } = loaded;
    const clock = systemClock;
    this.#o = options;
    this.#state = state;
    for (const { was, name } of config.sinks) if (was !== undefined) state.renameSink(was, name);
    this.#drainSoon = new DrainSoon(() => this.#shipping.config.drainDeadlineMs, clock);
    this.#shipping = new Shipping(
      {
        state,
        clock,
        log,
        serviceName,
        podName,
        drainSoon: this.#drainSoon,
        catalogue: () => this.#catalogue,
        onOutputClosed: () => signals.request(),
      },
      config,
      loaded.plan,
    );
    this.#catalogue = createFileCatalogue({
      state,
      clock,
      log,
      events: this.#shipping.events,
      ...followed(config),
      sync: () => state.sync(),
      isNeeded: (file) => this.#shipping.needs(file),
      places: (file) => this.#shipping.places(file),
    });
    this.#reloader = new Reloader({ loaded, load: options.load, apply: (next) => this.#apply(next), clock, log });
    this.#listeners = new Listeners(
      {
        waitingFor: () => this.#waitingFor(),
        drainSoon: (graceMs) => {
          this.#drainSoon.announce(graceMs);
          this.#shipping.hurry();
        },
        status: () =>
          describeStatus({
            startedAt: this.#startedAt,
            state: this.#phase,
            config: this.#reloader.status(),
            catalogue: this.#catalogue,
            shipping: this.#shipping,
            records: state.files.values(),
            monotonicMs: clock.monotonicMs(),
          }),
      },
      log,
    );
    state.onRequest(replayHandler(() => ({ ...this.#shipping.forReplay(), signal: signals.first })));
  }

  /** What readiness waits for. */
  #waitingFor(): string[] {
    return [
      ...(this.#phase === "starting" ? ["first sweep"] : []),
      ...(this.#state.failing ? ["the state directory cannot be written"] : []),
    ];
  }

  async run(): Promise<ExitCode> {
    try {
      return await this.#work();
    } catch (error) {
      await this.#abandon();
      throw error;
    }
  }

  async #work(): Promise<ExitCode> {
    const { once, signals, log } = this.#o;
    await this.#listeners.follow(this.#shipping.config);
    this.#shipping.start();
    await Promise.race([this.#catalogue.start(), signals.stopped]);
    if (signals.first.aborted) return this.#drain();
    this.#phase = "running";
    log.info("started", `following ${[...this.#catalogue.files].length} files`);
    if (once) {
      signals.onReload(() => log.info("config_not_reloaded", "--once ends with the configuration that it began with"));
      const complete = await this.#finish(() => Infinity, signals.first);
      this.#sayDeadLetters();
      return this.#drain(complete);
    }
    signals.onReload(() => this.#reloader.request());
    this.#reloader.start();
    await signals.stopped;
    return this.#drain();
  }

  /** A run that ends by itself with all committed says how much of that is not where it should be. */
  #sayDeadLetters(): void {
    const { stateDir } = this.#shipping.config;
    for (const { sink } of this.#shipping.pipelines) {
      const { name, deadLetters } = sink.status();
      if (deadLetters === 0) continue;
      const letters = deadLetters === 1 ? "dead letter" : "dead letters";
      const message = `${deadLetters} ${letters} of ${name} in ${stateDir}/dead-letters; \`pannier replay\` sends what the server takes now`;
      this.#o.log.warn("dead_letters", message, { sink: name, dead_letters: deadLetters });
    }
  }

  #finish(deadlineMs: () => number, signal: AbortSignal): Promise<boolean> {
    const { pipelines } = this.#shipping;
    return finishPipelines({
      pipelines,
      clock: systemClock,
      deadlineMs,
      signal,
      sweep: () => this.#catalogue.sweep(),
    });
  }

  /** From the first signal on: what can be delivered by the deadline is, and the record says what was not. */
  async #drain(isComplete = false): Promise<ExitCode> {
    const { signals, log } = this.#o;
    this.#phase = "draining";
    /** What the drain record is about: the files as they are, and at last as they were when all was stopped. */
    let files = () => this.#shipping.drainFiles();
    const record = startDrainRecord({ files: () => files(), log });
    await this.#reloader.stop();
    let complete = isComplete;
    if (!complete) {
      const begunAtMs = Math.min(signals.stoppedAtMs, systemClock.monotonicMs());
      const deadlineMs = begunAtMs + this.#drainSoon.deadlineMs() - DRAIN_REPORT_RESERVE_MS;
      complete = await this.#finish(() => deadlineMs, signals.second);
    }
    await Promise.all(this.#shipping.pipelines.map((pipeline) => pipeline.stop()));
    const last = this.#shipping.drainFiles();
    files = () => last;
    await this.#catalogue.stop();
    await this.#listeners.stop();
    record.finish(complete ? "complete" : signals.second.aborted ? "second_signal" : "deadline");
    return complete ? ExitCode.ok : ExitCode.undelivered;
  }

  /** Ends all that runs, without waiting for a sink: what is in flight is read again from the last commit. */
  async #abandon(): Promise<void> {
    const { pipelines } = this.#shipping;
    await Promise.allSettled([this.#reloader.stop(), ...pipelines.map((pipeline) => pipeline.stop())]);
    await Promise.allSettled([this.#catalogue.stop(), this.#listeners.stop()]);
  }

  /** Takes a configuration over that was found to be valid. */
  async #apply(next: Loaded): Promise<boolean> {
    const { onReload, log, signals } = this.#o;
    await this.#listeners.follow(next.config);
    onReload(next);
    return takeOver(next, {
      state: this.#state,
      catalogue: this.#catalogue,
      shipping: this.#shipping,
      log,
      signal: signals.first,
    });
  }
}
