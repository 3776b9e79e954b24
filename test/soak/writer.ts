/**
 * The application of the chaos soak, a process of its own: `writer.ts ROOT SEED` writes and rotates until it gets a SIGTERM,
 * then finishes its lines and leaves what it has written in ROOT/written.json. It does nothing that could lose a line. After a
 * SIGUSR2 it rotates a lot for a moment: pannier looks at the files for the first time then.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Application, NAMES } from "../model/application.ts";
import type { LineShape } from "../model/lines.ts";
import { Model } from "../model/model.ts";
import { seededRandom } from "../support/random.ts";

/** A start takes most of this before it looks. */
const ROTATES_MS = 400;
/** Of what is chosen from. */
const ROTATION = 0.97;

const [root, seed] = process.argv.slice(2);
const random = seededRandom(Number(seed));
const model = new Model();
const application = new Application(root, model, () => performance.now(), Infinity);
const stop = new AbortController();
let rotations = 0;
let rotatesUntilMs = 0;
process.on("SIGTERM", () => stop.abort());
process.on("SIGUSR2", () => (rotatesUntilMs = performance.now() + ROTATES_MS));

function shape(): LineShape {
  return { json: random.chance(0.5), repeats: random.pick([0, 1, 3, 5, 10, 100]) };
}

const longShape = (): LineShape => ({ json: random.chance(0.5), repeats: 30 + random.below(60) });

/** Rotation as a tool does it, or twenty times within a second. */
async function rotate(name: string): Promise<void> {
  const times = random.chance(0.15) ? 20 : 1;
  for (let i = 0; i < times; i++) {
    application.open(name);
    rotations++;
    const style = random.below(5);
    if (style === 0) application.rotateByNumber(name, random.chance(0.7));
    else if (style === 1) application.rotateByDate(name, random.chance(0.5));
    else if (style === 2) application.moveAcross(name);
    else if (style === 3) application.copyTruncate(name);
    else {
      application.rotateByNumber(name, true);
      application.writeLate(1 + random.below(20), shape());
    }
    if (times > 1) {
      application.write(name, 3, shape());
      await sleep(random.below(50));
    }
  }
}

while (!stop.signal.aborted) {
  const name = random.pick(NAMES);
  const isStarting = performance.now() < rotatesUntilMs;
  const choice = isStarting && random.chance(0.5) ? ROTATION : random.next();
  if (choice < 0.75) application.write(name, 1 + random.below(40), shape());
  else if (choice < 0.8) application.writeHeader(name);
  else if (choice < 0.83) application.writeBlank(name);
  else if (choice < 0.88) application.begin(name, longShape());
  else if (choice < 0.94) application.goOn(name);
  else if (choice < 0.96) application.writeLate(1 + random.below(5), shape());
  else if (choice < 0.98) await rotate(name);
  await sleep(random.below(isStarting ? 3 : 20));
}
for (const content of model.contents.values()) application.endLine(content);
application.close();
writeFileSync(join(root, "written.json"), JSON.stringify({ rotations, lines: model.lines, headers: model.headers }));
