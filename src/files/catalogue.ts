import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../core/clock.ts";
import type { InputConfig } from "../core/config.ts";
import { describe } from "../core/errors.ts";
import { HOT_FOR_MS, SWEEP_HOT_MS } from "../core/limits.ts";
import type { Log } from "../core/log.ts";
import type { Place, SourceFile } from "../core/source.ts";
import type { StateStore } from "../core/state.ts";
import { Absent } from "./absent.ts";
import { Copies } from "./copies.ts";
import { Directories } from "./directories.ts";
import type { FileEvents } from "./events.ts";
import { type Directory, activeAtMs } from "./directory.ts";
import { Hints } from "./hints.ts";
import { KnownFamilies } from "./known.ts";
import { Openings } from "./openings.ts";
import { Orphans } from "./orphans.ts";
import { Patterns } from "./patterns.ts";
import { Reclaim } from "./reclaim.ts";
import { Reports } from "./reports.ts";
import { Roots } from "./roots.ts";
import { Roster } from "./roster.ts";
import { Slice } from "./slice.ts";
import type { Source } from "./source.ts";
import { Sweep } from "./sweep.ts";
import { Volume } from "./volume.ts";

export type { FileEvents } from "./events.ts";

/** What a reload can change. */
export interface FollowConfig {
  readonly inputs: readonly InputConfig[];
  readonly maxOpenFiles: number;
  readonly allowLinksInto: readonly string[];
  /** Names of all sinks. */
  readonly sinks: readonly string[];
}

export interface FileCatalogueOptions extends FollowConfig {
  readonly state: StateStore;
  /** Brings every commit so far to the disk; false when that failed. */
  sync(): Promise<boolean>;
  readonly clock: Clock;
  readonly log: Log;
  /** True while some sink has not committed the file to its end. */
  isNeeded(file: SourceFile): boolean;
  /** Where the sinks are in a file. */
  places(file: SourceFile): readonly Place[];
  readonly events: FileEvents;
}

/** The files that are followed: found, identified and opened once, for all sinks. */
export interface FileCatalogue {
  /** Those that are open, and replaced ones of which bytes are still in flight. */
  readonly files: Iterable<SourceFile>;
  /** What was deleted because of `reclaim`. */
  readonly reclaimed: { readonly files: number; readonly bytes: number };
  /** First complete sweep: every file found, identified, matched with the state, opened. Then it sweeps by itself. */
  start(): Promise<void>;
  /**
   * From now on these are the inputs. Files that are still followed go on as they are, their descriptors open; `switchOver` is
   * called between two sweeps, with files that nobody follows any more closed and none of the new ones found. Then every file
   * is told of with `opened`, known ones again. It resolves then; a first sweep as at the start follows. Only after `start`.
   */
  follow(config: FollowConfig, switchOver: () => void): Promise<void>;
  /** Files that none of these inputs would follow. */
  strangersTo(inputs: readonly InputConfig[]): SourceFile[];
  /** One complete sweep now. */
  sweep(): Promise<void>;
  /**
   * Computes and journals the key of a file whose head is known; with `force` from the bytes there are. False while it
   * cannot, and when the file had to go on as new content (`replaced` was told). Throws when the journal cannot be written.
   */
  ensureKey(file: SourceFile, force: boolean): boolean;
  /** Opens a file again whose descriptor was needed for others. False when that cannot be now: it is tried again. */
  reopen(file: SourceFile): boolean;
  /** The bytes before a cursor have changed, or the file is shorter than it: new content. Undefined when that is known. */
  replace(file: SourceFile): SourceFile | undefined;
  /** Ends timers and watches, closes every descriptor. */
  stop(): Promise<void>;
}

