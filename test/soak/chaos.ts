/**
 * The chaos soak: an application that writes and rotates, a destination that fails, pannier killed and frozen again and again;
 * then everything that was written is compared with everything that arrived.
 * `npm run chaos -- [--seconds 30] [--runs 1] [--seed N] [--elasticsearch URL|start]`
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { PannierProcess } from "../model/process.ts";
import { verify } from "../model/verify.ts";
import { type Random, seededRandom } from "../support/random.ts";
import { elasticsearchTarget, receiverTarget, type Target } from "./target.ts";
import { readWritten } from "./written.ts";

const WRITER = fileURLToPath(new URL("writer.ts", import.meta.url));
/** Looks without progress, each followed by a pause: a machine that stands still makes nobody late. */
const LOOKS_MAX = 3_000;
const LOOK_MS = 20;
const SHOWN_MAX = 10;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "30" },
    runs: { type: "string", default: "1" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
    elasticsearch: { type: "string" },
  },
});

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

interface Counts {
  kills: number;
  drains: number;
  freezes: number;
  troubles: number;
}

/** Trouble for pannier until the time is over; `starting` is called before each start. */
async function harass(
  pannier: PannierProcess,
  random: Random,
  until: number,
  counts: Counts,
  starting: () => void,
): Promise<void> {
  while (performance.now() < until) {
    await sleep(100 + random.below(1_500));
    const choice = random.next();
    if (choice < 0.2) {
      counts.freezes++;
      await pannier.freeze(random.below(800));
      continue;
    }
    if (choice < 0.8) {
      counts.kills++;
      await pannier.kill();
    } else {
      counts.drains++;
      await pannier.drain();
    }
    if (random.chance(0.3)) await sleep(random.below(1_500));
    starting();
    await pannier.start();
  }
}

/** Trouble for the destination until the time is over. */
async function disturb(target: Target, random: Random, until: number, counts: Counts): Promise<void> {
  while (performance.now() < until) {
    await sleep(100 + random.below(1_500));
    counts.troubles++;
    await target.trouble(random);
    await sleep(random.below(800));
    await target.heal();
  }
}

/** Until pannier says that everything is committed, or gets no further. */
async function settle(pannier: PannierProcess): Promise<void> {
  let left = Infinity;
  for (let quiet = 0, looks = 0; quiet < 3 && looks < LOOKS_MAX; looks++) {
    const files = await pannier.look();
    const before = left;
    left = files.reduce((sum, { unread, inFlight }) => sum + unread + inFlight, 0);
    if (left < before) looks = 0;
    const isDone = files.length > 0 && left === 0;
    quiet = isDone ? quiet + 1 : 0;
    await sleep(isDone ? 15 * LOOK_MS : LOOK_MS);
  }
}

/** One run; true when nothing was lost, doubled or torn. */
async function run(seed: number, seconds: number, elasticsearch: string | undefined): Promise<boolean> {
  const root = mkdtempSync(join(tmpdir(), "pannier-chaos-"));
  for (const directory of ["a", "b"]) mkdirSync(join(root, directory));
  const target = elasticsearch === undefined ? await receiverTarget() : await elasticsearchTarget(elasticsearch);
  const pannier = new PannierProcess(root, target.url, target.dataStream, elasticsearch === undefined ? 0 : 2);
  const random = seededRandom(seed);
  const counts: Counts = { kills: 0, drains: 0, freezes: 0, troubles: 0 };
  const startedAt = performance.now();
  const until = startedAt + seconds * 1_000;
  const writer = spawn(process.execPath, [WRITER, root, String(seed)], { stdio: "inherit" });
  const writerEnds = once(writer, "exit");
  try {
    await pannier.start();
    const troubled = seededRandom(seed + 1);
    const starting = (): boolean => writer.kill("SIGUSR2");
    await Promise.all([harass(pannier, random, until, counts, starting), disturb(target, troubled, until, counts)]);
    writer.kill("SIGTERM");
    await writerEnds;
    await target.heal();
    await settle(pannier);
    const isDrained = await pannier.drain();
    const { model, rotations } = readWritten(root);
    const verdict = verify(model, await target.documents());
    const open = pannier
      .terms()
      .filter((t) => t.delivered + t.filtered + t.deadLettered + t.cut + t.lost !== t.committed - t.start).length;
    const { lost, doubled, torn } = verdict;
    const bad = [...lost, ...doubled, ...torn];
    const took = Math.round((performance.now() - startedAt) / 1_000);
    say(
      `seed ${seed}: written ${verdict.written}, delivered ${verdict.delivered}, lost ${lost.length}, doubled ${doubled.length}, ` +
        `torn ${torn.length}; ${rotations} rotations, ${counts.kills} kills, ${counts.drains} drains, ${counts.freezes} freezes, ` +
        `${counts.troubles} troubles; ${pannier.unexpectedConflicts()} unexpected conflicts, ${open} wrong ledgers, ` +
        `${pannier.saidLostBytes()} bytes said to be lost, ${took} s`,
    );
    const isClean =
      isDrained && bad.length === 0 && open === 0 && pannier.unexpectedConflicts() + pannier.saidLostBytes() === 0;
    if (!isClean) say(`${isDrained ? "" : "the last drain was not complete\n"}${bad.slice(0, SHOWN_MAX).join("\n")}`);
    if (!isClean) say(await pannier.end());
    return isClean;
  } finally {
    writer.kill("SIGKILL");
    await pannier.end();
    await target.stop();
    rmSync(root, { recursive: true, force: true });
  }
}

const first = Number(values.seed);
let clean = 0;
for (let i = 0; i < Number(values.runs); i++) {
  if (await run(first + i, Number(values.seconds), values.elasticsearch)) clean++;
}
say(`${clean} of ${values.runs} runs clean`);
if (clean < Number(values.runs)) process.exitCode = 1;
