import { parseArgs } from "node:util";
import { Line } from "../src/core/record.ts";
import { createRecordEncoder } from "../src/records/encoder.ts";
import { scanJson } from "../src/records/formats/json.ts";
import { Members } from "../src/records/members.ts";

/*
 * Megabytes per CPU-second of the records stage over 219-byte JSON lines with optional fields: the scan alone, the whole (scan, normalise, encode),
 * and JSON.parse with JSON.stringify beside them, since the speed of the machine varies more than the code does.
 *
 *     node bench/records.ts [--rounds 5]
 */
const LINE_BYTES = 219;
const LINES = 8_000;
const PASSES = 40;

const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" } } });

/** A small generator with a seed: every run sees the same lines. */
function randomizer(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
}

function makeLines(): Buffer {
  const random = randomizer(7);
  const lines: string[] = [];
  for (let i = 0; i < LINES; i++) {
    const record: Record<string, unknown> = {
      level: 30,
      time: 1_763_866_523_000 + i * 7,
      pid: 4_242,
      hostname: "order-service-7d9f",
      reqId: `req-${i}`,
    };
    if (random() < 0.5) record["userId"] = `u${Math.floor(random() * 1e6)}`;
    if (random() < 0.5) record["durationMs"] = Math.round(random() * 1e5) / 100;
    if (random() < 0.3) record["cached"] = random() < 0.5;
    if (random() < 0.4) record["status"] = 200;
    record["msg"] = "";
    record["msg"] = "order accepted and queued for the warehouse in the north "
      .repeat(4)
      .slice(0, LINE_BYTES - 1 - JSON.stringify(record).length);
    lines.push(JSON.stringify(record));
  }
  return Buffer.from(`${lines.join("\n")}\n`);
}

function measure(name: string, bytes: number, run: () => void): string {
  const before = process.cpuUsage().user;
  for (let pass = 0; pass < PASSES; pass++) run();
  const seconds = (process.cpuUsage().user - before) / 1e6;
  return `${name} ${((bytes * PASSES) / seconds / 1e6).toFixed(0)} MB/s (${((seconds / (bytes * PASSES)) * 1e9).toFixed(1)} s/GB)`;
}

const bytes = makeLines();
const out = Buffer.alloc(4 * 1024 * 1024);
const members = new Members();
const encoder = createRecordEncoder({ format: "auto", timezone: "UTC", fields: {}, serviceName: "orders" });
const line = new Line();
line.bytes = bytes;
line.knownUtf8 = true;
line.path = "/var/log/app/orders.log";
line.fallbackTime = "2025-11-23T00:00:00Z";

function eachLine(visit: (start: number, end: number) => void): void {
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(10, start);
    visit(start, end);
    start = end + 1;
  }
}

let at = 0;
for (let round = 0; round < Number(values.rounds); round++) {
  const results = [
    measure("scan", bytes.length, () => eachLine((start, end) => void scanJson(bytes, start, end, members))),
    measure("encode", bytes.length, () => {
      at = 0;
      eachLine((start, end) => {
        line.start = start;
        line.end = end;
        line.offset = start;
        at = encoder.encode(line, out, at);
      });
    }),
    measure("JSON.parse+stringify", bytes.length, () =>
      eachLine((start, end) => void JSON.stringify(JSON.parse(bytes.toString("latin1", start, end)))),
    ),
  ];
  process.stdout.write(`${results.join(" · ")}\n`);
}
