import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Clock, systemClock } from "../../../src/core/clock.ts";
import type { InputConfig } from "../../../src/core/config.ts";
import type { Log } from "../../../src/core/log.ts";
import { Tail } from "../../../src/core/record.ts";
import type { Place, SourceFile } from "../../../src/core/source.ts";
import { type CursorRecord, missingOf } from "../../../src/core/state.ts";
import { type FileCatalogue, createFileCatalogue } from "../../../src/files/catalogue.ts";
import { ReadBuffer, readAt } from "../../../src/files/follow.ts";
import { openState } from "../../../src/state/open.ts";
import type { Store } from "../../../src/state/store.ts";

const SINK = "test";
const TURN_MS = 5;

/** A directory for one test, with the verbs of an application that writes and rotates logs. */
export class LogDirectory {
  readonly root: string = mkdtempSync(join(tmpdir(), "pannier-files-"));
  readonly path: string;

  constructor() {
    this.path = join(this.root, "logs");
  }

  at(name: string): string {
    return join(this.path, name);
  }

  appendToFile(name: string, ...lines: string[]): void {
    appendFileSync(this.at(name), lines.map((line) => `${line}\n`).join(""));
  }

  writeFile(name: string, text: string): void {
    writeFileSync(this.at(name), text);
  }

  /** app.log → app.log.1 → app.log.2 → …, as logrotate does; `create` makes a new empty file. */
  rotateFile(name: string, create = true): void {
    this.#shift(name);
    renameSync(this.at(name), this.at(`${name}.1`));
    if (create) writeFileSync(this.at(name), "");
  }

