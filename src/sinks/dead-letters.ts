import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rename } from "node:fs/promises";
import path from "node:path";
import type { DeadLettersConfig } from "../core/config.ts";
import { describe, PannierError } from "../core/errors.ts";
import { REPLAY_ROUND_LETTERS } from "../core/delivery-limits.ts";
import type { LostLetter } from "../core/sink.ts";
import { formatSize } from "../core/units.ts";
import type { Problem } from "./exchange.ts";
import { type Letter, formatLetter, linesOf, parseLetter } from "./letter.ts";
import { Turnstile, pause } from "./wait.ts";

export interface DeadLettersOptions {
  /** `STATE_DIR/dead-letters`. */
  readonly directory: string;
  /** Name of the sink: the file is `SINK.ndjson`. */
  readonly sink: string;
  readonly config: DeadLettersConfig;
  /** Letters are about to be dropped to make room; throws when that cannot be recorded. */
  readonly onDrop?: (letters: readonly LostLetter[]) => void;
  /** How long a full or broken file is left alone before the next try. */
  readonly retryMs?: number;
}

/** Letters that were dropped, and the bytes of their events. */
export interface Dropped {
  letters: number;
  bytes: number;
}

/**
 * The file of a sink's dead letters: append and fsync, a size limit, and rewriting for `replay`. One operation at a time, and
 * the file is open only during one: letters are rare, and no descriptor is left to whoever forgets to close it.
 */
export class DeadLetters {
  readonly path: string;
  /** Letters in the file. */
  count = 0;
  /** What `drop_oldest` threw away since the start; the bytes are those that counted as dead-lettered. */
  readonly dropped: Dropped = { letters: 0, bytes: 0 };
  readonly #options: DeadLettersOptions;
  readonly #turnstile = new Turnstile();
  /** -1 until the file was first looked at. */
  #size = -1;
  #unsynced = false;

  constructor(options: DeadLettersOptions) {
    this.#options = options;
    // A name is free text; what could leave the directory is written as percent codes.
    this.path = path.join(options.directory, `${encodeURIComponent(options.sink)}.ndjson`);
  }

  /** Appends a letter; it counts once `sync` has resolved. While there is no room it waits and says so. */
  async write(letter: Letter, signal: AbortSignal, onTrouble: (problem: Problem) => void): Promise<void> {
    const line = Buffer.from(formatLetter(letter, this.#options.sink));
    for (;;) {
      const problem = await this.#turnstile.pass(() => this.#append(line));
      if (problem === undefined) return;
      onTrouble(problem);
      await pause(this.#options.retryMs ?? 1_000, signal);
    }
  }

  async #append(line: Buffer): Promise<Problem | undefined> {
    try {
      return await this.#use(async (file) => {
        const { maxBytes, whenFull } = this.#options.config;
        if (this.#size > 0 && this.#size + line.length > maxBytes) {
          if (whenFull === "stop") return this.#full();
          await this.#dropOldest(file, line.length);
          return this.#append(line);
        }
        // At a fixed place: what a failed write left behind is overwritten by the next one.
        await file.write(line, 0, line.length, this.#size);
        this.#size += line.length;
        this.count++;
        this.#unsynced = true;
        return undefined;
      });
    } catch (error) {
      return this.#broken(error);
    }
  }

  #full(): Problem {
    const { sink, config } = this.#options;
    return {
      code: "dead_letters_full",
      message:
        `the dead letters of ${sink} have reached ${formatSize(config.maxBytes)}, so this sink stops; nothing is lost, the lines ` +
        `wait in their files. Make the server take them and run \`pannier replay\`, raise \`dead_letters.max_bytes\`, or set ` +
        `\`dead_letters.when_full: drop_oldest\``,
    };
  }

