import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { Child } from "./process.ts";
import { inDirectory, open } from "./tools.ts";

const KILLS = 12;

test("what was committed before a kill -9 is there after it", () =>
  inDirectory(async (directory) => {
    let committed = 0;
    for (let round = 0; round < KILLS; round += 1) {
      const child = new Child("append", directory);
      expect(await child.line(0)).toBe(`open ${committed}`);
      await setTimeout(Math.random() * 120);
      expect(await child.kill()).toBe("SIGKILL");
      const said = Number(child.lines.at(-1)!.split(" ")[1]);

      const state = await open(directory);
      expect(state.found).toBe("crashed");
      const cursor = state.files.get(1)!.cursors.get("es")!;
      expect([said, said + 10]).toContain(cursor.committed);
      expect(cursor.tail).toEqual(Buffer.alloc(64, String(cursor.committed)));
      expect(cursor.delivered + cursor.cut).toBe(cursor.committed);
      committed = cursor.committed;
      await state.stop();
    }
    expect(committed).toBeGreaterThan(0);
  }));