  #shift(name: string): void {
    const numbers = readdirSync(this.path)
      .map((other) => new RegExp(`^${name.replaceAll(".", "\\.")}\\.(\\d+)$`).exec(other)?.[1])
      .filter((number) => number !== undefined)
      .map(Number);
    for (const number of numbers.toSorted((a, b) => b - a)) {
      renameSync(this.at(`${name}.${number}`), this.at(`${name}.${number + 1}`));
    }
  }

  /** app.log.1 → app.log.2 → …, and app.log → a new app.log.1 by copying, as logrotate's copytruncate begins. */
  copyFile(name: string, toBytes?: number): void {
    this.#shift(name);
    copyFileSync(this.at(name), this.at(`${name}.1`));
    if (toBytes !== undefined) truncateSync(this.at(`${name}.1`), toBytes);
  }

  copyTruncate(name: string): void {
    this.copyFile(name);
    this.truncateFile(name);
  }

  renameFile(from: string, to: string): void {
    renameSync(this.at(from), this.at(to));
  }

  truncateFile(name: string, toBytes = 0): void {
    truncateSync(this.at(name), toBytes);
  }

  deleteFile(name: string): void {
    rmSync(this.at(name));
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

export interface Said {
  readonly level: string;
  readonly code: string;
  readonly message: string;
  readonly path: unknown;
}

interface Reading {
  readonly file: SourceFile;
  readonly cursor: CursorRecord;
  readonly tail: Tail;
  read: number;
  /** Where the next line begins. */
  lineStart: number;
  rest: string;
  /** It may have something to read. */
  awake: boolean;
}

export interface FollowerOptions {
  readonly root: string;
  readonly inputs: readonly Partial<InputConfig>[];
  readonly maxOpenFiles?: number;
  readonly allowLinksInto?: readonly string[];
  readonly sinks?: readonly string[];
  /** Committing stops: every file is needed. */
  readonly holdsBack?: boolean;
  readonly places?: Map<string, string>;
}

/**
 * One run of the agent, as far as files go: a catalogue, the real state, and a reader that takes every line and commits it.
 */
export class Follower {
  readonly state: Store;
  readonly catalogue: FileCatalogue;
  readonly events: string[] = [];
  readonly said: Said[] = [];
  /** Lines in the order in which they were read. */
  readonly lines: string[] = [];
  /** Every line by file key and offset, over all runs that share it. */
  readonly places: Map<string, string>;
  /** Unread bytes of files that were replaced. */
  lostBytes = 0;
  #aheadMs = 0;
  readonly #clock: Clock = {
    nowMs: () => Date.now() + this.#aheadMs,
    monotonicMs: () => performance.now() + this.#aheadMs,
  };
  readonly #readings = new Map<number, Reading>();
  readonly #buffer = new ReadBuffer(512 * 1024);
  #holdsBack: boolean;

  private constructor(state: Store, options: FollowerOptions) {
    this.state = state;
    this.#holdsBack = options.holdsBack === true;
    this.places = options.places ?? new Map();
    const say = (level: string) => (code: string, message: string, fields?: Readonly<Record<string, unknown>>) => {
      this.said.push({ level, code, message, path: fields?.["path"] });
    };
    this.catalogue = createFileCatalogue({
      inputs: options.inputs.map((input) => ({ ...INPUT, ...input })),
      state,
      maxOpenFiles: options.maxOpenFiles ?? 1024,
      allowLinksInto: options.allowLinksInto ?? [],
      sinks: options.sinks ?? [SINK],
      sync: () => state.sync(),
      clock: this.#clock,
      log: { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") },
      isNeeded: (file) => this.#isNeeded(file),
      places: (file) => this.#places(file),
      events: {
        opened: (file) => {
          this.events.push(`opened ${nameOf(file)}`);
          this.#begin(file);
        },
        grown: (file) => {
          this.events.push(`grown ${nameOf(file)}`);
          this.#readings.get(file.ordinal)!.awake = true;
        },
        replaced: (old, next) => {
          this.events.push(`replaced ${nameOf(old)}`);
          this.#begin(next);
        },
        moved: (file) => {
          this.events.push(`moved ${nameOf(file)}`);
          this.#readings.get(file.ordinal)!.awake = true;
        },
        lost: (file) => {
          this.events.push(`lost ${nameOf(file)}`);
          this.#abandon(file);
        },
        statusChanged: (file) => this.events.push(`${file.status} ${nameOf(file)}`),
        gone: (record) => {
          for (const cursor of record.cursors.values()) {
            const { lost, perhapsLost } = missingOf(record, cursor);
            if (lost + perhapsLost > 0)
              this.said.push({ level: "warn", code: "bytes_lost", message: "", path: record.lastPath });
          }
        },
        closed: (file) => {
          this.events.push(`closed ${nameOf(file)}`);
          this.#readings.delete(file.ordinal);
        },
      },
    });
  }

  static async start(options: FollowerOptions): Promise<Follower> {
    const follower = await Follower.prepare(options);
    await follower.catalogue.start();
    return follower;
  }

  static async prepare(options: FollowerOptions): Promise<Follower> {
    const state = await openState({
      directory: join(options.root, "state"),
      podUid: "pod-1",
      clock: systemClock,
      log: SILENT,
    });
    return new Follower(state, options);
  }

  /** Sweeps and reads until there is nothing new. */
  async catchUp(): Promise<string[]> {
    for (;;) {
      await this.catalogue.sweep();
      const before = this.lines.length;
      this.readAll();
      if (this.lines.length === before) return this.lines;
    }
  }

  /** Waits, without sweeping, until as many lines have come. */
  async waitForLines(count: number, timeoutMs: number): Promise<string[]> {
    await this.waitFor(() => {
      this.readAll();
      return this.lines.length >= count;
    }, timeoutMs);
    return this.lines;
  }

  /** Waits in turns of the loop. One that takes longer counts no more: then the process, or the machine, stood still. */
  async waitFor(condition: () => boolean, timeoutMs: number): Promise<void> {
    for (let waitedMs = 0; !condition() && waitedMs < timeoutMs; waitedMs += TURN_MS) await sleep(TURN_MS);
  }

  release(): void {
    this.#holdsBack = false;
    for (const reading of this.#readings.values()) this.#commit(reading);
  }

  readAll(): void {
    for (let progress = true; progress;) {
      progress = false;
      for (const reading of [...this.#readings.values()].toSorted((a, b) => a.file.ordinal - b.file.ordinal)) {
        progress = this.#read(reading) || progress;
      }
    }
  }

  file(name: string): SourceFile | undefined {
    return [...this.catalogue.files].find((file) => nameOf(file) === name && file.status !== "replaced");
  }

  openNames(): string[] {
    return [...this.catalogue.files]
      .filter(({ fd }) => fd >= 0)
      .map(nameOf)
      .toSorted();
  }

  /** Time passes for the catalogue. */
  letPass(ms: number): void {
    this.#aheadMs += ms;
  }

  saidCodes(): string[] {
    return this.said.map(({ code }) => code);
  }

  async stop(): Promise<void> {
    await this.catalogue.stop();
    await this.state.stop();
  }

  #begin(file: SourceFile): void {
    const cursor = this.state.openCursor(file.record, SINK, file.startOffset);
    const tail = new Tail();
    tail.set(cursor.tail, 0, cursor.tail.length);
    this.#readings.set(file.ordinal, {
      file,
      cursor,
      tail,
      read: cursor.committed,
      lineStart: cursor.committed,
      rest: "",
      awake: true,
    });
  }

  #abandon(old: SourceFile): void {
    const reading = this.#readings.get(old.ordinal);
    if (reading === undefined) return;
    this.lostBytes += Math.max(0, old.size - reading.read);
    reading.read = Math.max(reading.read, old.size);
    if (!this.#holdsBack) this.#commit(reading);
  }

  #read(reading: Reading): boolean {
    const { file, tail } = reading;
    const before = file.predecessor && this.#readings.get(file.predecessor.ordinal);
    if (before !== undefined && !isReplaced(before.file) && before.read < before.file.size) return false;
    if (isReplaced(file) || !reading.awake || !this.catalogue.reopen(file) || reading.read > file.size) return false;
    if (!this.catalogue.ensureKey(file, file.status !== "live")) return isReplaced(file);
    const chunk = readAt(file, reading.read, 65_536, tail.bytes, tail.length, this.#buffer);
    if (chunk.status === "changed") {
      this.catalogue.replace(file);
      return true;
    }
    reading.awake = chunk.end > chunk.start;
    if (!reading.awake) return false;
    const { bytes } = this.#buffer;
    tail.set(bytes, chunk.start - Math.min(tail.length, 64, reading.read), chunk.end);
    reading.read += chunk.end - chunk.start;
    const pieces = (reading.rest + bytes.toString("latin1", chunk.start, chunk.end)).split("\n");
    reading.rest = pieces.pop()!;
    for (const line of pieces) this.#take(file, reading, line);
    if (!this.#holdsBack) this.#commit(reading);
    return true;
  }

  /** Two different lines in one place of one file would get the same id. */
  #take(file: SourceFile, reading: Reading, line: string): void {
    const place = `${file.record.key} ${reading.lineStart}`;
    const other = this.places.get(place);
    if (other !== undefined && other !== line) throw new Error(`${place} was ${other} and is ${line}`);
    this.places.set(place, line);
    reading.lineStart += line.length + 1;
    this.lines.push(line);
  }

  #commit({ file, cursor, read, tail }: Reading): void {
    if (read <= cursor.committed) return;
    const delivered = read - cursor.committed;
    this.state.commit([
      {
        file: file.record,
        cursor,
        committed: read,
        tail: tail.copy(),
        lastTime: "",
        terms: { delivered, filtered: 0, deadLettered: 0, cut: 0, lost: 0 },
        seenBytes: file.size,
      },
    ]);
  }

  #places(file: SourceFile): Place[] {
    const reading = this.#readings.get(file.ordinal);
    if (reading === undefined || reading.read === reading.cursor.start) return [];
    return [{ offset: reading.read, tail: reading.tail.copy() }];
  }

  #isNeeded(file: SourceFile): boolean {
    const reading = this.#readings.get(file.ordinal);
    return reading !== undefined && reading.cursor.committed < file.size;
  }
}

