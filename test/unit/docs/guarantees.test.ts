import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";

const root = path.resolve(import.meta.dirname, "../../..");
const TEST_PATH = /`(test\/[\w./-]+)`/g;

function read(file: string): string {
  return readFileSync(path.join(root, file), "utf8");
}

/** Paths below `test/` that a text names in code. */
function testsNamed(text: string): string[] {
  return Array.from(text.matchAll(TEST_PATH), ([, file]) => file);
}

interface Promised {
  readonly number: number;
  readonly promise: string;
  readonly limit: string;
  readonly shownBy: string;
}

/** Rows of the table of promises. */
function promises(): Promised[] {
  const section =
    read("docs/guarantees.md")
      .split(/^## /m)
      .find((text) => text.startsWith("What is promised")) ?? "";
  const rows = section
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .slice(2);
  return rows.map((row) => {
    const [number, promise, limit, shownBy] = row
      .slice(1, -1)
      .split(/ \| |^ /)
      .filter((cell) => cell !== "");
    return { number: Number(number), promise, limit, shownBy };
  });
}

describe("docs/guarantees.md", () => {
  test("numbers its promises, each with a name, a limit and a test", () => {
    const all = promises();
    expect(all.length).toBeGreaterThan(20);
    expect(all.map(({ number }) => number)).toEqual(all.map((_, i) => i + 1));
    for (const { number, promise, limit, shownBy } of all) {
      expect(promise, `promise ${number}`).toContain("**");
      expect(limit, `limit of promise ${number}`).toBeTruthy();
      expect(testsNamed(shownBy).length, `tests of promise ${number}`).toBeGreaterThan(0);
    }
  });

  test("names tests that are there", () => {
    for (const file of promises().flatMap(({ shownBy }) => testsNamed(shownBy))) {
      expect(file).toMatch(/\.test\.ts$/);
      expect(existsSync(path.join(root, file)), file).toBe(true);
    }
  });
});

describe("docs/tested.md", () => {
  const named = testsNamed(read("docs/tested.md"));

  test("names tests and folders that are there", () => {
    for (const file of named) expect(existsSync(path.join(root, file)), file).toBe(true);
  });

  test("says of every test of the whole program what it ran against", () => {
    const all = ["test/integration", "test/model"].flatMap((folder) =>
      readdirSync(path.join(root, folder))
        .filter((name) => name.endsWith(".test.ts"))
        .map((name) => `${folder}/${name}`),
    );
    expect(all.filter((file) => !named.includes(file))).toEqual([]);
  });
});
