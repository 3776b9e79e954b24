import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const COLLECT = fileURLToPath(new URL("../../../src/core/collect.ts", import.meta.url));
const MiB = 1024 * 1024;

/** Replaces objects of which so many are always in use, and says how far the heap grows above what is. */
const WORK = `
  import { getHeapStatistics } from "node:v8";
  import { collect, keepHeapSmall } from ${JSON.stringify(COLLECT)};
  keepHeapSmall();
  const inUse = Array.from({ length: 250_000 }, (_, i) => ({ text: "x".repeat(64) + i, at: i + 0.5, list: [i] }));
  collect("major");
  const before = getHeapStatistics().used_heap_size;
  let most = 0;
  for (let i = 0; i < 1_500_000; i++) {
    inUse[i % inUse.length] = { text: "y" + i, at: i + 0.5, list: [i] };
    if (i % 1_000 === 0) most = Math.max(most, getHeapStatistics().used_heap_size);
  }
  process.stdout.write(String(most - before));
`;

test("between two collections the heap grows by a tenth, and not by what V8 finds reasonable", () => {
  const flags = ["--min-semi-space-size=1", "--max-semi-space-size=1", "--input-type=module"];
  const grownBytes = Number(execFileSync(process.execPath, [...flags, "--eval", WORK], { encoding: "utf8" }));
  expect(grownBytes / MiB).toBeGreaterThan(0);
  expect(grownBytes / MiB).toBeLessThan(18);
});
