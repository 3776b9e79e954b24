/** Whether mixed files are in Loki: every line once, as it was written, in the order of its file. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { eachEntry, type FoundEntry } from "./loki-query.ts";
import type { MixedFiles } from "./mixed-files.ts";

export interface MixedResult {
  readonly missing: number;
  readonly doubled: number;
  readonly different: number;
  /** Lines that do not stand behind the line before though their own time is not before its. Those without one follow it. */
  readonly disordered: number;
}

export const ALL_ONCE: MixedResult = { missing: 0, doubled: 0, different: 0, disordered: 0 };

/** Looks at all entries of a selector; again for a while, as long as some are missing. */
export async function compareMixed(url: string, selector: string, files: MixedFiles): Promise<MixedResult> {
  for (let tries = 0; ; tries++) {
    const result = await look(url, selector, files);
    if (result.missing === 0 || tries === 5) return result;
    await sleep(1_000);
  }
}

async function look(url: string, selector: string, files: MixedFiles): Promise<MixedResult> {
  const sequenceOf = placesOf(files);
  const contents = files.paths.map((path) => readFileSync(path));
  const times = new Uint8Array(files.written);
  const stood = new BigInt64Array(files.written);
  const own = new Float64Array(files.written);
  let different = 0;
  const visit = ({ line, time, metadata }: FoundEntry): void => {
    const sequence = sequenceOf(metadata["file"] ?? "", Number(metadata["offset"]));
    if (sequence === undefined) {
      different++;
      return;
    }
    const [offset, length] = [files.offsets[sequence], files.lengths[sequence]];
    if (contents[files.fileOf[sequence]].toString("utf8", offset, offset + length) !== line) different++;
    times[sequence]++;
    stood[sequence] = time;
    own[sequence] = ownTime(line);
  };
  await eachEntry(url, selector, visit);
  let disordered = 0;
  const last = new Map<number, number>();
  for (let sequence = 0; sequence < files.written; sequence++) {
    const before = last.get(files.fileOf[sequence]);
    last.set(files.fileOf[sequence], sequence);
    if (before === undefined || times[sequence] === 0 || times[before] === 0) continue;
    if (stood[sequence] <= stood[before] && own[sequence] >= own[before]) disordered++;
  }
  const missing = times.filter((n) => n === 0).length;
  return { missing, doubled: times.filter((n) => n > 1).length, different, disordered };
}

/** Milliseconds of a pino line; NaN for any other, which is compared with nothing. */
function ownTime(line: string): number {
  return Number(/^\{"level":\d+,"time":(\d{13}),/.exec(line)?.[1] ?? Number.NaN);
}

/** Finds the sequence number of a line by its place: in a file, they rise with the offsets. */
function placesOf(files: MixedFiles): (path: string, offset: number) => number | undefined {
  const sequences = files.paths.map((): number[] => []);
  for (let sequence = 0; sequence < files.written; sequence++) sequences[files.fileOf[sequence]].push(sequence);
  const byPath = new Map(files.paths.map((path, i) => [path, sequences[i]]));
  return (path, offset) => {
    const list = byPath.get(path) ?? [];
    let [low, high] = [0, list.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (files.offsets[list[middle]] < offset) low = middle + 1;
      else high = middle;
    }
    return files.offsets[list[low]] === offset ? list[low] : undefined;
  };
}
