import { fingerprint } from "./config/fingerprint.ts";
import type { Loaded } from "./config/load.ts";
import { ConfigWatch } from "./config/watch.ts";
import type { Clock } from "./core/clock.ts";
import { describe, PannierError } from "./core/errors.ts";
import type { Log } from "./core/log.ts";

export interface ReloaderOptions {
  /** The configuration of the process. */
  readonly loaded: Loaded;
  /** Reads and checks what the configuration says now. Throws PannierError with every problem in it. */
  load(running: Loaded): Loaded;
  /** Takes it over. Throws PannierError when it cannot be; false when the process is about to end instead. */
  apply(next: Loaded): Promise<boolean>;
  readonly clock: Clock;
  readonly log: Log;
}

/** What `/status` says of the configuration. */
export interface ConfigStatus {
  readonly file: string | null;
  readonly loaded_at: string;
  readonly last_error: { readonly at: string; readonly code: string; readonly message: string } | null;
}

/**
 * Takes a changed configuration over, one at a time: wishes that come meanwhile are one more. What is not valid changes nothing.
 * What is wished before `start` waits for it: a process that still looks for its files has nothing to exchange.
 */
export class Reloader {
  readonly #o: ReloaderOptions;
  #loaded: Loaded;
  #loadedAt: string;
  #lastError: ConfigStatus["last_error"] = null;
  #watch: ConfigWatch | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  /** Said with each, so that the log does not take one for the repetition of another. */
  #count = 0;
  #started = false;
  #stopped = false;

  constructor(options: ReloaderOptions) {
    this.#o = options;
    this.#loaded = options.loaded;
    this.#loadedAt = this.#now();
    this.#followFiles();
  }

  /** From now on wishes are followed. */
  start(): void {
    this.#started = true;
    if (this.#again) this.request();
  }

  /** Somebody wishes a reload; it happens soon. */
  request(): void {
    if (this.#stopped) return this.#o.log.warn("config_not_reloaded", "pannier is about to stop and reloads nothing");
    this.#again = true;
    if (!this.#started) return;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  status(): ConfigStatus {
    return { file: this.#loaded.file ?? null, loaded_at: this.#loadedAt, last_error: this.#lastError };
  }

  /** Resolves when the reload that is under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#watch?.stop();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#stopped) {
      this.#again = false;
      await this.#reload();
    }
  }

  async #reload(): Promise<void> {
    const which = `reload ${++this.#count}`;
    let next: Loaded;
    try {
      next = this.#o.load(this.#loaded);
    } catch (error) {
      return this.#refuse(which, error);
    }
    const { log } = this.#o;
    const { file, config, plan, warnings } = next;
    if (file === undefined) return log.info("config_no_file", `${which}: there is no configuration file to read again`);
    const isSame = fingerprint([config, plan]) === fingerprint([this.#loaded.config, this.#loaded.plan]);
    try {
      if (!isSame && !(await this.#o.apply(next))) return;
    } catch (error) {
      // Anything else is a defect, in the midst of a change: better a new process than half of one.
      if (!(error instanceof PannierError)) throw error;
      return this.#refuse(which, error);
    }
    this.#loaded = next;
    this.#loadedAt = this.#now();
    this.#lastError = null;
    this.#followFiles();
    for (const warning of warnings) log.warn("config_warning", warning);
    if (isSame) log.info("config_unchanged", `${which}: ${file} says what it said before`);
    else log.info("config_reloaded", `${which}: ${file} is in force`, { planned_bytes: plan.plannedBytes });
  }

  #refuse(which: string, error: unknown): void {
    const code = error instanceof PannierError ? error.code : "internal";
    const message = describe(error);
    this.#lastError = { at: this.#now(), code, message };
    this.#o.log.error(
      "config_refused",
      `${which}: the configuration is not taken over, the one before stays: ${message}`,
      {
        reason: code,
        ...(error instanceof PannierError && error.hint !== undefined && { hint: error.hint }),
      },
    );
  }

  #followFiles(): void {
    this.#watch?.stop();
    const { config, sources } = this.#loaded;
    this.#watch = config.watchConfig ? new ConfigWatch(sources, () => this.request()) : undefined;
  }

  #now(): string {
    return new Date(this.#o.clock.nowMs()).toISOString();
  }
}
