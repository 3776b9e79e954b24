/** Whatever has happened to the files of the state directory: pannier starts, takes nothing for true that never was, and says so. */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { FileRecord } from "../../../src/core/state.ts";
import { addFile, dump, inDirectory, KeptLog, open, terms } from "./tools.ts";
import type { State } from "./tools.ts";

const NAMES = ["snapshot", "journal.old", "journal"] as const;
type Name = (typeof NAMES)[number];

/** What the state said at any time, by file: a cursor as text, and single facts that may be lost one by one. */
interface Truth {
  readonly cursors: Map<number, Set<string>>;
  readonly facts: Map<number, Set<string>>;
  end: unknown;
}

type Plain = ReturnType<typeof plain>[number];

function plain(files: ReadonlyMap<number, FileRecord>) {
  return [...files.values()].map(({ uid, path, generation, inode, key, cursors }) => ({
    uid,
    identity: JSON.stringify([path, generation, inode]),
    key,
    cursors: [...cursors.values()],
  }));
}

/** Where a sink stands: what a commit says as one, so that tail, time and terms always belong to the offset. */
function position(cursor: Plain["cursors"][number]): string {
  const { sink, start, committed, tail, lastTime, delivered, filtered, deadLettered, cut, lost } = cursor;
  const place = [sink, start, committed, tail.toString("hex"), lastTime];
  return JSON.stringify([...place, delivered, filtered, deadLettered, cut, lost]);
}

function factsOf({ identity, key, cursors }: Plain): string[] {
  return [
    identity,
    `key ${key}`,
    ...cursors.flatMap(({ sink, sent, boundaries, salts }) => [
      `${sink} sent ${sent}`,
      ...boundaries.map((boundary) => `${sink} ${JSON.stringify(boundary)}`),
      ...[...salts].map(([from, salt]) => `${sink} salt ${from} ${salt}`),
    ]),
  ];
}

function remember(state: State, truth: Truth): void {
  for (const file of plain(state.files)) {
    const positions = truth.cursors.get(file.uid) ?? new Set();
    const facts = truth.facts.get(file.uid) ?? new Set(["key "]);
    for (const cursor of file.cursors) positions.add(position(cursor));
    for (const fact of factsOf(file)) facts.add(fact);
    // Before its first mark, a cursor says that nothing was sent behind its start.
    for (const { sink, start } of file.cursors) facts.add(`${sink} sent ${start}`);
    truth.cursors.set(file.uid, positions);
    truth.facts.set(file.uid, facts);
  }
  truth.end = dump(state.files);
}

/** A run of some work with a crash or a stop at its end, a snapshot in its middle and one that fails behind. */
async function work(directory: string, backup: string, seed: number, stops: boolean): Promise<Truth> {
  const truth: Truth = { cursors: new Map(), facts: new Map(), end: [] };
  for (let round = 0; round < 2; round += 1) {
    const state = await open(directory);
    for (let i = 0; i < 12; i += 1) {
      const known = [...state.files.values()];
      const file = i % 4 === 0 ? addFile(state, `/logs/${round}-${i}.log`, i % 3) : known[(seed + i) % known.length];
      state.nameFile(file, "ab", 17, `key-${file.uid}`);
      const cursor = state.openCursor(file, (seed + i) % 2 === 0 ? "es" : "loki", seed % 3);
      const to = cursor.committed + 10;
      state.addBoundary(file, cursor, { from: cursor.committed, to: to + (seed % 2) });
      remember(state, truth);
      if (i % 5 === 0) state.addSalt(file, cursor, to + 3, 1);
      state.markSent([{ file, cursor, to, tail: Buffer.alloc(8, to) }]);
      remember(state, truth);
      const tail = Buffer.alloc(8, to);
      state.commit([{ file, cursor, committed: to, tail, lastTime: `t${to}`, terms: terms({ delivered: 9, cut: 1 }) }]);
      remember(state, truth);
      if (i === seed % 12) await state.snapshot();
    }
    if (round === 0) cpSync(directory, backup, { recursive: true, filter: (path) => !path.includes("lock") });
    if (stops || round === 0) await state.stop();
    else {
      const copy = `${directory}-crashed`;
      cpSync(directory, copy, { recursive: true, filter: (path) => !path.includes("lock") });
      await state.stop();
      rmSync(directory, { recursive: true });
      cpSync(copy, directory, { recursive: true });
    }
  }
  return truth;
}

/** What is done to a file; `at` is a share of its length. */
interface Harm {
  readonly do: "cut" | "zero tail" | "flip" | "zero" | "swap" | "remove" | "older" | "leave";
  readonly name: Name;
  readonly at: number;
  readonly bit: number;
  readonly bytes: number;
}

const harms: fc.Arbitrary<Harm[]> = fc.array(
  fc.record({
    do: fc.constantFrom("cut", "zero tail", "flip", "zero", "swap", "remove", "older", "leave"),
    name: fc.constantFrom(...NAMES),
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    bit: fc.nat(7),
    bytes: fc.constantFrom(1, 64, 512, 4096),
  }),
  { minLength: 1, maxLength: 4 },
);

