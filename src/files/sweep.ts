import type { Clock } from "../core/clock.ts";
import { describe } from "../core/errors.ts";
import { DIRECTORIES_COST_FACTOR, HINT_COST_FACTOR, HINT_MIN_MS, SWEEP_COLD_MS, SWEEP_HOT_MS } from "../core/limits.ts";
import { checkSource } from "./check.ts";
import type { Absent } from "./absent.ts";
import type { Directories } from "./directories.ts";
import type { Directory } from "./directory.ts";
import type { Orphans } from "./orphans.ts";
import type { Reports } from "./reports.ts";
import type { Roster } from "./roster.ts";
import type { Slice } from "./slice.ts";
import type { Source } from "./source.ts";

export interface SweepOptions {
  readonly directories: Directories;
  readonly orphans: Orphans;
  readonly absent: Absent;
  readonly roster: Roster;
  readonly clock: Clock;
  readonly slice: Slice;
  readonly reports: Reports;
  readonly isNeeded: (source: Source) => boolean;
  /** A directory was looked at; the next hint about it may come when it is quiet. */
  arm(directory: Directory): void;
  /** Called once an hour. */
  tidy(): void;
}

const TIDY_INTERVAL_MS = 3_600_000;

/**
 * The one loop that finds out what happens to files. Everything has a moment at which it is looked at next; a pass looks at
 * what is due, in slices, and sets the timer for the rest. Hints bring moments forward and are never relied upon.
 */
export class Sweep {
  readonly #o: SweepOptions;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Infinity;
  /** Ends when the pass that runs has ended; passes never overlap. */
  #passes: Promise<boolean> = Promise.resolve(true);
  #isRunning = false;
  #isStarted = false;
  #stopped = false;
  /** What could not be looked at the last time. */
  readonly #failing = new WeakSet<Source>();
  readonly #hinted = new Set<Directory>();
  #hintAtMs = Infinity;
  #hintNotBeforeMs = 0;
  #rootsDueMs = 0;
  #directoriesNotBeforeMs = 0;
  #tidyDueMs: number;

  constructor(options: SweepOptions) {
    this.#o = options;
    this.#tidyDueMs = options.clock.monotonicMs() + TIDY_INTERVAL_MS;
  }

  /** Looks at everything, now or right after the pass that runs. False when that was cut short. */
  full(): Promise<boolean> {
    return this.#enqueue(true);
  }

  /** Looks at what is due. False when that was cut short. */
  next(): Promise<boolean> {
    return this.#enqueue(false);
  }

  /** From now on passes come by themselves. */
  start(): void {
    this.#isStarted = true;
    this.#setTimer(this.#o.clock.monotonicMs());
  }

