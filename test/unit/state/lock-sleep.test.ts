import type * as FileSystem from "node:fs";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test, vi } from "vitest";
import { takeLock } from "../../../src/state/lock.ts";
import { inDirectory } from "./tools.ts";

/** What happens while the starter sleeps, just before it links its lock. */
const sleep = vi.hoisted(() => ({ meanwhile: (_directory: string): void => {}, links: [] as string[] }));

vi.mock("node:fs", async (importOriginal) => {
  const fs = await importOriginal<typeof FileSystem>();
  return {
    ...fs,
    linkSync(from: string, to: string): void {
      sleep.meanwhile(dirname(to));
      fs.linkSync(from, to);
      sleep.links.push(to.slice(to.lastIndexOf("/") + 1));
    },
  };
});

test("a starter that slept while others came and went withdraws from a number that is not the highest", () =>
  inDirectory(async (directory) => {
    writeFileSync(join(directory, "lock.1"), "");
    sleep.meanwhile = (path) => {
      // Others took 2 and 3 and died, and the one with 3 swept up: the sleeper's link to lock.2 succeeds.
      rmSync(join(path, "lock.1"), { force: true });
      writeFileSync(join(path, "lock.3"), "");
      sleep.meanwhile = () => {};
    };
    const lock = await takeLock(directory);
    expect(sleep.links).toEqual(["lock.2", "lock.4"]);
    expect(readdirSync(directory).toSorted()).toEqual(["lock.3", "lock.4"]);
    await lock.release();
  }));
