/** Delivers batches of 1 MiB to standard output; see stdout.test.ts. */
import { Batch } from "../../../src/core/batch.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { createStdoutSink } from "../../../src/sinks/stdout/sink.ts";
import { MemoryLog, TestSource } from "./helpers.ts";

const LINES = 1_024;
const batches = Number(process.argv[2]);
const log = new MemoryLog();
const sink = createStdoutSink({
  config: { type: "stdout", name: "out", batch: { maxBytes: 1 << 20, maxAgeMs: 1, inFlight: 2, compression: "none" } },
  source: new TestSource([]),
  log,
  clock: systemClock,
  onClosed: () => void sink.stop(),
});
const ticking = setInterval(() => process.stderr.write("tick\n"), 50);
try {
  for (let b = 0; b < batches; b++) {
    const batch = new Batch(0, Buffer.alloc(1 << 20));
    for (let i = 0; i < LINES; i++) {
      batch.starts[i] = batch.length;
      batch.length += batch.buffer.write(`{"n":${b * LINES + i},`.padEnd(1_020, "x") + "}\n", batch.length);
      batch.ends[i] = batch.length;
      batch.count++;
    }
    await sink.deliver(batch);
  }
  process.stderr.write("done\n");
} catch {
  process.stderr.write(`aborted ${log.codes().join(" ")}\n`);
}
await sink.stop();
clearInterval(ticking);
