/**
 * An application that logs at a steady rate: into one file that it rotates by size (`app.log` → `.1` → `.2` …), and a little
 * into many others. Among usual lines come longer ones, up to the longest of 10 MB, in pieces.
 * Usage: node writer.ts --directory DIR --rotate-bytes N --many-files N --max-line-bytes N
 */
import { closeSync, existsSync, openSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { seededRandom } from "../random.ts";
import { answerQuestions } from "./helper.ts";
import { LineBlock, noise, usualLengths } from "./lines.ts";

export type WriterQuestion =
  /** Go on at another rate. */
  { readonly ask: "rate"; readonly bytesPerSecond: number } | { readonly ask: "report" };

export interface WriterReport {
  /** Lines, and bytes with their line ends. */
  readonly lines: number;
  readonly bytes: number;
  /** Lines that are longer than a receiver gets whole. */
  readonly overlong: number;
  /** Bytes of the longest line. */
  readonly longest: number;
  readonly rotations: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;
const PIECE_BYTES = MiB;
const TICK_MS = 10;
/** Every so many bytes comes a run of long lines, the first of them with the longest of all. */
const LONG_EVERY_BYTES = 48 * MiB;
const LONG_LINES: readonly number[] = [10_000_000, 100 * KiB, 200 * KiB, 256 * KiB, 256 * KiB + 1, 300_000, 1_500_000];
const MANY_LINES_PER_TICK = 5;

const { values } = parseArgs({
  options: {
    directory: { type: "string" },
    "rotate-bytes": { type: "string" },
    "many-files": { type: "string" },
    "max-line-bytes": { type: "string" },
  },
});
const directory = values.directory!;
const maxLineBytes = Number(values["max-line-bytes"]);
const rotateBytes = Number(values["rotate-bytes"]);
const random = seededRandom(20_260_401);
const usual = Array.from({ length: 8 }, () => new LineBlock(usualLengths(random, PIECE_BYTES)));
const filler = noise(random);
const long = LONG_LINES.map((bytes) => new LineBlock([bytes], filler));
const single = new LineBlock([150]);
const many = Array.from({ length: Number(values["many-files"]) }, (_, i) =>
  openSync(join(directory, `many-${String(i).padStart(3, "0")}.log`), "a"),
);

const path = join(directory, "app.log");
let fd = openSync(path, "a");
let fileBytes = 0;
const sum = { lines: 0, bytes: 0, overlong: 0, longest: 0, rotations: 0 };
let toLongBytes = LONG_EVERY_BYTES / 4;
let longTurn = 0;
/** What is being written, and how much of it is. */
let block: LineBlock | undefined;
let blockBytes = 0;

let bytesPerSecond = 0;
let dueBytes = 0;
let tickedAt = performance.now();

function rotate(): void {
  closeSync(fd);
  let last = 1;
  while (existsSync(`${path}.${last}`)) last++;
  for (let i = last; i > 1; i--) renameSync(`${path}.${i - 1}`, `${path}.${i}`);
  renameSync(path, `${path}.1`);
  fd = openSync(path, "a");
  fileBytes = 0;
  sum.rotations++;
}

function nextBlock(): LineBlock {
  if (fileBytes >= rotateBytes) rotate();
  if (toLongBytes > 0) return usual[random.below(usual.length)];
  const turn = longTurn++ % long.length;
  if (turn === long.length - 1) toLongBytes = LONG_EVERY_BYTES;
  return long[turn];
}

/** Writes the next piece, and returns how many bytes that were. */
function writePiece(): number {
  if (block === undefined) {
    block = nextBlock();
    block.number(sum.lines);
    blockBytes = 0;
  }
  const bytes = writeSync(fd, block.bytes, blockBytes, Math.min(PIECE_BYTES, block.bytes.length - blockBytes));
  blockBytes += bytes;
  fileBytes += bytes;
  toLongBytes -= bytes;
  sum.bytes += bytes;
  if (blockBytes === block.bytes.length) {
    sum.lines += block.count;
    const lineBytes = block.count === 1 ? block.bytes.length - 1 : 0;
    if (lineBytes > maxLineBytes) sum.overlong++;
    sum.longest = Math.max(sum.longest, lineBytes);
    block = undefined;
  }
  return bytes;
}

function writeToMany(): void {
  for (let i = 0; i < MANY_LINES_PER_TICK; i++) {
    single.number(sum.lines++);
    sum.bytes += writeSync(many[random.below(many.length)], single.bytes);
  }
}

function tick(): void {
  const now = performance.now();
  // What a busy machine could not write in a second is not made up for.
  dueBytes = Math.min(dueBytes + ((now - tickedAt) / 1000) * bytesPerSecond, bytesPerSecond);
  tickedAt = now;
  while (dueBytes > 0) dueBytes -= writePiece();
  // Their lines are numbered in between, so only when no block is half-written.
  if (bytesPerSecond > 0 && block === undefined && many.length > 0) writeToMany();
}

setInterval(tick, TICK_MS);
answerQuestions("ready", (asked) => {
  const question = asked as WriterQuestion;
  if (question.ask === "rate") {
    bytesPerSecond = question.bytesPerSecond;
    dueBytes = 0;
    tickedAt = performance.now();
    if (bytesPerSecond === 0) while (block !== undefined) writePiece();
  }
  return { ...sum } satisfies WriterReport;
});
