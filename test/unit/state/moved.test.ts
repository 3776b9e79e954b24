/** The state directory is taken away while pannier runs: everything is in memory, so it is made again. */
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { askRunning } from "../../../src/state/lock.ts";
import { addFile, dump, inDirectory, KeptLog, open, terms } from "./tools.ts";
import type { State } from "./tools.ts";

function commit(state: State, bytes = 10): void {
  const file = state.files.get(1) ?? addFile(state, "/logs/a.log");
  const cursor = state.openCursor(file, "es", 0);
  const committed = cursor.committed + bytes;
  state.commit([{ file, cursor, committed, tail: Buffer.alloc(8), lastTime: "", terms: terms({ delivered: bytes }) }]);
}

const WAYS: readonly [what: string, take: (directory: string) => void][] = [
  ["the directory", (directory) => rmSync(directory, { recursive: true })],
  ["all that is in it", (directory) => readdirSync(directory).forEach((name) => rmSync(join(directory, name)))],
  ["the journal alone", (directory) => rmSync(join(directory, "journal"))],
  [
    "the directory, for one of an older time",
    (directory) => {
      renameSync(directory, `${directory}-away`);
      mkdirSync(directory);
      writeFileSync(join(directory, "snapshot"), "of another time");
    },
  ],
];

test.for(WAYS)("%s is taken away: it is there again within seconds, locked and whole", ([, take]) =>
  inDirectory(async (base) => {
    const directory = join(base, "state");
    const log = new KeptLog();
    let state = await open(directory, { log });
    state.onRequest((line) => Promise.resolve(`echo ${line}`));
    commit(state);
    await state.sync();
    take(directory);
    commit(state);
    await expect.poll(() => log.codes).toContain("state_gone");
    await expect.poll(() => readdirSync(directory)).toEqual(expect.arrayContaining(["journal", "snapshot"]));
    commit(state);
    expect(state.failing).toBe(false);
    await expect(open(directory)).rejects.toMatchObject({ code: "state_locked" });
    expect(await askRunning(directory, "x")).toBe("echo x");
    expect(log.codes).toEqual(["state_gone"]);
    const end = dump(state.files);
    await state.stop();
    state = await open(directory);
    expect(state.found).toBe("stopped");
    expect(dump(state.files)).toEqual(end);
    await state.stop();
  }),
);

test("taken away just before the stop, it is there for the next start", () =>
  inDirectory(async (base) => {
    const directory = join(base, "state");
    const state = await open(directory);
    commit(state);
    rmSync(directory, { recursive: true });
    await state.stop();
    const again = await open(directory);
    expect(again.found).toBe("stopped");
    expect(again.files.get(1)!.cursors.get("es")!.committed).toBe(10);
    await again.stop();
  }));

test("where it cannot be made, nothing more is written until it can", () =>
  inDirectory(async (base) => {
    const directory = join(base, "volume", "state");
    mkdirSync(join(base, "volume"));
    const log = new KeptLog();
    const state = await open(directory, { log });
    commit(state);
    rmSync(join(base, "volume"), { recursive: true });
    writeFileSync(join(base, "volume"), "a file stands in the way");
    commit(state);
    await expect.poll(() => state.failing).toBe(true);
    expect(() => commit(state)).toThrow(expect.objectContaining({ code: "state_write_failed" }));
    rmSync(join(base, "volume"));
    await expect.poll(() => state.failing).toBe(false);
    expect(log.codes).toEqual(["state_gone", "state_recovered"]);
    commit(state);
    await state.stop();
    const again = await open(directory);
    expect(again.files.get(1)!.cursors.get("es")!.committed).toBe(30);
    await again.stop();
  }));
