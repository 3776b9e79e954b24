/** Compares delivered documents, field by field, with what the independent oracle says. */
import { closeSync, openSync, readSync } from "node:fs";
import { expectedDocument, flatten, type Fields } from "../oracle/oracle.ts";
import type { MixedFiles } from "./mixed-files.ts";
import type { Random } from "./random.ts";

const OFFSETS_PER_QUERY = 500;

export interface Difference {
  readonly line: string;
  readonly expected: Fields | undefined;
  readonly delivered: Fields | undefined;
}

/** The documents at these offsets of a file, by offset. */
type LookUp = (
  path: string,
  offsets: readonly number[],
) => Promise<ReadonlyMap<number, Record<string, unknown>>> | ReadonlyMap<number, Record<string, unknown>>;

/** Checks `count` lines chosen at random; returns how many were looked at and those that differ. */
export async function compareWithOracle(
  documentsAt: LookUp,
  files: MixedFiles,
  firstSeenMs: number,
  count: number,
  random: Random,
): Promise<{ compared: number; differences: Difference[] }> {
  const chosen = new Set<number>();
  while (chosen.size < Math.min(count, files.written)) chosen.add(random.below(files.written));
  const differences: Difference[] = [];
  let compared = 0;
  for (const [file, path] of files.paths.entries()) {
    const expectation = new Expectation(files, file, firstSeenMs);
    const sequences = Array.from(chosen).filter((sequence) => files.fileOf[sequence] === file);
    for (let at = 0; at < sequences.length; at += OFFSETS_PER_QUERY) {
      const page = sequences.slice(at, at + OFFSETS_PER_QUERY);
      const documents = await documentsAt(
        path,
        page.map((sequence) => files.offsets[sequence]),
      );
      for (const sequence of page) {
        const expected = expectation.of(sequence);
        const source = documents.get(files.offsets[sequence]);
        const delivered = source === undefined ? undefined : flatten(source);
        compared += 1;
        if (!sameFields(expected, delivered)) {
          differences.push({ line: expectation.lineOf(sequence).toString("utf8"), expected, delivered });
        }
      }
    }
    expectation.close();
  }
  return { compared, differences };
}

/** What the oracle expects of the lines of one file. */
class Expectation {
  readonly #files: MixedFiles;
  readonly #file: number;
  readonly #firstSeenMs: number;
  readonly #fd: number;

  constructor(files: MixedFiles, file: number, firstSeenMs: number) {
    this.#files = files;
    this.#file = file;
    this.#firstSeenMs = firstSeenMs;
    this.#fd = openSync(files.paths[file], "r");
  }

  lineOf(sequence: number): Buffer {
    const line = Buffer.alloc(this.#files.lengths[sequence]);
    readSync(this.#fd, line, 0, line.length, this.#files.offsets[sequence]);
    return line;
  }

  of(sequence: number): Fields | undefined {
    return this.#document(sequence, this.#timeBefore(sequence));
  }

  /** The time of the nearest line before it in its file that has one of its own. */
  #timeBefore(sequence: number): string | undefined {
    for (let before = sequence - 1; before >= 0; before--) {
      if (this.#files.fileOf[before] !== this.#file) continue;
      const document = this.#document(before, undefined);
      if (document?.["event.timestamp_source"] === undefined) return String(document?.["@timestamp"]);
    }
    return undefined;
  }

  #document(sequence: number, timeBefore: string | undefined): Fields | undefined {
    return expectedDocument(this.lineOf(sequence), {
      path: this.#files.paths[this.#file],
      offset: this.#files.offsets[sequence],
      timeBefore,
      firstSeenMs: this.#firstSeenMs,
    });
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function sameFields(expected: Fields | undefined, delivered: Fields | undefined): boolean {
  return canonical(expected) === canonical(delivered);
}

function canonical(fields: Fields | undefined): string {
  return JSON.stringify(
    fields === undefined ? undefined : Object.entries(fields).toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
}