function harm(directory: string, backup: string, what: Harm): void {
  const path = join(directory, what.name);
  if (what.do === "leave") return writeFileSync(`${path}.new`, "half of a fi");
  if (!existsSync(path)) return undefined;
  if (what.do === "remove") return rmSync(path);
  // An older journal beside a newer snapshot looks like a start that was killed in between, so it is not among these.
  if (what.do === "older") return what.name === "snapshot" ? cpSync(join(backup, what.name), path) : undefined;
  const content = readFileSync(path);
  const from = Math.floor(content.length * what.at);
  const clip = (end: number): number => Math.min(content.length, end);
  if (what.do === "cut") return writeFileSync(path, content.subarray(0, from));
  if (what.do === "zero tail") content.fill(0, from);
  else if (what.do === "flip") content[from] ^= 1 << what.bit;
  else if (what.do === "zero") content.fill(0, from, clip(from + what.bytes));
  else {
    // Two blocks that lie beside each other change places.
    const first = Buffer.from(content.subarray(from, clip(from + what.bytes)));
    const second = Buffer.from(content.subarray(clip(from + what.bytes), clip(from + 2 * what.bytes)));
    content.set(second, from);
    content.set(first, from + second.length);
  }
  return writeFileSync(path, content);
}

test("cut, flipped, zeroed, swapped, removed or replaced by older ones: it starts, and nothing is true that never was", async () => {
  await fc.assert(
    fc.asyncProperty(harms, fc.nat(100), fc.boolean(), (all, seed, stops) =>
      inDirectory(async (base) => {
        const [directory, backup] = [join(base, "state"), join(base, "backup")];
        const truth = await work(directory, backup, seed, stops);
        for (const what of all) harm(directory, backup, what);
        const log = new KeptLog();
        const state = await open(directory, { log });
        for (const file of plain(state.files)) {
          const facts = truth.facts.get(file.uid) ?? new Set();
          expect(factsOf(file).filter((fact) => !facts.has(fact))).toEqual([]);
          for (const cursor of file.cursors) {
            const { start, committed, delivered, filtered, deadLettered, cut, lost } = cursor;
            expect(delivered + filtered + deadLettered + cut + lost).toBe(committed - start);
            // Without its commits, a cursor begins anew.
            if (committed > start) expect([...truth.cursors.get(file.uid)!]).toContain(position(cursor));
          }
        }
        const isWhole = JSON.stringify(dump(state.files)) === JSON.stringify(truth.end);
        if (state.found === "stopped") expect(isWhole).toBe(true);
        expect(log.codes.includes("state_damaged")).toBe(state.found === "damaged");
        const end = dump(state.files);
        await state.stop();
        const again = await open(directory);
        expect(again.found).toBe("stopped");
        expect(dump(again.files)).toEqual(end);
        await again.stop();
      }),
    ),
    { numRuns: 40 },
  );
});

test("every prefix of journal and snapshot: a start, and never more than was true", () =>
  inDirectory(async (base) => {
    const [directory, backup, copy] = [join(base, "state"), join(base, "backup"), join(base, "copy")];
    const truth = await work(directory, backup, 5, false);
    for (const name of ["journal", "snapshot"] as const) {
      const content = readFileSync(join(directory, name));
      for (let length = 0; length < content.length; length += 19) {
        mkdirSync(copy);
        for (const other of ["journal", "snapshot"]) cpSync(join(directory, other), join(copy, other));
        writeFileSync(join(copy, name), content.subarray(0, length));
        const state = await open(copy);
        expect(state.found).not.toBe("stopped");
        if (name === "snapshot") expect(state.found).toBe("damaged");
        for (const { uid, cursors } of state.files.values())
          for (const cursor of cursors.values())
            if (cursor.committed > cursor.start) expect([...truth.cursors.get(uid)!]).toContain(position(cursor));
        await state.stop();
        rmSync(copy, { recursive: true });
      }
    }
  }));

/** Each of these takes entries away without leaving a damaged line behind. */
test.for<[what: string, harm: (directory: string, backup: string) => void]>([
  ["a snapshot from a backup", (directory, backup) => cpSync(join(backup, "snapshot"), join(directory, "snapshot"))],
  ["a journal that was deleted", (directory) => rmSync(join(directory, "journal"))],
  ["a journal that is empty", (directory) => writeFileSync(join(directory, "journal"), "")],
  ["a snapshot that was deleted", (directory) => rmSync(join(directory, "snapshot"))],
])("%s is damage, said once, whatever the rest says of a clean stop", ([, take]) =>
  inDirectory(async (base) => {
    const [directory, backup] = [join(base, "state"), join(base, "backup")];
    await work(directory, backup, 5, true);
    take(directory, backup);
    const log = new KeptLog();
    const state = await open(directory, { log });
    expect(state.found).toBe("damaged");
    expect(log.codes).toEqual(["state_damaged"]);
    await state.stop();
  }),
);

test("first starts that are cut off behind their snapshot, one after the other, are no damage", () =>
  inDirectory(async (directory) => {
    for (const found of ["nothing", "crashed", "crashed", "crashed"]) {
      const log = new KeptLog();
      const state = await open(directory, { log });
      expect([state.found, log.codes]).toEqual([found, []]);
      await state.stop();
      rmSync(join(directory, "journal"));
    }
  }));

test("the whole directory from a backup is what it says: the state of its time", () =>
  inDirectory(async (base) => {
    const [directory, backup] = [join(base, "state"), join(base, "backup")];
    await work(directory, backup, 5, true);
    const state = await open(backup);
    expect(state.found).toBe("crashed");
    expect(state.files.size).toBe(3);
    await state.stop();
  }));
