import { type Batch, Outcome } from "../../core/batch.ts";
import type { Clock } from "../../core/clock.ts";
import type { StdoutConfig } from "../../core/config.ts";
import { describe } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { DeliveryAborted, type RecordSource, type Sink, type SinkState, type SinkStatus } from "../../core/sink.ts";
import { Turnstile } from "../wait.ts";
import { type Output, openOutput } from "./output.ts";
import { stdoutWire } from "./wire.ts";

export interface StdoutSinkOptions {
  readonly config: StdoutConfig;
  readonly source: Pick<RecordSource, "leaving">;
  readonly log: Log;
  readonly clock: Clock;
  /** The descriptor to write to; 1 where not set. */
  readonly fd?: number;
  /** Called once when nobody reads standard output any more; the agent then stops. */
  readonly onClosed?: () => void;
}

/** Writes documents to standard output, one per line, in the order of the batches. */
export function createStdoutSink(options: StdoutSinkOptions): Sink {
  return new StdoutSink(options);
}

class StdoutSink implements Sink {
  readonly name: string;
  readonly type = "stdout";
  readonly wire = stdoutWire;
  readonly #options: StdoutSinkOptions;
  readonly #turnstile = new Turnstile();
  readonly #stopped: Promise<never>;
  #stop!: (error: Error) => void;
  #output: Output | undefined;
  #state: SinkState = "ok";
  #since: string;
  #lastError: { code: string; message: string } | null = null;
  #deliveredLines = 0;
  #deliveredBytes = 0;

  constructor(options: StdoutSinkOptions) {
    this.#options = options;
    this.name = options.config.name;
    this.#since = new Date(options.clock.nowMs()).toISOString();
    this.#stopped = new Promise((_resolve, reject) => (this.#stop = reject));
    this.#stopped.catch(() => undefined);
  }

  start(): void {
    // Nothing is needed before the first batch.
  }

  deliver(batch: Batch): Promise<void> {
    return Promise.race([this.#turnstile.pass(() => this.#write(batch)), this.#stopped]);
  }

  async #write(batch: Batch): Promise<void> {
    if (this.#state === "down") return this.#stopped;
    await this.#options.source.leaving(batch);
    try {
      this.#output ??= openOutput(this.#options.fd ?? 1);
      await this.#output.write(batch.buffer.subarray(batch.starts[0], batch.ends[batch.count - 1]));
    } catch (error) {
      this.#closed(error);
      return this.#stopped;
    }
    for (let i = 0; i < batch.count; i++) {
      batch.outcome[i] = Outcome.delivered;
      this.#deliveredBytes += batch.to[i] - batch.from[i] - batch.cut[i];
    }
    this.#deliveredLines += batch.count;
  }

  /** What was in the pipe may be lost with its reader; the batch is not delivered, its lines come again at the next start. */
  #closed(error: unknown): void {
    const { log, clock, onClosed } = this.#options;
    const message = `nobody reads standard output any more (${describe(error)}); the lines not yet written stay in their files and are read at the next start`;
    this.#lastError = { code: "stdout_closed", message };
    this.#state = "down";
    this.#since = new Date(clock.nowMs()).toISOString();
    log.error("stdout_closed", message, { sink: this.name });
    onClosed?.();
  }

  status(): SinkStatus {
    return {
      name: this.name,
      type: this.type,
      state: this.#state,
      since: this.#since,
      lastError: this.#lastError,
      deliveredLines: this.#deliveredLines,
      deliveredBytes: this.#deliveredBytes,
      retries: 0,
      rejected: 0,
      unexpectedConflicts: 0,
      deadLetters: 0,
    };
  }

  stop(): Promise<void> {
    this.#stop(new DeliveryAborted("stopped while standard output was not read"));
    this.#output?.close();
    return Promise.resolve();
  }
}