  /**
   * Something has happened in a directory. To look at every write would cost more than it brings: the time after a look is
   * a multiple of what it took.
   */
  hint(directory: Directory): void {
    if (this.#stopped || this.#hinted.has(directory)) return;
    if (this.#hinted.size === 0) {
      this.#hintAtMs = Math.max(this.#o.clock.monotonicMs() + HINT_MIN_MS, this.#hintNotBeforeMs);
      this.#setTimer(this.#hintAtMs);
    }
    this.#hinted.add(directory);
  }

  /** Cuts the pass that runs. What the caller does in the same turn in which this resolves comes between two passes. */
  async interrupt(): Promise<void> {
    this.#o.slice.isCut = true;
    while (this.#isRunning) await this.#passes;
    this.#o.slice.isCut = this.#stopped;
  }

  /** Ends the timer and cuts the pass that runs. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#o.slice.isCut = true;
    clearTimeout(this.#timer);
    await this.#passes;
  }

  #enqueue(isFull: boolean): Promise<boolean> {
    this.#passes = this.#passes.then(() => this.#pass(isFull));
    return this.#passes;
  }

  #setTimer(atMs: number): void {
    if (this.#stopped || this.#isRunning || atMs >= this.#timerAtMs) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = atMs;
    const delayMs = Math.max(1, Math.ceil(atMs - this.#o.clock.monotonicMs()));
    this.#timer = setTimeout(() => {
      this.#timerAtMs = Infinity;
      void this.#enqueue(false);
    }, delayMs);
  }

  async #pass(isFull: boolean): Promise<boolean> {
    if (this.#stopped) return false;
    this.#isRunning = true;
    this.#o.slice.begin();
    this.#o.directories.beginSweep();
    const startMs = this.#o.clock.monotonicMs();
    let wakeAtMs = startMs + SWEEP_COLD_MS;
    try {
      const hinted = this.#takeHints();
      const directoriesAtMs = await this.#checkDirectories(isFull, hinted);
      const sourcesAtMs = await this.#checkSources(isFull, hinted);
      // Not before their files were looked at: what was found to be busy is left alone.
      for (const directory of hinted) this.#o.arm(directory);
      await this.#o.orphans.look();
      await this.#o.absent.look();
      const missedAtMs = Math.max(Math.min(this.#o.orphans.dueMs, this.#o.absent.dueMs), startMs + SWEEP_HOT_MS);
      const rootsAtMs = Math.max(this.#rootsDueMs, this.#directoriesNotBeforeMs);
      wakeAtMs = Math.min(directoriesAtMs, sourcesAtMs, missedAtMs, rootsAtMs);
      const nowMs = this.#o.clock.monotonicMs();
      if (hinted.size > 0) this.#hintNotBeforeMs = nowMs + HINT_COST_FACTOR * (nowMs - startMs);
    } catch (error) {
      if (!this.#o.slice.isCut)
        this.#o.reports.once("error", "sweep_failed", "", `${describe(error)}; it is tried again`);
    }
    this.#isRunning = false;
    if (this.#isStarted) this.#setTimer(Math.min(wakeAtMs, this.#hintAtMs));
    return !this.#o.slice.isCut;
  }

  #takeHints(): ReadonlySet<Directory> {
    if (this.#o.clock.monotonicMs() < this.#hintAtMs) return new Set();
    const hinted = new Set(this.#hinted);
    this.#hinted.clear();
    this.#hintAtMs = Infinity;
    return hinted;
  }

  /** Returns when the next one is due. Directories that are found on the way are looked at as well. */
  async #checkDirectories(isFull: boolean, hinted: ReadonlySet<Directory>): Promise<number> {
    const { directories, slice, clock } = this.#o;
    if (!isFull && hinted.size === 0 && clock.monotonicMs() < this.#directoriesNotBeforeMs)
      return this.#directoriesNotBeforeMs;
    const spentBeforeMs = slice.spentMs;
    if (isFull || clock.monotonicMs() >= this.#rootsDueMs) {
      directories.refreshRoots();
      if (clock.monotonicMs() >= this.#tidyDueMs) {
        this.#o.tidy();
        this.#tidyDueMs = clock.monotonicMs() + TIDY_INTERVAL_MS;
      }
      this.#rootsDueMs = clock.monotonicMs() + SWEEP_COLD_MS;
    }
    let nextMs = Infinity;
    for (const directory of directories.all.values()) {
      if (this.#stopped) break;
      if (isFull || directory.dueAtMs <= clock.monotonicMs() || hinted.has(directory)) {
        await directories.check(directory, isFull, hinted.has(directory));
        if (!hinted.has(directory)) this.#o.arm(directory);
        if (slice.isOver()) await slice.rest();
      }
      nextMs = Math.min(nextMs, directory.dueAtMs);
    }
    const tookMs = slice.spentMs - spentBeforeMs;
    // Files that wait for others to be finished are opened as soon as those are.
    const pauseMs = isFull || directories.isPatient ? 0 : Math.min(SWEEP_COLD_MS / 2, DIRECTORIES_COST_FACTOR * tookMs);
    this.#directoriesNotBeforeMs = clock.monotonicMs() + pauseMs;
    return nextMs;
  }

  async #checkSources(isFull: boolean, hinted: ReadonlySet<Directory>): Promise<number> {
    const { roster, slice, clock } = this.#o;
    const hintedFamilies = new Set([...hinted].flatMap((directory) => [...directory.families.values()]));
    let nextMs = Infinity;
    let nowMs = clock.monotonicMs();
    for (const source of roster.sources) {
      if (this.#stopped) break;
      if (isFull || source.dueAtMs <= nowMs || hintedFamilies.has(source.family)) {
        this.#checkSource(source, nowMs);
        if (slice.isOver()) {
          await slice.rest();
          nowMs = clock.monotonicMs();
        }
      }
      if (!source.closed) nextMs = Math.min(nextMs, source.dueAtMs);
    }
    return nextMs;
  }

  #checkSource(source: Source, nowMs: number): void {
    const { roster, reports, isNeeded } = this.#o;
    try {
      checkSource(source, roster, nowMs, isNeeded);
      if (this.#failing.delete(source)) reports.healed("file_check_failed", source.path);
    } catch (error) {
      const message = `${source.path}: ${describe(error)}; it is looked at again`;
      reports.once("error", "file_check_failed", source.path, message);
      this.#failing.add(source);
      source.dueAtMs = nowMs + SWEEP_COLD_MS;
    }
  }
}
