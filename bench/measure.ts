/** Runs a process on one core and measures it the way contract §6 says. */
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { memoryOf } from "../test/support/process-memory.ts";

export interface Usage {
  /** User + system of all threads. */
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  /** VmHWM: the most that was ever resident. */
  readonly peakResidentBytes: number;
  /** The largest RssAnon of samples 50 ms apart. */
  readonly ownBytes: number;
}

export const MEASURED_CORE = "0";
export const OTHER_CORE = "1";

const SAMPLE_INTERVAL_MS = 50;
const TICKS_PER_SECOND = 100;

/** CPU seconds of a living process, or (`children`) of the processes that it has waited for. */
export function cpuSecondsOf(pid: number | "self", whose: "own" | "children"): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const first = whose === "own" ? 11 : 13;
  return (Number(fields[first]) + Number(fields[first + 1])) / TICKS_PER_SECOND;
}

export interface Pinned {
  readonly child: ChildProcess;
  readonly pid: number;
  /** The largest own memory since the start or the last call of `forget`. */
  ownBytes(): number;
  forget(): void;
  /** Resolves when the process has ended; rejects when it ended badly. */
  ended(): Promise<Usage>;
  /** Usage until now, of a process that goes on. */
  soFar(): Usage;
}

/** Starts a command on a core and samples its memory. One at a time: the CPU of ended children is told apart by difference. */
export function startPinned(core: string, command: readonly string[], env: Record<string, string> = {}): Pinned {
  const cpuBefore = cpuSecondsOf("self", "children");
  const startedAt = performance.now();
  const child = spawn("taskset", ["-c", core, ...command], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...env },
  });
  const pid = child.pid!;
  let peakResidentBytes = 0;
  let ownBytes = 0;
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors = (errors + chunk.toString("utf8")).slice(-4096)));
  const sample = (): void => {
    peakResidentBytes = Math.max(peakResidentBytes, memoryOf(pid, "VmHWM"));
    ownBytes = Math.max(ownBytes, memoryOf(pid, "RssAnon"));
  };
  const timer = setInterval(sample, SAMPLE_INTERVAL_MS);
  const exit = new Promise<number | null>((resolve) => child.on("close", (code) => resolve(code)));
  const usage = (cpuSeconds: number): Usage => ({
    cpuSeconds,
    wallSeconds: (performance.now() - startedAt) / 1000,
    peakResidentBytes,
    ownBytes,
  });
  void exit.then(() => clearInterval(timer));
  return {
    child,
    pid,
    ownBytes: () => ownBytes,
    forget: () => (ownBytes = 0),
    ended: async () => {
      const code = await exit;
      if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${errors}`);
      return usage(cpuSecondsOf("self", "children") - cpuBefore);
    },
    soFar: () => {
      sample();
      return usage(cpuSecondsOf(pid, "own"));
    },
  };
}
