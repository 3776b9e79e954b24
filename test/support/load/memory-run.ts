/** One run of the proof that pannier's memory is bounded: load, an outage under load, recovery, in a container with a limit. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../free-port.ts";
import type { Status } from "../agent.ts";
import {
  type Contained,
  type ContainerMemory,
  describeMemory,
  forgetPages,
  mebibytes,
  startContained,
} from "./contained.ts";
import { type Helper, startHelper } from "./helper.ts";
import type { SinkQuestion, SinkReport } from "./sink.ts";
import type { WriterQuestion, WriterReport } from "./writer.ts";

export interface MemoryRunOptions {
  readonly image: string;
  /** Of the container, as docker takes it. */
  readonly memory: string;
  /** `memory.limit` of pannier, where it is not the default. */
  readonly memoryLimit?: string;
  readonly maxLineBytes: number;
  /** The first of them has the outage. */
  readonly sinks: number;
  readonly manyFiles: number;
  readonly rotateBytes: number;
  readonly burstBytesPerSecond: number;
  readonly burstMs: number;
  /** When the burst begins; before and after it lines trickle. */
  readonly burstAtMs?: number;
  readonly trickleBytesPerSecond: number;
  /** Load before the outage. */
  readonly beforeMs: number;
  /** So much later the outage begins where the agent is not at rest before. */
  readonly restMaxMs: number;
  readonly outageMs: number;
  /** Requests before the outage, and the first ones after it, that are answered with megabytes of errors. */
  readonly storms: { readonly before: number; readonly after: number };
  /** How long everything may take to be delivered after the outage. */
  readonly recoveryMs: number;
  readonly say?: (text: string) => void;
}

export interface Phase {
  readonly name: "before" | "outage" | "recovery";
  readonly durationMs: number;
  readonly ownBytes: number;
  readonly memory: ContainerMemory | undefined;
  readonly descriptors: number;
}

export interface MemoryResult {
  readonly phases: readonly Phase[];
  readonly written: WriterReport;
  readonly sinks: readonly (SinkReport & { readonly missing: number; readonly firstMissing: readonly number[] })[];
  /** States that `/status` gave to the first sink in the outage. */
  readonly outageStates: readonly string[];
  readonly oomKilled: boolean;
  readonly exitCode: string;
  readonly peakResidentBytes: number;
  /** What waited in the files when the sink came back. */
  readonly backlogBytes: number;
  /** What pannier itself said, the end of it. */
  readonly log: string;
}

type Sink = Helper<SinkQuestion, { readonly url: string }>;
type Writer = Helper<WriterQuestion, string>;

const POLL_MS = 1_000;
const START_MS = 20_000;

/**
 * Contract: flat is at most so much above the highest before the outage. What was highest before is known once the agent has
 * come to rest: until then V8 still compiles what runs for the first time and finds the size of its heap, and buffers that
 * were planned are used for the first time, all of which would count as growth of the outage.
 */
export const flatBytes: number = 2 * 1024 * 1024;
/** At rest: nearly all is delivered, and for so long the highest has risen by no more than a step. */
const PLATEAU_MS = 10_000;
const PLATEAU_STEP_BYTES = 128 * 1024;
const PLATEAU_LAG_BYTES = 24 * 1024 * 1024;