  #broken(error: unknown): Problem {
    if (error instanceof PannierError) return { code: error.code, message: error.message };
    return {
      code: "dead_letters_write_failed",
      message: `cannot write ${this.path} (${describe(error)}); the record waits, nothing is lost. Is the disk full?`,
    };
  }

  /** Makes what was written durable. */
  async sync(signal: AbortSignal, onTrouble: (problem: Problem) => void): Promise<void> {
    for (;;) {
      const problem = await this.#turnstile.pass(async () => {
        if (!this.#unsynced) return undefined;
        try {
          await this.#use((file) => file.datasync());
          this.#unsynced = false;
          return undefined;
        } catch (error) {
          return this.#broken(error);
        }
      });
      if (problem === undefined) return;
      onTrouble(problem);
      await pause(this.#options.retryMs ?? 1_000, signal);
    }
  }

  /** Counts what an earlier run left. */
  load(): Promise<void> {
    return this.#turnstile.pass(() => this.#use(() => Promise.resolve()));
  }

  async #use<T>(work: (file: FileHandle) => Promise<T>): Promise<T> {
    const { directory } = this.#options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const file = await open(this.path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      // Also when somebody took the file away.
      if (this.#size < 0 || (await file.stat()).size < this.#size) {
        await syncDirectory(directory);
        await this.#countLetters(file);
      }
      return await work(file);
    } finally {
      await file.close();
    }
  }

  /** A line without its end was cut by a crash before it counted; its record is sent again. */
  async #countLetters(file: FileHandle): Promise<void> {
    let size = 0;
    let count = 0;
    for await (const { end } of linesOf(file, 0, (await file.stat()).size)) {
      size = end;
      count++;
    }
    await file.truncate(size);
    this.#size = size;
    this.count = count;
  }

  /**
   * Makes room by a quarter of the limit at a time, since the file is written anew. What goes is recorded as lost just before
   * the new file takes its place: a crash between the two counts letters as lost that are still there, never the other way.
   */
  async #dropOldest(old: FileHandle, neededBytes: number): Promise<void> {
    const { config, onDrop } = this.#options;
    const needed = this.#size + neededBytes - config.maxBytes;
    const goal = Math.max(needed, Math.floor(config.maxBytes / 4));
    const dropped: LostLetter[] = [];
    let dropping = true;
    const keeps = (text: string, end: number): boolean => {
      if (!dropping) return true;
      dropping = end < needed || (end < goal && dropped.length < REPLAY_ROUND_LETTERS);
      const letter = parseLetter(text);
      if (letter === undefined) return false;
      const { fileKey, offset, length, cut } = letter;
      dropped.push({ fileKey, offset, bytes: length - cut });
      return false;
    };
    await this.#rewrite(old, keeps, () => onDrop?.(dropped));
    this.dropped.letters += dropped.length;
    for (const { bytes } of dropped) this.dropped.bytes += bytes;
  }

  /** Every letter in the file at this moment; what happens to the file meanwhile does not disturb the reader. */
  async *letters(): AsyncGenerator<Letter> {
    await this.load();
    const file = await open(this.path, constants.O_RDONLY);
    try {
      for await (const { text } of linesOf(file, 0, this.#size)) {
        const letter = parseLetter(text);
        if (letter !== undefined) yield letter;
      }
    } finally {
      await file.close();
    }
  }

  /** Takes letters out of the file: it is written anew beside itself and takes its place at once. */
  async remove(ids: ReadonlySet<string>): Promise<void> {
    if (ids.size === 0) return;
    await this.#turnstile.pass(() =>
      this.#use((old) => this.#rewrite(old, (text) => !ids.has(parseLetter(text)?.id ?? ""))),
    );
  }

  async #rewrite(
    old: FileHandle,
    keeps: (text: string, end: number) => boolean,
    beforeSwitch: () => void = () => {},
  ): Promise<void> {
    const temporary = `${this.path}.tmp`;
    const file = await open(temporary, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC, 0o600);
    let size = 0;
    let count = 0;
    try {
      for await (const { text, end } of linesOf(old, 0, this.#size)) {
        if (!keeps(text, end)) continue;
        const line = Buffer.from(`${text}\n`);
        await file.write(line, 0, line.length, size);
        size += line.length;
        count++;
      }
      await file.sync();
    } finally {
      await file.close();
    }
    beforeSwitch();
    await rename(temporary, this.path);
    await syncDirectory(this.#options.directory);
    this.#size = size;
    this.count = count;
    this.#unsynced = false;
  }

  /** Resolves when no operation is under way. */
  close(): Promise<void> {
    return this.#turnstile.pass(() => Promise.resolve());
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
