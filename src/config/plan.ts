import { Batch } from "../core/batch.ts";
import type { Config, InputConfig, MemoryPlan, PlanLine, SinkConfig, SinkPlan } from "../core/config.ts";
import { BATCH_MAX_BYTES, CHUNK_BYTES, IN_FLIGHT_MAX, READ_SLACK_BYTES, TAIL_BYTES } from "../core/limits.ts";
import { formatSize } from "../core/units.ts";
import type { Explicit } from "./effective.ts";
import type { Path, Problem } from "./problems.ts";

/** What the stages say about their own buffers; `cli/` connects them, since `config/` knows no stage. */
export interface Estimates {
  /** Largest document that the input makes, with every sink's frame around it. */
  recordBytes(input: InputConfig): number;
  /** A sink's own buffers, beside its batches: compression, repair, answers, TLS. */
  sinkPools(sink: SinkConfig, maxRecordBytes: number): readonly PlanLine[];
  /** What all sinks share beside the read buffer: scratch memory for lines, the journal's buffer. */
  sharedPools(maxLineBytes: number, inputs: number): readonly PlanLine[];
}

/** A configuration whose batches fit the limit, with the plan that proves it; or why there is none. */
export type Planned =
  | { readonly config: Config; readonly plan: MemoryPlan; readonly raisedLimit: boolean }
  | { readonly problem: Problem };

/** Batch sizes and requests in flight where the user says nothing, best first: what no longer fits gives way to the next. */
const LADDER: readonly { maxBytes: number; inFlight: number }[] = [
  ...steps(BATCH_MAX_BYTES, 256 * 1024, IN_FLIGHT_MAX),
  ...steps(1024 * 1024, 32 * 1024, 1),
];

function steps(from: number, to: number, inFlight: number): { maxBytes: number; inFlight: number }[] {
  const sizes: number[] = [];
  for (let maxBytes = from; maxBytes >= to; maxBytes = Math.floor((maxBytes * 7) / 8 / 4096) * 4096)
    sizes.push(maxBytes);
  return sizes.map((maxBytes) => ({ maxBytes, inFlight }));
}

/**
 * Adds up every pool and shrinks the batches that the user left open until the sum fits the limit. Without any explicit
 * size the limit gives way instead: a default never keeps pannier from starting.
 */
export function planMemory(draft: Config, explicit: Explicit, estimates: Estimates): Planned {
  let smallest = fit(draft, explicit, estimates, LADDER.at(-1)!);
  for (const step of LADDER) {
    const fitted = fit(draft, explicit, estimates, step);
    if (fitted.plan.plannedBytes <= draft.memoryLimitBytes) return { ...fitted, raisedLimit: false };
    if (fitted.plan.plannedBytes < smallest.plan.plannedBytes) smallest = fitted;
  }
  const sinkSizes = draft.sinks.some(
    (sink, i) => explicit.maxBytes[i] || (sink.type !== "stdout" && explicit.inFlight[i]),
  );
  if (explicit.limit || explicit.maxLineBytes || sinkSizes)
    return { problem: overLimit(draft, explicit, estimates, smallest.plan) };
  const limitBytes = smallest.plan.plannedBytes;
  return {
    config: { ...smallest.config, memoryLimitBytes: limitBytes },
    plan: { ...smallest.plan, limitBytes },
    raisedLimit: true,
  };
}

/** The plan with one step of the ladder. */
function fit(
  draft: Config,
  explicit: Explicit,
  estimates: Estimates,
  step: { maxBytes: number; inFlight: number },
): { config: Config; plan: MemoryPlan } {
  const sinks = draft.sinks.map((sink, i): SinkConfig => {
    const maxBytes = explicit.maxBytes[i] ? sink.batch.maxBytes : step.maxBytes;
    const inFlight = explicit.inFlight[i] ? sink.batch.inFlight : step.inFlight;
    return { ...sink, batch: { ...sink.batch, maxBytes, inFlight } };
  });
  const config = { ...draft, sinks };
  const maxLineBytes = largestLineBytes(draft.inputs);
  const readBufferBytes = Math.max(CHUNK_BYTES, maxLineBytes) + READ_SLACK_BYTES + TAIL_BYTES;
  const maxRecordBytes = Math.max(0, ...draft.inputs.map((input) => estimates.recordBytes(input)));
  const sinkPlans = sinks.map((sink): SinkPlan => {
    const batchBufferBytes = Math.max(sink.batch.maxBytes, maxRecordBytes);
    return { name: sink.name, batches: sink.batch.inFlight + 1, batchBufferBytes };
  });
  const lines = [
    { name: "read buffer", bytes: readBufferBytes },
    ...estimates.sharedPools(maxLineBytes, draft.inputs.length),
    ...sinks.flatMap((sink, i) => sinkLines(sink, sinkPlans[i], estimates.sinkPools(sink, maxRecordBytes))),
  ];
  const plannedBytes = lines.reduce((sum, line) => sum + line.bytes, 0);
  return {
    config,
    plan: {
      limitBytes: draft.memoryLimitBytes,
      plannedBytes,
      readBufferBytes,
      maxRecordBytes,
      sinks: sinkPlans,
      lines,
    },
  };
}

