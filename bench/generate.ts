/**
 * Writes pino-shaped JSON lines of 219 bytes on average (line end included) with optional fields in random combination.
 * Usage: node bench/generate.ts FILE LINES [SEED]
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { seededRandom, type Random } from "../test/support/random.ts";

export const LINE_BYTES = 219;

const WRITE_BYTES = 1 << 20;
const MESSAGES = [
  "request completed",
  "order accepted",
  "payment authorised by the provider",
  "cache miss, reading from the database",
  "retrying after a timeout of the upstream service",
  'client said "please wait" and left',
];
const PATHS = ["/api/orders", "/api/orders/4711/items", "/api/customers", "/healthz", "/api/payments/confirm"];
const FILLER =
  "the quick brown fox jumps over the lazy dog while the carrier waits at the gate and counts its parcels ";

/** Yields `count` lines as text without line end; every line has `"seq":N`, from `first` up. */
export function* pinoLines(count: number, seed = 1, first = 0): Generator<string> {
  const random = seededRandom(seed);
  let owedBytes = 0;
  let timeMs = Date.UTC(2026, 10, 23, 2, 0, 0);
  for (let seq = first; seq < first + count; seq++) {
    timeMs += random.below(3);
    owedBytes += LINE_BYTES;
    const line = pinoLine(random, seq, timeMs, owedBytes);
    owedBytes -= line.length + 1;
    yield line;
  }
}

/** One line that comes as close to `wantedBytes` as its random fields allow: the message is filled up. All ASCII. */
function pinoLine(random: Random, seq: number, timeMs: number, wantedBytes: number): string {
  let head = `{"level":${random.pick([20, 30, 30, 30, 30, 30, 40, 50])},"time":${timeMs},"pid":4711,"hostname":"order-service-7d9c5b"`;
  if (random.chance(0.3)) head += `,"name":"orders"`;
  if (random.chance(0.5)) head += `,"reqId":"req-${random.hex(6)}"`;
  if (random.chance(0.3)) head += `,"trace_id":"${random.hex(32)}"`;
  if (random.chance(0.2)) head += `,"req":{"method":"GET","url":"${random.pick(PATHS)}"}`;
  if (random.chance(0.4)) head += `,"userId":${random.below(100_000)}`;
  if (random.chance(0.3)) head += `,"responseTime":${random.below(2_000_000) / 1000}`;
  if (random.chance(0.2)) head += `,"cached":${random.chance(0.5)}`;
  if (random.chance(0.1)) head += `,"items":[${random.below(10)},${random.below(10)}]`;
  if (random.chance(0.05)) head += `,"coupon":null`;
  head += `,"seq":${seq},"msg":`;
  const message = JSON.stringify(random.pick(MESSAGES));
  const missing = wantedBytes - head.length - message.length - 2;
  return `${head}${message.slice(0, -1)}${missing > 1 ? ` ${filler(random, missing - 1)}` : ""}"}`;
}

function filler(random: Random, bytes: number): string {
  const from = random.below(FILLER.length);
  return FILLER.repeat(Math.ceil((from + bytes) / FILLER.length)).slice(from, from + bytes);
}

/** Writes the lines to a file and returns its size in bytes. */
export function writePinoFile(path: string, count: number, seed = 1): number {
  const fd = openSync(path, "w");
  let pending = "";
  let bytes = 0;
  for (const line of pinoLines(count, seed)) {
    pending += `${line}\n`;
    if (pending.length >= WRITE_BYTES) {
      bytes += writeSync(fd, pending, null, "latin1");
      pending = "";
    }
  }
  bytes += writeSync(fd, pending, null, "latin1");
  closeSync(fd);
  return bytes;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [path, lines = "1000000", seed = "1"] = process.argv.slice(2);
  if (path === undefined) {
    process.stderr.write("usage: node bench/generate.ts FILE [LINES [SEED]]\n");
    process.exit(64);
  }
  const bytes = writePinoFile(path, Number(lines), Number(seed));
  process.stdout.write(
    `${lines} lines, ${bytes} bytes, ${(bytes / Number(lines)).toFixed(3)} bytes a line on average\n`,
  );
}