/** Runs it and cleans up; throws only when it cannot be run. */
export async function runMemory(options: MemoryRunOptions): Promise<MemoryResult> {
  const directory = mkdtempSync(join(os.tmpdir(), "pannier-memory-"));
  const logs = join(directory, "logs");
  mkdirSync(logs);
  chmodSync(directory, 0o755);
  const undo: (() => Promise<void>)[] = [];
  try {
    const sinks: Sink[] = [];
    for (let i = 0; i < options.sinks; i++) {
      const sink: Sink = await startHelper("sink.ts", ["--max-line-bytes", String(options.maxLineBytes)]);
      undo.push(() => sink.stop());
      sinks.push(sink);
    }
    const port = await freePort();
    const config = join(directory, "pannier.yaml");
    writeFileSync(config, configOf(options, sinks, port), { mode: 0o644 });
    const { rotateBytes, manyFiles, maxLineBytes } = options;
    const settings = {
      directory: logs,
      "rotate-bytes": rotateBytes,
      "many-files": manyFiles,
      "max-line-bytes": maxLineBytes,
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const writer: Writer = await startHelper("writer.ts", args);
    undo.push(() => writer.stop());
    const volumes = [`${logs}:/logs:ro`, `${config}:/etc/pannier/pannier.yaml:ro`];
    const agent = await startContained({ image: options.image, memory: options.memory, volumes });
    undo.push(() => agent.remove());
    return await new Run(options, agent, writer, sinks, port, logs).all();
  } finally {
    for (const stop of undo.toReversed()) await stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

function configOf(options: MemoryRunOptions, sinks: readonly Sink[], port: number): string {
  return JSON.stringify({
    version: 1,
    ...(options.memoryLimit === undefined ? {} : { memory: { limit: options.memoryLimit } }),
    admin: { listen: `127.0.0.1:${port}` },
    inputs: [{ paths: ["/logs/*.log"], max_line_bytes: `${options.maxLineBytes}B` }],
    sinks: sinks.map(({ hello }, i) => ({ name: `sink-${i}`, type: "elasticsearch", urls: [hello.url] })),
  });
}

class Run {
  readonly #o: MemoryRunOptions;
  readonly #agent: Contained;
  readonly #writer: Writer;
  readonly #sinks: readonly Sink[];
  readonly #port: number;
  readonly #logs: string;
  readonly #phases: Phase[] = [];
  readonly #outageStates = new Set<string>();

  constructor(
    o: MemoryRunOptions,
    agent: Contained,
    writer: Writer,
    sinks: readonly Sink[],
    port: number,
    logs: string,
  ) {
    this.#o = o;
    this.#agent = agent;
    this.#writer = writer;
    this.#sinks = sinks;
    this.#port = port;
    this.#logs = logs;
  }

  async all(): Promise<MemoryResult> {
    const {
      burstMs,
      burstAtMs = 0,
      beforeMs,
      outageMs,
      burstBytesPerSecond,
      trickleBytesPerSecond,
      storms,
      recoveryMs,
    } = this.#o;
    const [first] = this.#sinks;
    await this.#until(async () => (await this.#status()) !== undefined, START_MS);
    if ((await this.#status()) === undefined) throw new Error(`no answer from the agent: ${await this.#agent.logs()}`);
    await this.#rate(burstAtMs === 0 ? burstBytesPerSecond : trickleBytesPerSecond);
    const burst = setTimeout(() => void this.#rate(burstBytesPerSecond), burstAtMs);
    const burstEnd = setTimeout(() => void this.#rate(trickleBytesPerSecond), burstAtMs + burstMs);
    const storm = setTimeout(() => void this.#storm(storms.before), beforeMs / 3);
    await this.#beforeOutage(this.#o);
    await first.ask({ ask: "down" });
    await this.#phase("outage", outageMs, (status) => {
      const state = status?.sinks[0]?.state;
      if (state !== undefined) this.#outageStates.add(state);
    });
    clearTimeout(burst);
    clearTimeout(burstEnd);
    clearTimeout(storm);
    const written = await this.#rate(0);
    await forgetPages(this.#logs);
    await this.#storm(storms.after);
    await first.ask({ ask: "up" });
    const backlogBytes = lagOf(await this.#status());
    await this.#phase("recovery", recoveryMs, undefined, () => this.#isDelivered(written.lines));
    const oomKilled = (await this.#agent.inspect("{{.State.OOMKilled}}")) !== "false";
    const peakResidentBytes = this.#agent.peakResidentBytes();
    const exitCode = await this.#agent.terminate();
    const sinks = await Promise.all(
      this.#sinks.map(async (sink) => {
        const missing = await sink.ask<{ count: number; first: number[] }>({ ask: "missing", count: written.lines });
        const report = await sink.ask<SinkReport>({ ask: "report" });
        return { ...report, missing: missing.count, firstMissing: missing.first };
      }),
    );
    return {
      phases: this.#phases,
      written,
      sinks,
      outageStates: [...this.#outageStates],
      oomKilled,
      exitCode,
      peakResidentBytes,
      backlogBytes,
      log: (await this.#agent.logs()).slice(-4_000),
    };
  }

  /** Load for so long, and then until the highest own memory is known. */
  async #beforeOutage({ beforeMs, restMaxMs }: MemoryRunOptions): Promise<void> {
    const begunAt = performance.now();
    let lag = Infinity;
    let highest = 0;
    let risenAt = begunAt;
    await this.#phase(
      "before",
      beforeMs + restMaxMs,
      (status) => (lag = lagOf(status)),
      async () => {
        const now = performance.now();
        const own = this.#agent.ownBytes();
        if (own > highest + PLATEAU_STEP_BYTES) {
          highest = own;
          risenAt = now;
        }
        return now - begunAt >= beforeMs && now - risenAt >= PLATEAU_MS && lag < PLATEAU_LAG_BYTES;
      },
    );
  }

  /** The next requests to each sink are answered with megabytes of errors. */
  async #storm(requests: number): Promise<void> {
    for (const sink of this.#sinks) await sink.ask({ ask: "storm", requests });
  }

  #rate(bytesPerSecond: number): Promise<WriterReport> {
    return this.#writer.ask({ ask: "rate", bytesPerSecond });
  }

  /** Lets time pass, asks for `/status` every second as an operator does, and notes the most memory. */
  async #phase(
    name: Phase["name"],
    durationMs: number,
    each: (status: Status | undefined) => void = () => undefined,
    isOver: () => Promise<boolean> = async () => false,
  ): Promise<void> {
    const agent = this.#agent;
    agent.forget();
    const begunAt = performance.now();
    let descriptors = 0;
    await this.#until(async () => {
      const status = await this.#status();
      each(status);
      descriptors = Math.max(descriptors, agent.openDescriptors());
      this.#o.say?.(
        `${name}: ${((performance.now() - begunAt) / 1000).toFixed(0)} s, own ${mebibytes(agent.ownBytes())} MiB, ${describeMemory(agent.memory())}, lag ${mebibytes(lagOf(status))} MiB`,
      );
      return isOver();
    }, durationMs);
    const memory = agent.memory();
    this.#phases.push({
      name,
      durationMs: performance.now() - begunAt,
      ownBytes: agent.ownBytes(),
      memory,
      descriptors,
    });
  }

  async #until(isOver: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await isOver()) && performance.now() < deadline)
      await sleep(Math.max(0, Math.min(POLL_MS, deadline - performance.now())));
  }

  /** Undefined while there is no answer. */
  async #status(): Promise<Status | undefined> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.#port}/status`, { signal: AbortSignal.timeout(5_000) });
      return (await response.json()) as Status;
    } catch {
      return undefined;
    }
  }

  async #isDelivered(lines: number): Promise<boolean> {
    const reports = await Promise.all(this.#sinks.map((sink) => sink.ask<SinkReport>({ ask: "report" })));
    return reports.every((report) => report.documents >= lines);
  }
}

/** Bytes that are not committed; not a number without an answer. */
function lagOf(status: Status | undefined): number {
  return status?.files.reduce((sum, file) => sum + file.lag_bytes, 0) ?? NaN;
}
