/** Thread of journal-cut.ts: notes the sizes of its files again and again in memory that both threads see. */
import { existsSync, statSync } from "node:fs";
import { workerData } from "node:worker_threads";

const SAMPLE_INTERVAL_MS = 50;

const { paths, samples } = workerData as { readonly paths: readonly string[]; readonly samples: Float64Array };
let at = 0;

setInterval(() => {
  for (const path of paths) samples[at + 1 + paths.indexOf(path)] = existsSync(path) ? statSync(path).size : 0;
  // The time comes last: a sample without one is not finished.
  samples[at] = Date.now();
  at = (at + 1 + paths.length) % samples.length;
}, SAMPLE_INTERVAL_MS);