const ignore = (): void => undefined;
export const SILENT: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore };

export const INPUT: InputConfig = {
  paths: [],
  exclude: ["**/*.gz"],
  startAt: "beginning",
  format: "auto",
  maxLineBytes: 262_144,
  timezone: "UTC",
  fields: {},
  reclaim: "never",
};

function isReplaced(file: SourceFile): boolean {
  return file.status === "replaced";
}

function nameOf(file: SourceFile): string {
  return file.path.slice(file.path.lastIndexOf("/") + 1);
}

/** Descriptors of this process that are open on something below a directory. */
export function openDescriptorsBelow(directory: string): string[] {
  const open: string[] = [];
  for (const fd of readdirSync("/proc/self/fd")) {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      if (target.startsWith(directory)) open.push(target);
    } catch {
      // The descriptor of this very listing is closed by now.
    }
  }
  return open;
}

/**
 * The end of every test: all is closed and removed. A watch that is taken down while it is put up still lists its directory in
 * a thread of Node's, which closes it a moment later; of 100,000 entries, or on a busy machine, that can be seen.
 */
export async function leaveNothing(follower: Follower, logs: LogDirectory): Promise<void> {
  await follower.stop();
  await follower.waitFor(() => openDescriptorsBelow(logs.root).length === 0, 10_000);
  const leaked = openDescriptorsBelow(logs.root);
  logs.remove();
  if (leaked.length > 0) throw new Error(`descriptors are left open: ${leaked.join(", ")}`);
}
