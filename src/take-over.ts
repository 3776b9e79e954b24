import { setTimeout as sleep } from "node:timers/promises";
import { fingerprint } from "./config/fingerprint.ts";
import type { Loaded } from "./config/load.ts";
import { systemClock } from "./core/clock.ts";
import type { Config } from "./core/config.ts";
import { PannierError } from "./core/errors.ts";
import { RELOAD_DRAIN_MS } from "./core/limits.ts";
import type { Log } from "./core/log.ts";
import type { FileCatalogue, FollowConfig } from "./files/catalogue.ts";
import { reportWaiting } from "./pipeline/report.ts";
import type { Shipping } from "./shipping.ts";
import type { Store } from "./state/store.ts";

export interface TakeOverOptions {
  readonly state: Store;
  readonly catalogue: FileCatalogue;
  readonly shipping: Shipping;
  readonly log: Log;
  /** The operator wants to stop. */
  readonly signal: AbortSignal;
}

/** How often it is looked whether what is waited for is done, and how long after the journal could not be written. */
const LOOK_MS = 25;
const RETRY_MS = 1_000;

/**
 * Takes a configuration over while everything runs. What it does not change goes on undisturbed. Files that nobody will follow
 * any more are finished first, and pipelines that are to end deliver what they have read; neither is waited for without end,
 * since a sink may be dead. False when the operator wants to stop: then the old configuration drains.
 */
export async function takeOver({ config, plan }: Loaded, options: TakeOverOptions): Promise<boolean> {
  const { catalogue, shipping, signal } = options;
  const giveUpAtMs = systemClock.monotonicMs() + RELOAD_DRAIN_MS;
  await finishStrangers(config, options, giveUpAtMs);
  const outdated = shipping.outdatedBy(config, plan);
  for (const pipeline of outdated) pipeline.pause();
  await until(() => outdated.every((pipeline) => pipeline.isSettled), giveUpAtMs, signal);
  if (!(await renameSinks(config, options))) {
    for (const pipeline of outdated) pipeline.resume();
    return false;
  }
  await shipping.retire(outdated);
  await catalogue.follow(followed(config), () => shipping.change(config, plan));
  shipping.start();
  return true;
}

/** What the catalogue wants to know of a configuration. */
export function followed({ inputs, maxOpenFiles, allowLinksInto, sinks }: Config): FollowConfig {
  return { inputs, maxOpenFiles, allowLinksInto, sinks: sinks.map(({ name }) => name) };
}

/** Files that nobody will follow any more: what is in them now is still delivered, to the sinks that stay. */
async function finishStrangers(config: Config, options: TakeOverOptions, giveUpAtMs: number): Promise<void> {
  const { catalogue, shipping, signal } = options;
  if (fingerprint(config.inputs) === fingerprint(shipping.config.inputs)) return;
  let isLooked = false;
  void catalogue.sweep().then(() => (isLooked = true));
  await until(() => isLooked, giveUpAtMs, signal);
  const strangers = catalogue.strangersTo(config.inputs).map((file) => ({ file, size: file.size }));
  const lasting = shipping.pipelines.filter(({ sink }) => config.sinks.some(({ name }) => name === sink.name));
  const areThrough = (): boolean =>
    strangers.every(({ file, size }) => lasting.every((pipeline) => pipeline.isThrough(file, size)));
  await until(areThrough, giveUpAtMs, signal);
}

/** Nothing can go on without the journal, so it is tried until it works. False when the operator wants to stop. */
async function renameSinks({ sinks }: Config, { state, log, signal }: TakeOverOptions): Promise<boolean> {
  while (!signal.aborted) {
    try {
      for (const { was, name } of sinks) if (was !== undefined) state.renameSink(was, name);
      return true;
    } catch (error) {
      if (!(error instanceof PannierError)) throw error;
      reportWaiting(log, "reload", error);
      await until(() => false, systemClock.monotonicMs() + RETRY_MS, signal);
    }
  }
  return false;
}

/** Waits until something holds, the time is over or the signal comes. */
async function until(holds: () => boolean, giveUpAtMs: number, signal: AbortSignal): Promise<void> {
  while (!holds() && !signal.aborted && systemClock.monotonicMs() < giveUpAtMs) await sleep(LOOK_MS);
}
