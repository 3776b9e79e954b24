/** What tests run in a process of its own: `node child.ts TASK DIRECTORY`. It says on stdout what happened, one line each. */
import { closeSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { PannierError } from "../../../src/core/errors.ts";
import { addFile, dump, open, terms } from "./tools.ts";

const [task, directory] = process.argv.slice(2) as [string, string];

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

/** Writes until the volume is full. */
function fill(path: string): void {
  const fd = openSync(path, "w");
  try {
    for (;;) writeSync(fd, Buffer.alloc(4096));
  } catch {
    closeSync(fd);
  }
}

function bytesInUse(): number {
  globalThis.gc!();
  globalThis.gc!();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const tasks: Record<string, () => Promise<void>> = {
  /** Opens, says so, and stays until it is killed. */
  async hold() {
    const state = await open(directory);
    state.onRequest((line) => Promise.resolve(`echo ${line}`));
    say(`open ${state.found}`);
    await setTimeout(60_000);
  },

  /** Commits as fast as it can and says each offset once it is committed; snapshots all the time. */
  async append() {
    const state = await open(directory, { journalMaxBytes: 20_000 });
    const file = state.files.get(1) ?? addFile(state, "/logs/a.log");
    const cursor = state.openCursor(file, "es", 0);
    say(`open ${cursor.committed}`);
    for (;;) {
      for (let i = 0; i < 20; i += 1) {
        const committed = cursor.committed + 10;
        const tail = Buffer.alloc(64, String(committed));
        state.commit([{ file, cursor, committed, tail, lastTime: "t", terms: terms({ delivered: 7, cut: 3 }) }]);
        say(`committed ${committed}`);
      }
      await setTimeout(0);
    }
  },

  /** On a small volume: fills it in the middle of its work, makes room again, goes on. */
  async fill() {
    const ballast = join(directory, "..", "ballast");
    const journal = join(directory, "journal");
    const state = await open(directory);
    const file = addFile(state, "/logs/a.log");
    const cursors = Array.from({ length: 40 }, (_, i) => state.openCursor(file, `sink-${i}`, 0));
    fill(ballast);
    const commit = (): void => {
      state.commit(
        cursors.map((cursor) => ({
          file,
          cursor,
          committed: cursor.committed + 10,
          tail: Buffer.alloc(64),
          lastTime: "",
          terms: terms({ delivered: 10 }),
        })),
      );
    };
    let failed: unknown;
    let before: unknown;
    let bytes = 0;
    while (failed === undefined) {
      before = JSON.stringify(dump(state.files));
      bytes = statSync(journal).size;
      try {
        commit();
      } catch (error) {
        failed = error;
      }
    }
    const { code, exitCode } = failed as PannierError;
    say(`${code} ${exitCode}`);
    say(`memory unchanged ${JSON.stringify(dump(state.files)) === before}`);
    say(`journal unchanged ${statSync(journal).size === bytes}`);
    rmSync(ballast);
    commit();
    const expected = JSON.stringify(dump(state.files));
    say(`goes on ${expected !== before}`);
    await state.stop();
    const again = await open(directory);
    say(`${again.found} ${JSON.stringify(dump(again.files)) === expected}`);
    await again.stop();
  },

  /** Opens and says how that went. */
  async open() {
    const state = await open(directory);
    say(`open ${state.found}`);
    await state.stop();
  },

  /** Opens on a full volume. */
  async openFull() {
    fill(join(directory, "ballast"));
    await open(join(directory, "state"));
    say("open");
  },

  /** Makes the state of 10,000 files. */
  async many() {
    const state = await open(directory);
    for (let i = 0; i < 10_000; i += 1) {
      const file = addFile(state, `/var/log/pods/default_order-service-${i}_4711/app/${i}.log`);
      state.nameFile(file, i.toString(16).padStart(64, "0"), 200, i.toString(16).padStart(32, "0"));
      const cursor = state.openCursor(file, "elasticsearch", 0);
      const committed = 1_000_000 + i;
      const lastTime = `2026-11-23T02:52:44.${i}Z`;
      state.markSent([{ file, cursor, to: committed, tail: Buffer.alloc(64, i) }]);
      state.commit([
        { file, cursor, committed, tail: Buffer.alloc(64, i), lastTime, terms: terms({ delivered: committed }) },
      ]);
    }
    await state.stop();
  },

  /** Opens and says how many bytes a file takes in memory. */
  async memory() {
    const before = bytesInUse();
    const startMs = performance.now();
    const state = await open(directory);
    const openMs = performance.now() - startMs;
    const bytes = Math.round((bytesInUse() - before) / state.files.size);
    say(`${bytes} bytes for each of ${state.files.size} files, opened in ${Math.round(openMs)} ms`);
    await state.stop();
  },
};

try {
  await tasks[task]();
} catch (error) {
  if (!(error instanceof PannierError)) throw error;
  say(`${error.code} ${error.exitCode}`);
  say(error.message);
  say(error.hint ?? "");
  process.exitCode = error.exitCode;
}
