import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { addFile, inDirectory, open } from "./tools.ts";

const MACHINE = "0123456789abcdef0123456789abcdef";

async function scopeOf(directory: string, podUid: string | undefined, machineIdPath: string): Promise<string> {
  const state = await open(directory, { podUid, machineIdPath });
  const { scope } = state;
  await state.stop();
  return scope;
}

test("the Pod's UID, else the machine id (as a digest), else an identifier that stays with the directory", () =>
  inDirectory(async (base) => {
    const machineId = join(base, "machine-id");
    const nothing = join(base, "nothing");
    writeFileSync(machineId, `${MACHINE}\n`);
    const directory = join(base, "state");
    expect(await scopeOf(directory, "uid-1", machineId)).toBe("pod:uid-1");
    const machine = await scopeOf(directory, undefined, machineId);
    expect(machine).toMatch(/^machine:[0-9a-f]{32}$/);
    expect(machine).not.toContain(MACHINE);
    expect(await scopeOf(join(base, "other"), "", machineId)).toBe(machine);

    const own = await scopeOf(directory, undefined, nothing);
    expect(own).toMatch(/^state:[0-9a-f-]{36}$/);
    expect(await scopeOf(directory, "uid-2", nothing)).toBe("pod:uid-2");
    expect(await scopeOf(directory, undefined, nothing)).toBe(own);
    rmSync(join(directory, "snapshot"));
    expect(await scopeOf(directory, undefined, nothing)).toBe(own);
    expect(await scopeOf(join(base, "other"), undefined, nothing)).not.toBe(own);
  }));

test("a machine id that is none (empty, or 'uninitialized' at first boot) is not taken", () =>
  inDirectory(async (base) => {
    const machineId = join(base, "machine-id");
    for (const text of ["", "uninitialized\n", "0123"]) {
      writeFileSync(machineId, text);
      expect(await scopeOf(join(base, "state"), undefined, machineId)).toMatch(/^state:/);
    }
  }));

test("a key that was given stays, whatever the scope becomes", () =>
  inDirectory(async (directory) => {
    let state = await open(directory, { podUid: "uid-1" });
    state.nameFile(addFile(state, "/logs/a.log"), "aa", 10, "f".repeat(32));
    await state.stop();
    state = await open(directory, { podUid: "uid-2" });
    expect(state.files.get(1)!.key).toBe("f".repeat(32));
    await state.stop();
  }));
