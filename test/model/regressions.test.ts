/** Stories that went wrong once, as short as they were found to be. */
import { expect, test } from "vitest";
import { simulatedStage } from "./core.ts";
import { realStage } from "./process.ts";
import { World } from "./world.ts";

const SHORT = { json: false, repeats: 1 };
const LOG = "a/web.log";

const STORIES: Readonly<Record<string, (world: World) => Promise<void>>> = {
  // The empty record of the truncated file was taken for that of a new file with the same inode, born at another time, which
  // the start after the next then knew for another one.
  "truncated, killed, replaced by a file with the same inode, started twice": async (world) => {
    const { application } = world;
    application.write(LOG, 1, SHORT);
    await world.settle();
    application.truncate(LOG);
    await world.subject.pass(600);
    await world.kill();
    application.replace(LOG, 2, SHORT, false);
    application.rotateByDate(LOG, false);
    await world.start();
    application.write(LOG, 50, SHORT);
    await world.settle();
    await world.drain();
    await world.start();
  },

  // What was written after the truncation was read as if it were the old content, and again once the truncation was noticed.
  "truncated and written again between a look and the first read": async (world) => {
    const { application } = world;
    application.begin(LOG, { json: false, repeats: 30 });
    await world.settle();
    application.truncate(LOG);
    application.writeHeader(LOG);
  },

  // The copy was looked for in the directory of the file alone, which was another one before or after the move.
  "moved to another directory, copied and truncated there between two looks": async (world) => {
    const { application } = world;
    application.write(LOG, 1, SHORT);
    await world.settle();
    application.moveAcross(LOG);
    application.copyTruncate("b/web.log");
    application.write("b/web.log", 2, SHORT);
  },

  "copied and truncated, and moved to another directory between two looks": async (world) => {
    const { application } = world;
    application.write(LOG, 3, SHORT);
    await world.settle();
    application.copyTruncate(LOG);
    application.moveAcross(LOG);
    application.write(LOG, 2, SHORT);
  },

  // A header and a part of a line were sent, and that end of the line was remembered. Another file with the same header was
  // taken for a copy of it, and the line in that place was torn.
  "sent without an answer, and replaced by a file with the same header that is rotated": async (world) => {
    const { application } = world;
    application.writeHeader(LOG);
    application.begin(LOG, { json: false, repeats: 30 });
    await world.receiver.misbehave("mute", 2);
    await world.drain();
    application.replace(LOG, 2, { json: false, repeats: 5 }, true);
    application.rotateByDate(LOG, false);
    application.writeLate(1, SHORT);
    application.truncate(LOG);
    await world.start();
  },

  // A rotated file that began like its successor was held back as a copy of it, and was its copy for good when that was truncated.
  "rotated, begun alike, written late, and truncated between two looks": async (world) => {
    const { application } = world;
    application.writeBlank(LOG);
    application.rotateByNumber(LOG, false);
    application.writeBlank(LOG);
    application.write(LOG, 50, SHORT);
    await world.settle();
    application.writeLate(1, SHORT);
    application.truncate(LOG);
  },

  // Of two contents that were sent and not answered, the copy became that with the shorter proof.
  "sent without an answer, made anew with the same header, killed, copied and truncated": async (world) => {
    const { application } = world;
    await world.receiver.misbehave("muteTaken", 2);
    application.writeHeader(LOG);
    await world.subject.pass(400);
    application.replace(LOG, 2, SHORT, true);
    await world.subject.pass(400);
    await world.kill();
    application.copyTruncate(LOG);
    application.writeHeader(LOG);
  },
};

test.each(
  Object.keys(STORIES).flatMap((name) => [
    [name, "the real process", realStage] as const,
    [name, "its core", simulatedStage] as const,
  ]),
)("%s: %s", async (name, _, stage) => {
  const world = await World.create(stage);
  try {
    await world.start();
    await STORIES[name](world);
    const { lost, doubled, torn } = await world.finish();
    expect([...lost, ...doubled, ...torn]).toEqual([]);
  } finally {
    await world.remove();
  }
});
