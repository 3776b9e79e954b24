import { pino } from "pino";
import { logOrder } from "./orders.ts";
import { RotatingFile } from "./rotating-file.ts";

/**
 * The application of the demo, a process of its own that knows nothing of pannier: it logs orders with pino into a file and
 * rotates it. Over the IPC channel it tells the demo how many lines are in its files, and ends when the channel closes.
 *
 *     node order-service.js FILE LINES_PER_SECOND ROTATE_BYTES
 */

const TICK_MS = 20;
const REPORT_MS = 100;
/** Rotated files that stay: enough for an agent that was away for a while. */
const KEPT_FILES = 8;

/** What the service reports. */
export interface Written {
  readonly written: number;
  readonly rotations: number;
}

function serve(path: string, linesPerSecond: number, rotateBytes: number): void {
  const file = new RotatingFile(path, rotateBytes, KEPT_FILES);
  const logger = pino({ name: "order-service", level: "debug" }, file.destination);
  let seq = 0;
  let owed = 0;
  let lastMs = performance.now();

  const report = (then?: () => void): void => {
    const written: Written = { written: seq, rotations: file.rotations };
    if (process.connected) process.send!(written, () => then?.());
  };
  const work = setInterval(() => {
    const nowMs = performance.now();
    // After a pause of the machine the service does not make up for all of it at once.
    owed = Math.min(owed + ((nowMs - lastMs) / 1000) * linesPerSecond, linesPerSecond / 2);
    lastMs = nowMs;
    for (; owed >= 1; owed--) {
      file.rotateIfFull();
      logOrder(logger, ++seq);
    }
  }, TICK_MS);
  const reports = setInterval(report, REPORT_MS);

  const stop = (): void => {
    clearInterval(work);
    clearInterval(reports);
    file.destination.flushSync();
    report(() => process.disconnect());
  };
  process.once("SIGTERM", stop);
  process.once("disconnect", () => {
    clearInterval(work);
    clearInterval(reports);
  });
}

const [path = "orders.log", linesPerSecond = "1000", rotateBytes = "1048576"] = process.argv.slice(2);
serve(path, Number(linesPerSecond), Number(rotateBytes));
