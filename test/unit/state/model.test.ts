import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Boundary, FileRecord } from "../../../src/core/state.ts";
import { dump, inDirectory, open } from "./tools.ts";
import type { State } from "./tools.ts";

/** The same state, told by a hundred lines that know nothing of entries, files and snapshots. */
interface ModelCursor {
  sink: string;
  start: number;
  committed: number;
  tail: string;
  lastTime: string;
  sent: number;
  sentTail: string | undefined;
  delivered: number;
  filtered: number;
  deadLettered: number;
  cut: number;
  lost: number;
  boundaries: Boundary[];
  salts: [number, number][];
}
type ModelFile = Omit<FileRecord, "cursors"> & { cursors: ModelCursor[] };

type Action =
  | { do: "add"; path: string; generation: number }
  | { do: "name"; file: number }
  | { do: "move"; file: number; path: string }
  | { do: "gone"; file: number; at: number }
  | { do: "copy"; file: number; inode: string; size: number }
  | { do: "size"; file: number; bytes: number }
  | { do: "cursor"; file: number; sink: string; start: number }
  | { do: "sent"; file: number; cursor: number; by: number }
  | {
      do: "boundary";
      file: number;
      cursor: number;
      ahead: number;
      length: number;
      kept: number | undefined;
      open: boolean;
    }
  | { do: "salt"; file: number; cursor: number; ahead: number; salt: number }
  | { do: "commit"; file: number; cursor: number; tail: Uint8Array; time: string; terms: number[]; ahead: number }
  | { do: "snapshot" };

const index = fc.nat(7);
const paths = fc.constantFrom("/logs/a.log", "/logs/ü \n\t.log", "/logs/\ud800", `/logs/${"long/".repeat(300)}`);
const actions: fc.Arbitrary<Action[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ do: fc.constant("add" as const), path: paths, generation: fc.nat(2) }) },
    fc.record({ do: fc.constant("name" as const), file: index }),
    fc.record({ do: fc.constant("move" as const), file: index, path: paths }),
    fc.record({ do: fc.constant("gone" as const), file: index, at: fc.constantFrom(0, Date.now()) }),
    fc.record({
      do: fc.constant("copy" as const),
      file: index,
      inode: fc.constantFrom("8", "9"),
      size: fc.constantFrom(6, 7),
    }),
    fc.record({ do: fc.constant("size" as const), file: index, bytes: fc.nat(300) }),
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant("cursor" as const),
        file: index,
        sink: fc.constantFrom("es", "loki"),
        start: fc.nat(100),
      }),
    },
    fc.record({
      do: fc.constant("sent" as const),
      file: index,
      cursor: fc.nat(1),
      by: fc.integer({ min: -5, max: 50 }),
    }),
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("boundary" as const),
        file: index,
        cursor: fc.nat(1),
        ahead: fc.nat(60),
        length: fc.integer({ min: 1, max: 40 }),
        kept: fc.option(fc.nat(10), { nil: undefined }),
        open: fc.boolean(),
      }),
    },
    fc.record({
      do: fc.constant("salt" as const),
      file: index,
      cursor: fc.nat(1),
      ahead: fc.nat(60),
      salt: fc.integer({ min: 1, max: 3 }),
    }),
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant("commit" as const),
        file: index,
        cursor: fc.nat(1),
        tail: fc.uint8Array({ maxLength: 64 }),
        time: fc.constantFrom("", "2026-11-23T02:52:44.123456789Z"),
        terms: fc.array(fc.nat(20), { minLength: 5, maxLength: 5 }),
        ahead: fc.nat(20),
      }),
    },
    fc.constant({ do: "snapshot" as const }),
  ),
  { minLength: 1, maxLength: 60 },
);

