import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import { Dormant } from "../../../src/files/dormant.ts";
import type { ListOptions } from "../../../src/files/entries.ts";
import { type Entry, Family } from "../../../src/files/family.ts";
import { listDirectory, lookAtFamily } from "../../../src/files/listing.ts";
import { Patterns } from "../../../src/files/patterns.ts";
import { Roots } from "../../../src/files/roots.ts";
import { Volume } from "../../../src/files/volume.ts";
import { Reports } from "../../../src/files/reports.ts";
import { Slice } from "../../../src/files/slice.ts";
import { INPUT, SILENT } from "./follower.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "pannier-listing-"));
  for (const name of ["a.log", "a.log.2", "a.log.1", "b.log", "c.txt"]) writeFileSync(join(directory, name), name);
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function volumeOf(patterns: Patterns): Volume {
  const roots = new Roots(patterns, []);
  roots.refresh();
  return new Volume(roots, new Reports(SILENT));
}

interface Listed {
  readonly isWhole: boolean;
  readonly families: ReadonlyMap<string, readonly Entry[]>;
}

async function list(entriesMax: number): Promise<Listed> {
  let left = entriesMax;
  const patterns = new Patterns([{ ...INPUT, paths: [directory] }]);
  const volume = volumeOf(patterns);
  const folder = volume.enter(directory)!;
  try {
    const options: ListOptions = {
      patterns,
      reports: new Reports(SILENT),
      slice: new Slice(systemClock),
      volume,
      count: () => left-- > 0,
    };
    const listing = await listDirectory(directory, folder, options);
    const families = new Map<string, Entry[]>();
    for (const [base, names] of listing.families) {
      families.set(base, await lookAtFamily(names, folder, listing, options));
    }
    return { isWhole: listing.isWhole, families };
  } finally {
    folder.close();
  }
}

test("files come by family, the oldest first", async () => {
  const { families, isWhole } = await list(100);
  expect(isWhole).toBe(true);
  expect([...families.keys()].toSorted()).toEqual([join(directory, "a.log"), join(directory, "b.log")]);
  const family = families.get(join(directory, "a.log"))!;
  expect(family.map(({ suffix, matched }) => [suffix, matched])).toEqual([
    [".2", false],
    [".1", false],
    ["", true],
  ]);
});

test("a listing that is cut short says so, and what it leaves out is not taken for gone", async () => {
  const { families, isWhole } = await list(2);
  expect(isWhole).toBe(false);
  const look = volumeOf(new Patterns([{ ...INPUT, paths: [directory] }])).lookAt(join(directory, "c.txt"));
  const family = new Family("x", 0, 0);
  family.putAside(new Dormant(undefined, look!));
  expect(family.hasMissing([...families.values()].flat())).toBe(true);
  expect((await list(5)).isWhole).toBe(true);
});