/** Wires the parts together; nothing runs before `start`. */
export function createFileCatalogue(options: FileCatalogueOptions): FileCatalogue {
  const { state, clock, log } = options;
  const isNeeded = (source: SourceFile): boolean => options.isNeeded(source);
  const reports = new Reports(log);
  const slice = new Slice(clock);
  /** Of the last first look that was complete: what these own and is found later came later. */
  let lookedFor: Patterns | undefined;
  const patterns = new Patterns(options.inputs);
  const roots = new Roots(patterns, options.allowLinksInto);
  const volume = new Volume(roots, reports);
  const roster = new Roster({ ...options, isNeeded, reports, volume, onOrphan });
  const opened = options.events.opened.bind(options.events);
  const openings = new Openings({ patterns, roster, volume, opened });
  const copies = new Copies({ roster, openings, state, places: (file) => options.places(file) });
  const hints = new Hints(log, (directory) => sweep.hint(directory));
  const found = hints.add.bind(hints);
  const lost = hints.remove.bind(hints);
  const known = new KnownFamilies(patterns, state);
  const reclaim = new Reclaim({ ...options, patterns, openings, volume, reports });
  const parts = { patterns, roots, volume, roster, openings, copies };
  const stages = { ...parts, state, known, clock, reports, slice, reclaim };
  const directories = new Directories({ ...stages, found, lost });
  const arm = (directory: Directory): void => {
    // A busy directory needs no hints: its next look is near, and the look after it has become quiet arms it. Where names
    // change as fast as they can, a watch would even stop all else: Node reads events until none is left before it does
    // anything else, and chokidar cannot take a watch down before it has put it up completely. When a link has taken the place
    // of a directory, chokidar watches the one above it, which must be quiet as well.
    const nowMs = clock.monotonicMs();
    const above = directories.all.get(dirname(directory.path));
    if (nowMs - activeAtMs(directory) < SWEEP_HOT_MS) return;
    if (above === undefined || nowMs - above.changedAtMs >= HOT_FOR_MS) hints.arm(directory);
  };
  const orphans = new Orphans({ ...stages, directories });
  const absent = new Absent({ ...stages, directories, events: options.events });
  const sweep = new Sweep({ directories, orphans, absent, roster, clock, slice, reports, isNeeded, arm, tidy });

  function onOrphan({ family }: Source): void {
    const directory = directories.all.get(dirname(family.base));
    if (directory !== undefined) sweep.hint(directory);
  }

  function reportPatternsWithoutMatch(): void {
    for (const pattern of patterns.all) {
      if (patterns.hits.has(pattern)) continue;
      const what = directories.all.has(pattern.root) && pattern.literal ? "no *.log file in" : "no file matches";
      reports.once("warn", "no_match", pattern.text, `${what} ${pattern.text}; it is looked for again and again`);
    }
  }

  /** Looks at everything, also at what waits for room among the open files. False when that was cut short. */
  async function sweepAll(): Promise<boolean> {
    let isWhole = await sweep.full();
    while (isWhole && directories.isPatient) {
      await sleep(SWEEP_HOT_MS / 4);
      isWhole = await sweep.next();
    }
    return isWhole;
  }

  /** A first look at everything: at the start, and when the inputs have changed. */
  async function look(): Promise<boolean> {
    roster.isFirstLook = (base) => lookedFor === undefined || lookedFor.ownerOf(base) < 0;
    // What a sweep that was cut short has not found is not gone.
    copies.beginFirstLook();
    if (!(await sweepAll())) return false;
    if (copies.endFirstLook() && !(await sweepAll())) return false;
    lookedFor = new Patterns(patterns.inputs);
    roster.isFirstLook = () => false;
    reportPatternsWithoutMatch();
    absent.begin();
    return true;
  }

  /** The state forgets vanished files after a day; what is remembered here goes with them. */
  function tidy(): void {
    roster.identity.prune();
    known.refresh();
  }

  return {
    files: roster.sources,
    reclaimed: reclaim,
    async start() {
      if (!(await look())) return;
      await hints.start();
      sweep.start();
    },
    strangersTo(inputs) {
      const next = new Patterns(inputs);
      return [...roster.sources].filter(({ family }) => next.ownerOf(family.base) < 0);
    },
    async follow(next, switchOver) {
      await sweep.interrupt();
      patterns.follow(next.inputs);
      roots.allowed = next.allowLinksInto;
      roster.parking.maxOpenFiles = next.maxOpenFiles;
      reclaim.sinks = next.sinks;
      directories.refollow();
      switchOver();
      roster.telling.tellAll(roster.sources);
      known.refresh();
      look().catch((error: unknown) =>
        reports.once("error", "sweep_failed", "", `${describe(error)}; it is tried again`),
      );
    },
    async sweep() {
      if (await sweepAll()) absent.decide();
    },
    ensureKey: (file, force) => roster.contents.ensureKey(file as Source, force),
    reopen: (file) => roster.parking.reopen(file as Source),
    replace: (file) => roster.contents.replace(file as Source),
    async stop() {
      hints.stop();
      await sweep.stop();
      roster.stop();
    },
  };
}
