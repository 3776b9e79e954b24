import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import type { FileRecord, StateStore } from "../../../src/core/state.ts";
import { headOf } from "../../../src/files/head.ts";
import { type Bytes, Identity } from "../../../src/files/identity.ts";
import { type Look, lookAtOpen } from "../../../src/files/open.ts";
import { openState } from "../../../src/state/open.ts";
import { SILENT } from "./follower.ts";

let directory: string;
let state: StateStore;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "pannier-identity-"));
  state = await openState({ directory, podUid: "pod-1", clock: systemClock, log: SILENT });
});

afterEach(async () => {
  await state.stop();
  rmSync(directory, { recursive: true });
});

/** A file of 100 bytes, and what is said to be different about it. */
function look(facts: Partial<Look> = {}): Look {
  const { device = "1", inode = "7", mtimeMs = 1000 } = facts;
  return {
    path: "/logs/app.log",
    id: `${device}:${inode}`,
    device,
    inode,
    kind: "file",
    size: 100,
    links: 1,
    mtimeMs,
    mtimeNs: BigInt(mtimeMs) * 1_000_000n,
    birthtimeMs: 500,
    birthtimeIsReal: true,
    ...facts,
  };
}

const FIRST = Buffer.from("first line\nsecond line\n");

/** A file that begins with these bytes and has the tails that are asked for, or has not. */
function bytes(first: Buffer = FIRST, hasTail = true): Bytes {
  return { first, proven: (places) => (hasTail || places.every(({ tail }) => tail.length === 0) ? 0 : -1) };
}

/** The file was followed, shipped up to byte 50, and closed. */
function shipped(facts: Partial<Look> = {}, first = FIRST): FileRecord {
  const identity = new Identity(state);
  const { record } = identity.identify(look(facts), bytes(first), false)!;
  expect(identity.name(record, headOf(first, false)!)).toBe(true);
  const cursor = state.openCursor(record, "sink", 0);
  const terms = { delivered: 50, filtered: 0, deadLettered: 0, cut: 0, lost: 0 };
  state.commit([{ file: record, cursor, committed: 50, tail: Buffer.alloc(64), lastTime: "", terms }]);
  return record;
}

/** What a new run makes of a file that it finds. */
function recognised(facts: Partial<Look>, first = FIRST): FileRecord | undefined {
  return new Identity(state).identify(look(facts), bytes(first), true)?.record;
}

test.each<[string, Partial<Look>]>([
  ["as it was", {}],
  ["grown", { size: 200 }],
  ["shorter, but not than what was shipped", { size: 50 }],
  ["renamed", { path: "/logs/app.log.1" }],
  ["on another device, under the same path", { device: "2" }],
  ["on another device, under another path, born at the same time", { device: "2", path: "/mnt/app.log" }],
  ["renamed, without birth times", { path: "/logs/app.log.1", birthtimeMs: 0, birthtimeIsReal: false }],
  ["with its change time in place of the birth time", { birthtimeMs: 900, birthtimeIsReal: false }],
])("a file is the same: %s", (_, facts) => {
  const record = shipped();
  expect(recognised(facts)).toBe(record);
});

test.each<[string, Partial<Look>]>([
  ["another inode", { inode: "8" }],
  ["shorter than what was shipped", { size: 49 }],
  ["born at another time", { birthtimeMs: 501 }],
  [
    "on another device, elsewhere, without birth times",
    { device: "2", path: "/x", birthtimeMs: 0, birthtimeIsReal: false },
  ],
])("a file is another one: %s", (_, facts) => {
  shipped();
  expect(recognised(facts)).toBeUndefined();
});

test("the birth time of a file that was just made is one, although it is the change time too", () => {
  const path = join(directory, "new.log");
  const fd = openSync(path, "w");
  const { birthtimeMs, birthtimeIsReal } = lookAtOpen(fd, path);
  closeSync(fd);
  expect(birthtimeIsReal).toBe(birthtimeMs > 0);
});

test("a file with another head is another one, of generation 0", () => {
  shipped();
  const first = Buffer.from("other line\n");
  expect(recognised({}, first)).toBeUndefined();
  expect(new Identity(state).identify(look(), bytes(first), false)!.record.generation).toBe(0);
});

test("a file with the same inode and head that is another one gets the next generation", () => {
  shipped();
  expect(shipped({ size: 49, birthtimeMs: 600 }).generation).toBe(1);
  expect(shipped({ size: 49, birthtimeMs: 700 }).generation).toBe(2);
  expect(new Set([...state.files.values()].map(({ key }) => key)).size).toBe(3);
});

test("only the latest content of an inode can still be there", () => {
  shipped();
  const second = Buffer.from("other line\n");
  const record = shipped({ birthtimeMs: 600 }, second);
  expect(recognised({ birthtimeIsReal: false })).toBeUndefined();
  expect(recognised({ birthtimeIsReal: false }, second)).toBe(record);
});

test("a file that was seen to be deleted never comes back, however alike the next one is", () => {
  const identity = new Identity(state);
  const { record } = identity.identify(look(), bytes(FIRST), false)!;
  expect(identity.name(record, headOf(FIRST, false)!)).toBe(true);
  identity.retire(record);
  const next = identity.identify(look(), bytes(FIRST), false)!;
  expect(next.isKnown).toBe(false);
  expect(next.record.generation).toBe(1);
});

test("one record is not two files: the same inode number on two devices", () => {
  const identity = new Identity(state);
  const one = identity.identify(look(), bytes(FIRST), false)!.record;
  identity.name(one, headOf(FIRST, false)!);
  const two = identity.identify(look({ device: "2" }), bytes(FIRST), false)!.record;
  expect(two).not.toBe(one);
  expect(two.generation).toBe(1);
});

test("a record that was made for an empty file may find its generation taken", () => {
  shipped();
  const identity = new Identity(state);
  const { record } = identity.identify(look({ size: 0, birthtimeMs: 600 }), bytes(Buffer.alloc(0)), false)!;
  expect(record.generation).toBe(0);
  expect(identity.name(record, headOf(FIRST, false)!)).toBe(false);
  expect(record.key).toBe("");
  expect(identity.name(record, Buffer.from("other line"))).toBe(true);
});

test("what the state has forgotten is forgotten", () => {
  shipped();
  const files = new Map(state.files);
  const identity = new Identity({ files } as unknown as StateStore);
  identity.prune();
  expect(identity.knows("7")).toBe(true);
  files.clear();
  identity.prune();
  expect(identity.knows("7")).toBe(false);
});