/** Does the action to both; an action without something to act on does nothing. */
async function act(state: State, model: ModelFile[], action: Action): Promise<void> {
  if (action.do === "snapshot") return state.snapshot();
  if (action.do === "add") {
    const facts = {
      device: "8:1",
      inode: "7",
      birthtimeMs: 1.25,
      seenMtimeMs: 5,
      path: action.path,
      generation: action.generation,
    };
    const { uid } = state.addFile(facts);
    model.push({
      uid,
      ...facts,
      lastPath: action.path,
      headHash: "",
      headBytes: 0,
      key: "",
      copy: undefined,
      seenBytes: 0,
      goneAtMs: 0,
      cursors: [],
    });
    return;
  }
  const expected = model[action.file];
  if (expected === undefined) return;
  const file = state.files.get(expected.uid)!;
  if (action.do === "name") {
    state.nameFile(file, "ab", 17, `key-${action.file}`);
    Object.assign(expected, { headHash: "ab", headBytes: 17, key: `key-${action.file}` });
  } else if (action.do === "move") {
    state.moveFile(file, action.path);
    expected.lastPath = action.path;
  } else if (action.do === "gone") {
    state.markGone(file, action.at);
    expected.goneAtMs = action.at;
  } else if (action.do === "copy") {
    expected.copy = { device: "8:1", inode: action.inode, birthtimeMs: 2.5, size: action.size };
    state.addCopy(file, expected.copy);
  } else if (action.do === "size") {
    state.noteSize(file, action.bytes);
    expected.seenBytes = Math.max(expected.seenBytes, action.bytes);
  } else if (action.do === "cursor") {
    const { sink, start } = action;
    state.openCursor(file, sink, start);
    if (expected.cursors.some((cursor) => cursor.sink === sink)) return;
    const nothing = { delivered: 0, filtered: 0, deadLettered: 0, cut: 0, lost: 0 };
    expected.cursors.push({
      sink,
      start,
      committed: start,
      tail: "",
      lastTime: "",
      sent: start,
      sentTail: undefined,
      ...nothing,
      boundaries: [],
      salts: [],
    });
  } else {
    const wanted = expected.cursors[action.cursor];
    if (wanted !== undefined) actOnCursor(state, file, expected, wanted, action);
  }
}

function actOnCursor(
  state: State,
  file: FileRecord,
  modelFile: ModelFile,
  model: ModelCursor,
  action: Extract<Action, { cursor: number }>,
): void {
  const cursor = file.cursors.get(model.sink)!;
  if (action.do === "sent") {
    const to = model.sent + action.by;
    const tail = Buffer.alloc(4, to);
    state.markSent([{ file, cursor, to, tail }]);
    if (to > model.sent) model.sentTail = to > model.committed ? tail.toString("hex") : undefined;
    model.sent = Math.max(model.sent, to);
  } else if (action.do === "boundary") {
    const from = model.committed + action.ahead;
    const to = from + action.length;
    const { kept } = action;
    const boundary = { from, to, ...(kept !== undefined && { kept }), ...(action.open && { unterminated: true }) };
    state.addBoundary(file, cursor, boundary);
    model.boundaries = [...model.boundaries.filter((other) => other.from !== from), boundary].toSorted(
      (a, b) => a.from - b.from,
    );
  } else if (action.do === "salt") {
    const from = model.committed + action.ahead;
    state.addSalt(file, cursor, from, action.salt);
    model.salts = [
      ...model.salts.filter((other) => other[0] !== from),
      [from, action.salt] as [number, number],
    ].toSorted((a, b) => a[0] - b[0]);
  } else {
    const [delivered, filtered, deadLettered, cut, lost] = action.terms as [number, number, number, number, number];
    const committed = model.committed + delivered + filtered + deadLettered + cut + lost;
    const tail = Buffer.from(action.tail);
    const seenBytes = committed + action.ahead;
    const sums = { delivered, filtered, deadLettered, cut, lost };
    state.commit([{ file, cursor, committed, tail, lastTime: action.time, terms: sums, seenBytes }]);
    modelFile.seenBytes = Math.max(modelFile.seenBytes, seenBytes);
    if (committed === model.committed) return;
    model.delivered += delivered;
    model.filtered += filtered;
    model.deadLettered += deadLettered;
    model.cut += cut;
    model.lost += lost;
    Object.assign(model, { committed, tail: tail.toString("hex"), lastTime: action.time });
    if (committed >= model.sent) model.sentTail = undefined;
    model.boundaries = model.boundaries.filter(({ to }) => to >= committed);
    model.salts = model.salts.filter(([from]) => from >= committed);
  }
}

function plain(model: ModelFile[]): unknown {
  return structuredClone(model).map((file) => ({
    ...file,
    cursors: file.cursors.toSorted((a, b) => (a.sink < b.sink ? -1 : 1)),
  }));
}

interface History {
  /** Size of the journal and the state at that size, since its beginning. */
  readonly steps: { bytes: number; state: unknown }[];
  readonly end: unknown;
}

/** Does all actions, each checked against the model, and leaves a copy of the directory as a crash would leave it. */
async function run(directory: string, copy: string, all: readonly Action[]): Promise<History> {
  const state = await open(directory);
  const journal = join(directory, "journal");
  const model: ModelFile[] = [];
  let steps: History["steps"] = [{ bytes: 0, state: [] }];
  for (const action of all) {
    await act(state, model, action);
    const now = plain(model);
    expect(dump(state.files)).toEqual(now);
    const bytes = statSync(journal).size;
    if (action.do === "snapshot") steps = [{ bytes: 0, state: now }];
    else if (bytes > steps.at(-1)!.bytes) steps.push({ bytes, state: now });
  }
  const end = plain(model);
  mkdirSync(copy);
  for (const name of ["journal", "snapshot"]) cpSync(join(directory, name), join(copy, name));
  await state.stop();
  return { steps, end };
}

