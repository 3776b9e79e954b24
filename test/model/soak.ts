/**
 * The model test for as long as asked: `npm run soak -- --minutes 60 [--cases N] [--lanes N] [--seed N] [--core] [--jitter MS]`.
 * A failure is repeated with `--seed N --path P --replay R`, as printed, and `--repeat N` where it needs luck. With `--jitter` the
 * core stands still for moments of up to so many milliseconds, as on a busy machine: that finds what depends on when it looks.
 */
import { parseArgs } from "node:util";
import { simulatedStage } from "./core.ts";
import { jitter } from "./jitter.ts";
import { realStage } from "./process.ts";
import { playMany } from "./run.ts";

const MINUTE_MS = 60_000;
const REPORT_MS = 30_000;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    cases: { type: "string", default: "1000000" },
    lanes: { type: "string", default: "4" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
    path: { type: "string" },
    replay: { type: "string" },
    core: { type: "boolean", default: false },
    jitter: { type: "string", default: "0" },
    repeat: { type: "string", default: "1" },
  },
});
const seed = Number(values.seed);
const isReplay = values.path !== undefined;
const startedAt = performance.now();
let reportedAt = startedAt;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

say(`seed ${seed}`);
if (Number(values.jitter) > 0) jitter(Number(values.jitter));
try {
  const sum = { cases: 0, documents: 0 };
  for (let i = isReplay ? Number(values.repeat) : 1; i > 0; i--) {
    const { cases, documents } = await playMany({
      stage: values.core ? simulatedStage : realStage,
      lanes: isReplay ? 1 : Number(values.lanes),
      cases: isReplay ? 1 : Number(values.cases),
      seed,
      maxMs: Number(values.minutes) * MINUTE_MS,
      ...(values.path === undefined ? {} : { path: values.path }),
      ...(values.replay === undefined ? {} : { replayPath: values.replay }),
      onCase: (count) => {
        if (performance.now() - reportedAt < REPORT_MS) return;
        reportedAt = performance.now();
        say(`${count} stories in ${Math.round((reportedAt - startedAt) / 1000)} s`);
      },
    });
    sum.cases += cases;
    sum.documents += documents;
  }
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  say(
    `${sum.cases} stories, ${sum.documents} lines delivered, 0 lost, 0 doubled, 0 torn, in ${seconds} s; seed ${seed}`,
  );
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