function sinkLines(sink: SinkConfig, { batches, batchBufferBytes }: SinkPlan, pools: readonly PlanLine[]): PlanLine[] {
  return [
    { name: `${sink.name}: ${batches} batches of ${formatSize(batchBufferBytes)}`, bytes: batches * batchBufferBytes },
    { name: `${sink.name}: lists of their records`, bytes: batches * Batch.BYTES_OF_ARRAYS },
    ...pools.map((pool) => ({ name: `${sink.name}: ${pool.name}`, bytes: pool.bytes })),
  ];
}

function overLimit(draft: Config, explicit: Explicit, estimates: Estimates, smallest: MemoryPlan): Problem {
  const batch = explicit.maxBytes.indexOf(true);
  const flight = draft.sinks.findIndex((sink, i) => sink.type !== "stdout" && explicit.inFlight[i]);
  let path: Path = ["memory", "limit"];
  if (!explicit.limit) {
    if (batch >= 0) path = ["sinks", batch, "batch", "max_bytes"];
    else if (flight >= 0) path = ["sinks", flight, "batch", "in_flight"];
    else path = ["inputs", largestInput(draft.inputs), "max_line_bytes"];
  }
  const needed = formatUp(smallest.plannedBytes);
  const limit = formatSize(draft.memoryLimitBytes);
  const lineBytes = largestLine(draft, explicit, estimates);
  const alternatives = [
    `set memory.limit to at least ${needed}`,
    ...(lineBytes === undefined ? [] : [`max_line_bytes to at most ${formatSize(lineBytes)}`]),
    ...(batch >= 0 || flight >= 0 ? ["leave batch.max_bytes and batch.in_flight out, so that they are derived"] : []),
  ];
  const largest = smallest.lines.toSorted((a, b) => b.bytes - a.bytes).slice(0, 3);
  return {
    code: "config_plan_over_limit",
    path,
    message: `the memory plan needs at least ${needed}, and memory.limit is ${limit}`,
    hint: `Either ${alternatives.join(", or ")}. Largest: ${largest.map((line) => `${line.name} ${formatSize(line.bytes)}`).join("; ")}.`,
  };
}

function largestLineBytes(inputs: readonly InputConfig[]): number {
  return Math.max(0, ...inputs.map((input) => input.maxLineBytes));
}

function largestInput(inputs: readonly InputConfig[]): number {
  return inputs.reduce((best, input, i) => (input.maxLineBytes > inputs[best].maxLineBytes ? i : best), 0);
}

/** The largest power of two for `max_line_bytes` that would fit, all else equal. */
function largestLine(draft: Config, explicit: Explicit, estimates: Estimates): number | undefined {
  const now = largestLineBytes(draft.inputs);
  for (let bytes = 64 * 1024 * 1024; bytes >= 1024; bytes /= 2) {
    if (bytes >= now) continue;
    const inputs = draft.inputs.map((input) => ({ ...input, maxLineBytes: Math.min(input.maxLineBytes, bytes) }));
    const smaller = { ...draft, inputs };
    if (LADDER.some((step) => fit(smaller, explicit, estimates, step).plan.plannedBytes <= draft.memoryLimitBytes))
      return bytes;
  }
  return undefined;
}

/** Rounded up to a tenth of a MiB, so that the number works when it is written into the file. */
function formatUp(bytes: number): string {
  return `${Math.ceil((bytes / 1024 ** 2) * 10) / 10}MiB`;
}