test("a restart finds what was there, after a stop and after a crash", async () => {
  await fc.assert(
    fc.asyncProperty(actions, (all) =>
      inDirectory(async (base) => {
        const directory = join(base, "state");
        const copy = join(base, "copy");
        const { end } = await run(directory, copy, all);
        for (const [path, found] of [
          [directory, "stopped"],
          [copy, "crashed"],
        ] as const) {
          const state = await open(path);
          expect(state.found).toBe(found);
          expect(dump(state.files)).toEqual(end);
          await state.stop();
        }
      }),
    ),
    { numRuns: 40 },
  );
});

test("a journal that ends at any byte gives the state after the last whole entry", async () => {
  await fc.assert(
    fc.asyncProperty(actions, fc.double({ min: 0, max: 1, noNaN: true }), (all, where) =>
      inDirectory(async (base) => {
        const copy = join(base, "copy");
        const { steps } = await run(join(base, "state"), copy, all);
        const journal = join(copy, "journal");
        const bytes = Math.floor(statSync(journal).size * where);
        truncateSync(journal, bytes);
        // The head of a journal is synced with it: without one, behind a snapshot, a journal is missing.
        const isHeadless = !readFileSync(journal).includes(10) && all.some((action) => action.do === "snapshot");
        const state = await open(copy);
        expect(state.found).toBe(isHeadless ? "damaged" : "crashed");
        expect(dump(state.files)).toEqual(steps.findLast((step) => step.bytes <= bytes)!.state);
        await state.stop();
      }),
    ),
    { numRuns: 50 },
  );
});

test("a flipped bit costs the entries of its line and no other", async () => {
  await fc.assert(
    fc.asyncProperty(
      actions,
      fc.constantFrom("journal", "snapshot"),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.nat(7),
      (all, name, where, bit) =>
        inDirectory(async (base) => {
          const damaged = join(base, "damaged");
          const without = join(base, "without");
          await run(join(base, "state"), damaged, all);
          cpSync(damaged, without, { recursive: true });
          const bytes = readFileSync(join(damaged, name));
          const at = Math.floor(bytes.length * where);
          const [from, to] = linesAround(bytes, at);
          writeFileSync(join(without, name), Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]));
          bytes[at] ^= 1 << bit;
          writeFileSync(join(damaged, name), bytes);

          const [state, expected] = [await open(damaged), await open(without)];
          expect(dump(state.files)).toEqual(dump(expected.files));
          const isTornTail = name === "journal" && at === bytes.length - 1 && from > 0;
          expect(state.found).toBe(isTornTail ? "crashed" : "damaged");
          await state.stop();
          await expected.stop();
        }),
    ),
    { numRuns: 50 },
  );
});

/** The line that holds byte `at`, and the one behind it too when the byte is its end (they become one). */
function linesAround(bytes: Buffer, at: number): [number, number] {
  const from = at === 0 ? 0 : bytes.lastIndexOf(10, at - 1) + 1;
  const end = bytes.indexOf(10, at) + 1;
  const next = bytes[at] === 10 ? bytes.indexOf(10, at + 1) + 1 : end;
  return [from, next === 0 ? bytes.length : next];
}

test("anything at all in the files is read without an error", async () => {
  const rubbish = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.string({ maxLength: 300, unit: "binary" }).map((text) => Buffer.from(text)),
  );
  await fc.assert(
    fc.asyncProperty(rubbish, rubbish, rubbish, (snapshot, old, journal) =>
      inDirectory(async (directory) => {
        writeFileSync(join(directory, "snapshot"), snapshot);
        writeFileSync(join(directory, "journal.old"), old);
        writeFileSync(join(directory, "journal"), journal);
        const state = await open(directory);
        expect(state.found).toBe("damaged");
        expect(state.files.size).toBe(0);
        await state.stop();
      }),
    ),
    { numRuns: 20 },
  );
});

test("16 MiB of zeros behind the journal, as some file systems leave after a power cut, are a torn line", () =>
  inDirectory(async (base) => {
    const copy = join(base, "copy");
    const { end } = await run(join(base, "state"), copy, [{ do: "add", path: "/logs/a.log", generation: 0 }]);
    appendFileSync(join(copy, "journal"), Buffer.alloc(16 << 20));
    const state = await open(copy);
    expect(state.found).toBe("crashed");
    expect(dump(state.files)).toEqual(end);
    await state.stop();
    rmSync(copy, { recursive: true });
  }));
