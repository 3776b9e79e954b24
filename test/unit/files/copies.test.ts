import { copyFileSync, linkSync, mkdirSync, statSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PARKED_MISSING_MS, TAIL_QUIET_ROTATED_MS } from "../../../src/core/limits.ts";
import type { FileRecord } from "../../../src/core/state.ts";
import { Follower, type FollowerOptions, LogDirectory, leaveNothing } from "./follower.ts";

let logs: LogDirectory;
let follower: Follower;
/** Every line by key and offset: two lines in one place make the follower throw. */
let places: Map<string, string>;
/** How it was last started. */
let current: Partial<FollowerOptions>;

beforeEach(() => {
  logs = new LogDirectory();
  mkdirSync(logs.path);
  places = new Map();
});

afterEach(async () => {
  await leaveNothing(follower, logs);
});

async function follow(options: Partial<FollowerOptions> = {}): Promise<string[]> {
  current = options;
  follower = await Follower.start({ root: logs.root, inputs: [{ paths: [logs.at("app.log")] }], places, ...options });
  return follower.catchUp();
}

/** Stops and starts again; what happens to the files meanwhile happens while nobody looks. */
async function whileDown(change: () => void, options = current): Promise<string[]> {
  await follower.stop();
  change();
  return follow(options);
}

/** What is done to the files is seen at once, or only by the next run. */
const LIVE_OR_DOWN: readonly [string, (change: () => void) => Promise<string[]>][] = [
  [
    "live",
    async (change) => {
      change();
      const before = follower.lines.length;
      return (await follower.catchUp()).slice(before);
    },
  ],
  ["while pannier was down", whileDown],
];

function recordAt(name: string): FileRecord | undefined {
  return follower.file(name)?.record;
}

/** The offset of a line, and the record of its file by its first path. */
function offsetsOf(line: string): number[] {
  return [...places].filter(([, text]) => text === line).map(([place]) => Number(place.split(" ")[1]));
}

for (const [when, after] of LIVE_OR_DOWN) {
  test(`copytruncate, ${when}: the copy is not read again, and what it has beyond is read from it`, async () => {
    logs.appendToFile("app.log", "one");
    await follow();
    const { key } = recordAt("app.log")!;
    const lines = await after(() => {
      logs.appendToFile("app.log", "two");
      logs.copyTruncate("app.log");
      logs.appendToFile("app.log", "three");
    });
    expect(lines.toSorted()).toEqual(["three", "two"]);
    expect(recordAt("app.log.1")!.key).toBe(key);
    expect(offsetsOf("two")).toEqual([4]);
    expect(follower.lostBytes).toBe(0);
  });

  test(`copytruncate, grown past the old end, ${when}`, async () => {
    logs.appendToFile("app.log", "one");
    await follow();
    const lines = await after(() => {
      logs.appendToFile("app.log", "two");
      logs.copyTruncate("app.log");
      logs.appendToFile("app.log", "three", "four", "five");
    });
    expect(lines.toSorted()).toEqual(["five", "four", "three", "two"]);
    expect(follower.lostBytes).toBe(0);
  });

  test(`copytruncate of a file with a header, grown past the old end, ${when}`, async () => {
    logs.appendToFile("app.log", "# header", "one");
    await follow();
    const lines = await after(() => {
      logs.appendToFile("app.log", "two");
      logs.copyTruncate("app.log");
      logs.appendToFile("app.log", "# header", "eno", "owt", "eerht");
    });
    expect(lines.toSorted()).toEqual(["# header", "eerht", "eno", "owt", "two"]);
    expect(recordAt("app.log")!.generation).toBe(1);
  });

  test(`copytruncate three times, the copies moved on, ${when}`, async () => {
    logs.appendToFile("app.log", "one");
    await follow();
    const lines = await after(() => {
      for (const line of ["two", "three", "four"]) {
        logs.appendToFile("app.log", line);
        logs.copyTruncate("app.log");
      }
      logs.appendToFile("app.log", "five");
    });
    expect(lines.toSorted()).toEqual(["five", "four", "three", "two"]);
  });

  test(`a copy of a file that is committed, and truncated, ${when}: nothing is read twice`, async () => {
    logs.appendToFile("app.log", "one", "two");
    await follow();
    expect(await after(() => logs.copyTruncate("app.log"))).toEqual([]);
    expect(await whileDown(() => logs.rotateFile("app.log"))).toEqual([]);
    logs.appendToFile("app.log", "three");
    expect(await follower.catchUp()).toEqual(["three"]);
  });

  test(`a copy with a last line that has no end, ${when}`, async () => {
    logs.writeFile("app.log", "one\ntw");
    await follow();
    await after(() => {
      logs.copyTruncate("app.log");
      logs.appendToFile("app.log", "o", "three");
    });
    expect(follower.file("app.log.1")!.size).toBe(6);
    expect([...follower.places.values()].toSorted()).toEqual(["o", "one", "three"]);
    expect(follower.lostBytes).toBe(0);
  });

  test(`a copy and then the file deleted, ${when}: the copy takes its place`, async () => {
    logs.appendToFile("app.log", "one");
    await follow();
    const { key } = recordAt("app.log")!;
    const lines = await after(() => {
      logs.appendToFile("app.log", "two");
      logs.copyFile("app.log");
      logs.deleteFile("app.log");
      logs.appendToFile("app.log", "three");
    });
    expect(lines.toSorted()).toEqual(["three", "two"]);
    follower.letPass(TAIL_QUIET_ROTATED_MS);
    await follower.catchUp();
    expect(await whileDown(() => undefined)).toEqual([]);
    const record = [...follower.state.files.values()].find((each) => each.key === key)!;
    expect(record).toMatchObject({ lastPath: logs.at("app.log.1"), goneAtMs: 0 });
  });

  test(`a dated copy, ${when}`, async () => {
    logs.appendToFile("app.log", "one");
    await follow();
    const lines = await after(() => {
      logs.appendToFile("app.log", "two");
      copyFileSync(logs.at("app.log"), logs.at("app.log-20261123"));
      logs.truncateFile("app.log");
      logs.appendToFile("app.log", "three");
    });
    expect(lines.toSorted()).toEqual(["three", "two"]);
  });

  test(`a copy that was compressed at once, ${when}: what was not read is lost, the rest goes on`, async () => {
    logs.appendToFile("app.log", "one");
    await follow();
    logs.appendToFile("app.log", "two");
    await follower.catalogue.sweep();
    const lines = await after(() => {
      logs.copyTruncate("app.log");
      logs.renameFile("app.log.1", "app.log.1.gz");
      logs.appendToFile("app.log", "x");
    });
    expect(lines).toEqual(["x"]);
    follower.letPass(2_000);
    await follower.catchUp();
    const lost = follower.lostBytes + follower.said.filter(({ code }) => code === "bytes_lost").length * 4;
    expect(lost).toBe(4);
  });
}

test("a copy that is there before the truncation is held back, over a restart as well", async () => {
  logs.appendToFile("app.log", "one", "two");
  await follow();
  logs.copyFile("app.log");
  expect(await follower.catchUp()).toEqual(["one", "two"]);
  expect(await whileDown(() => undefined)).toEqual([]);
  logs.appendToFile("app.log", "three");
  expect(await follower.catchUp()).toEqual(["three"]);
  expect(follower.openNames()).toEqual(["app.log"]);
  logs.truncateFile("app.log");
  logs.appendToFile("app.log", "four");
  expect(await follower.catchUp()).toEqual(["three", "four"]);
  expect(follower.openNames()).toEqual(["app.log", "app.log.1"]);
});

test("a copy grows while it is made, from nothing on", async () => {
  logs.appendToFile("app.log", "one", "two");
  await follow();
  for (const bytes of [0, 2, 4, 7, 8]) {
    copyFileSync(logs.at("app.log"), logs.at("app.log.1"));
    logs.truncateFile("app.log.1", bytes);
    await follower.catchUp();
  }
  expect(follower.lines).toEqual(["one", "two"]);
  logs.truncateFile("app.log");
  expect(await follower.catchUp()).toEqual(["one", "two"]);
  expect(follower.lostBytes).toBe(0);
});

test("a copy that turns out to be another file is read as one", async () => {
  logs.appendToFile("app.log", "one", "two");
  await follow();
  logs.copyFile("app.log");
  await follower.catchUp();
  logs.appendToFile("app.log.1", "three");
  expect(await follower.catchUp()).toEqual(["one", "two", "one", "two", "three"]);
});

test("a copy that is shorter than what was read: nothing again, and what is in neither is lost once it is finished", async () => {
  logs.appendToFile("app.log", "one", "two");
  await follow();
  logs.copyFile("app.log", 4);
  await follower.catchUp();
  logs.appendToFile("app.log", "three");
  await follower.catalogue.sweep();
  logs.truncateFile("app.log");
  expect(await follower.catchUp()).toEqual(["one", "two"]);
  expect(follower.lostBytes).toBe(0);
  follower.letPass(TAIL_QUIET_ROTATED_MS);
  await follower.catchUp();
  await follower.catchUp();
  expect(follower.lostBytes).toBe(6);
  expect(await whileDown(() => undefined)).toEqual([]);
});

test("a copy that was held back and compressed: its original is all there, nothing is lost", async () => {
  logs.appendToFile("app.log", "one");
  await follow();
  logs.copyFile("app.log");
  await follower.catchUp();
  logs.renameFile("app.log.1", "app.log.1.gz");
  logs.appendToFile("app.log", "two");
  expect(await follower.catchUp()).toEqual(["one", "two"]);
  expect(follower.lostBytes).toBe(0);
  expect(follower.saidCodes()).not.toContain("bytes_lost");
});

test("rotated away unseen, and alike: a file that is older than the live one is no copy of it", async () => {
  logs.appendToFile("app.log", "zero");
  await follow();
  logs.rotateFile("app.log", false);
  logs.appendToFile("app.log", "same");
  logs.rotateFile("app.log", false);
  const born = statSync(logs.at("app.log.1")).birthtimeMs;
  while (Date.now() - born < 12);
  logs.appendToFile("app.log", "same");
  expect(await follower.catchUp()).toEqual(["zero", "same", "same"]);
});

test("two files that share their first 4 KiB are two files", async () => {
  const shared = Array.from({ length: 100 }, (_, i) => `the same line ${String(i).padStart(40, "0")}`);
  logs.appendToFile("app.log", ...shared, "one");
  await follow();
  logs.appendToFile("app.log.1", ...shared, "two");
  expect((await follower.catchUp()).filter((line) => line === "two" || line === "one")).toEqual(["one", "two"]);
  expect(follower.lines).toHaveLength(2 * shared.length + 2);
});

test("truncated in place without a copy: two documents, and what was not read is lost", async () => {
  logs.appendToFile("app.log", "same");
  await follow();
  logs.appendToFile("app.log", "unread");
  await follower.catalogue.sweep();
  logs.truncateFile("app.log");
  await follower.catalogue.sweep();
  logs.appendToFile("app.log", "same");
  expect(await follower.catchUp()).toEqual(["same", "same"]);
  follower.letPass(2_000);
  await follower.catchUp();
  expect(follower.lostBytes).toBe(7);
});

test("with nothing committed yet, the copy is read under the original's key and nothing twice", async () => {
  logs.appendToFile("app.log", "one", "two");
  await follow({ holdsBack: true });
  const { key } = recordAt("app.log")!;
  logs.copyTruncate("app.log");
  logs.appendToFile("app.log", "three");
  await follower.catchUp();
  expect(follower.lines).toEqual(["one", "two", "three"]);
  // Nothing is committed, so the next run reads all again; each line in its place.
  expect((await whileDown(() => undefined)).toSorted()).toEqual(["one", "three", "two"]);
  expect(recordAt("app.log.1")!.key).toBe(key);
  expect(places.size).toBe(3);
});

test("hard links are one file, in the family and beside it", async () => {
  logs.appendToFile("app.log", "one");
  await follow({ inputs: [{ paths: [logs.at("*.log")] }] });
  linkSync(logs.at("app.log"), logs.at("app.log.1"));
  linkSync(logs.at("app.log"), logs.at("other.log"));
  logs.appendToFile("other.log", "two");
  expect(await follower.catchUp()).toEqual(["one", "two"]);
  expect(await whileDown(() => undefined, { inputs: [{ paths: [logs.at("*.log")] }] })).toEqual([]);
});

for (const order of ["moved and then copied", "copied and then moved"] as const) {
  test.each(LIVE_OR_DOWN)(`truncated, and ${order} to another watched directory, %s`, async (_, after) => {
    const other = logs.at("other");
    mkdirSync(other);
    logs.appendToFile("app.log", "one");
    await follow({ inputs: [{ paths: [logs.at("app.log"), `${other}/app.log`] }] });
    const lines = await after(() => {
      logs.appendToFile("app.log", "two");
      if (order === "copied and then moved") logs.copyTruncate("app.log");
      logs.renameFile("app.log", "other/app.log");
      if (order === "moved and then copied") logs.copyTruncate("other/app.log");
      logs.appendToFile("other/app.log", "three");
      logs.appendToFile("app.log", "four");
    });
    expect(lines.toSorted()).toEqual(["four", "three", "two"]);
    expect(follower.lostBytes).toBe(0);
  });
}

test("never read before it is truncated: the copy holds all of it, and nothing is said to be lost", async () => {
  await follow();
  logs.appendToFile("app.log", "one");
  await follower.catalogue.sweep();
  logs.copyTruncate("app.log");
  expect(await follower.catchUp()).toEqual(["one"]);
  follower.letPass(20_000);
  await follower.catchUp();
  expect(follower.lostBytes).toBe(0);
});

test("of contents that begin alike the one that was read furthest is where the copy belongs", async () => {
  logs.appendToFile("app.log", "# header", "one");
  await follow({ holdsBack: true });
  logs.copyTruncate("app.log");
  logs.appendToFile("app.log", "# header", "two");
  expect((await follower.catchUp()).toSorted()).toEqual(["# header", "# header", "one", "two"]);
  logs.appendToFile("app.log", "three");
  logs.copyTruncate("app.log");
  logs.appendToFile("app.log", "# header", "four");
  expect((await follower.catchUp()).toSorted()).toEqual([
    "# header",
    "# header",
    "# header",
    "four",
    "one",
    "three",
    "two",
  ]);
  follower.release();
});

test("deleted while it has no descriptor: what is unread comes from a copy, and its inode number is nobody's", async () => {
  logs.appendToFile("app.log", "one");
  const options = { inputs: [{ paths: [logs.at("*.log")] }], maxOpenFiles: 1, holdsBack: true };
  await follow(options);
  logs.appendToFile("app.log", "two");
  await follower.catalogue.sweep();
  // It has to give way to this one.
  logs.appendToFile("next.log", "three");
  await follower.catalogue.sweep();
  expect(follower.openNames()).toEqual(["next.log"]);
  logs.copyFile("app.log");
  await follower.catalogue.sweep();
  // It was opened to be compared.
  logs.appendToFile("last.log", "five");
  await follower.catalogue.sweep();
  expect(follower.openNames()).toEqual(["last.log"]);
  logs.deleteFile("app.log");
  // It may get the inode number of the deleted one.
  logs.appendToFile("app.log", "four");
  await follower.catalogue.sweep();
  for (let i = 0; i < 3; i++) {
    follower.letPass(PARKED_MISSING_MS);
    await follower.catchUp();
  }
  expect(follower.lines.toSorted()).toEqual(["five", "four", "one", "three", "two"]);
  expect(follower.lostBytes).toBe(0);
  follower.release();
});

test("never read, copied and truncated, killed before the copy is read: nothing is said to be lost", async () => {
  await follow();
  logs.appendToFile("app.log", "one");
  await follower.catalogue.sweep();
  logs.copyTruncate("app.log");
  await follower.catalogue.sweep();
  const lines = await whileDown(() => logs.appendToFile("app.log", "two"));
  expect(lines.toSorted()).toEqual(["one", "two"]);
  expect(follower.saidCodes()).toEqual([]);
  expect([...follower.state.files.values()].filter(({ goneAtMs }) => goneAtMs !== 0)).toEqual([]);
});

test("never read, copied and truncated while pannier was down: the file that is shorter now has another content", async () => {
  await follow();
  logs.appendToFile("app.log", "one", "two");
  await follower.catalogue.sweep();
  const lines = await whileDown(() => {
    logs.copyTruncate("app.log");
    logs.appendToFile("app.log", "three");
  });
  expect(lines.toSorted()).toEqual(["one", "three", "two"]);
  logs.rotateFile("app.log");
  for (let i = 0; i < 2; i++) {
    follower.letPass(TAIL_QUIET_ROTATED_MS);
    await follower.catchUp();
  }
  expect(follower.openNames()).toEqual(["app.log"]);
  expect(await whileDown(() => undefined)).toEqual([]);
  expect(follower.saidCodes()).toEqual([]);
});

test("what a copy has comes before what its file got next, also when that file has moved to another name since", async () => {
  // Names before and after in the directory, since either family may be looked at first.
  for (const name of ["a.log", "m.log", "z.log"]) logs.appendToFile(name, name);
  logs.appendToFile("app.log", "one");
  await follow({ inputs: [{ paths: [logs.path] }] });
  for (const name of ["a.log", "m.log", "z.log"]) {
    const before = follower.lines.length;
    logs.appendToFile("app.log", `old ${name}`);
    await follower.catalogue.sweep();
    logs.copyTruncate("app.log");
    logs.appendToFile("app.log", `new ${name}`);
    follower.catalogue.replace(follower.file("app.log")!);
    logs.renameFile("app.log", name);
    const lines = (await follower.catchUp()).slice(before);
    expect(lines).toEqual([`old ${name}`, `new ${name}`]);
    logs.appendToFile("app.log", `next after ${name}`);
    await follower.catchUp();
  }
});

test("a content of which not one line was read, and that is lost, is in no later file", async () => {
  await follow();
  logs.writeFile("app.log", "begun");
  await follower.catchUp();
  logs.truncateFile("app.log");
  for (let i = 0; i < 3; i++) {
    await follower.catchUp();
    follower.letPass(2_000);
  }
  expect(follower.lostBytes).toBe(5);
  const lines = await whileDown(() => {
    logs.deleteFile("app.log");
    logs.appendToFile("app.log", "one", "two");
    logs.rotateFile("app.log");
  });
  expect(lines).toEqual(["one", "two"]);
});

test("a copy is known at a start where its file was first seen, also when that was seen to move before it was seen to be cut", async () => {
  mkdirSync(logs.at("other"));
  logs.appendToFile("app.log", "one", "two");
  await follow({ inputs: [{ paths: [logs.at("*.log"), logs.at("other/*.log")] }] });
  logs.renameFile("app.log", "other/app.log");
  await follower.catchUp();
  const lines = await whileDown(() => {
    // As if copied and cut before the move, by which it came between the looks at the two directories.
    copyFileSync(logs.at("other/app.log"), logs.at("app.log.1"));
    logs.truncateFile("other/app.log");
    logs.appendToFile("other/app.log", "three");
  });
  expect(lines).toEqual(["three"]);
});

test("moved to another directory, copied, truncated and rotated there while pannier was down: the copy is not read again", async () => {
  mkdirSync(logs.at("other"));
  logs.appendToFile("other/app.log", "one", "two");
  await follow({ inputs: [{ paths: [logs.at("*.log"), logs.at("other/*.log")] }] });
  const lines = await whileDown(() => {
    logs.renameFile("other/app.log", "app.log");
    logs.copyTruncate("app.log");
    logs.rotateFile("app.log");
    logs.appendToFile("app.log", "three");
  });
  expect(lines).toEqual(["three"]);
});

test("a copy that a content lives on in, closed and overlooked while it was renamed, is not read again", async () => {
  logs.appendToFile("app.log", "one", "two");
  await follow();
  logs.copyTruncate("app.log");
  await follower.catchUp();
  follower.letPass(TAIL_QUIET_ROTATED_MS);
  await follower.catchUp();
  expect(follower.openNames()).toEqual(["app.log"]);
  // A listing that begins before a chain of renames and ends behind it finds the last name of the chain at none of its names.
  logs.renameFile("app.log.1", "overlooked");
  await follower.catchUp();
  logs.renameFile("overlooked", "app.log.2");
  logs.appendToFile("app.log", "three");
  expect(await follower.catchUp()).toEqual(["one", "two", "three"]);
  expect(follower.lostBytes).toBe(0);
});

test("a content that goes on with a copy in the directory that its file has left is known there, closed too", async () => {
  mkdirSync(logs.at("other"));
  logs.appendToFile("other/app.log", "one", "two");
  await follow({ inputs: [{ paths: [logs.at("*.log"), logs.at("other/*.log")] }] });
  logs.copyTruncate("other/app.log");
  logs.renameFile("other/app.log", "app.log");
  logs.appendToFile("app.log", "three");
  await follower.catchUp();
  follower.letPass(TAIL_QUIET_ROTATED_MS);
  await follower.catchUp();
  expect(follower.openNames()).toEqual([]);
  logs.appendToFile("other/app.log", "four");
  expect(await follower.catchUp()).toEqual(["one", "two", "three", "four"]);
});

for (const more of [[], ["two"]]) {
  test(`two that were cut begin with one header, one of them moved beside the other, ${more.length} lines more in it`, async () => {
    mkdirSync(logs.at("other"));
    logs.appendToFile("app.log", "# header");
    logs.appendToFile("other/app.log", "# header");
    await follow({ inputs: [{ paths: [logs.at("*.log"), logs.at("other/*.log")] }] });
    logs.writeFile("other/app.log", ["# header", ...more, ""].join("\n"));
    await follower.catalogue.sweep();
    logs.copyTruncate("app.log");
    logs.rotateFile("app.log", false);
    logs.copyTruncate("other/app.log");
    logs.renameFile("other/app.log", "app.log");
    expect(await follower.catchUp()).toEqual(["# header", "# header", ...more]);
    expect(follower.lostBytes).toBe(0);
  });
}

test("a file that grew past its end right after it was cut: that its copy is shorter is no loss", async () => {
  logs.appendToFile("app.log", "one", "two");
  await follow();
  logs.copyFile("app.log");
  await follower.catchUp();
  logs.truncateFile("app.log");
  logs.appendToFile("app.log", "three", "four", "five", "six");
  await follower.catchUp();
  expect(follower.events).toContain("replaced app.log");
  follower.letPass(TAIL_QUIET_ROTATED_MS);
  await follower.catchUp();
  follower.letPass(TAIL_QUIET_ROTATED_MS);
  await follower.catchUp();
  expect(follower.openNames()).toEqual(["app.log"]);
  expect(follower.lines).toEqual(["one", "two", "three", "four", "five", "six"]);
  expect(follower.lostBytes).toBe(0);
});

test("a file that grew past its end right after it was cut, with no copy: only what was seen of it is lost", async () => {
  logs.appendToFile("app.log", "one", "two");
  await follow();
  logs.appendToFile("app.log", "three");
  await follower.catalogue.sweep();
  logs.truncateFile("app.log");
  logs.appendToFile("app.log", "four", "five", "six", "seven");
  await follower.catchUp();
  follower.letPass(2_000);
  await follower.catchUp();
  expect(follower.lines).toEqual(["one", "two", "four", "five", "six", "seven"]);
  expect(follower.lostBytes).toBe("three\n".length);
});

test("a copy is of the content whose first line it has, not of one of which nothing was read, though it is large enough", async () => {
  await follow({ holdsBack: true });
  logs.writeFile("app.log", "begun");
  await follower.catalogue.sweep();
  logs.deleteFile("app.log");
  logs.appendToFile("app.log", "one", "two");
  await follower.catalogue.sweep();
  const file = [...follower.catalogue.files].find(({ status }) => status === "live")!;
  expect(follower.catalogue.ensureKey(file, false)).toBe(true);
  // As if killed before the first one was given a name, and after the second one was sent.
  const lines = await whileDown(() => logs.copyTruncate("app.log"));
  expect(lines).toEqual(["one", "two"]);
  expect(recordAt("app.log.1")!.key).toBe(file.record.key);
});

for (const sent of ["# header\none\ntw", "# header\none\ntwo three\n"]) {
  test(`what begins like a content of which ${sent.length} bytes were sent, and goes on otherwise, is another one`, async () => {
    logs.writeFile("app.log", sent);
    await follow({ holdsBack: true });
    const { record } = follower.file("app.log")!;
    const cursor = record.cursors.get("test")!;
    const to = sent.length;
    follower.state.markSent([{ file: record, cursor, to, tail: Buffer.from(sent) }]);
    const lines = await whileDown(() => {
      logs.deleteFile("app.log");
      logs.writeFile("app.log.1", "# header\nfour\nfive six\n");
      logs.writeFile("app.log", "");
    });
    expect(lines).toEqual(["# header", "four", "five six"]);
    expect(recordAt("app.log.1")!.key).not.toBe(record.key);
  });
}

test("what begins like a content of which a line was ended that had no end, and has that end elsewhere, is another one", async () => {
  logs.writeFile("app.log", "# header\none tw");
  await follow({ holdsBack: true });
  const { record } = follower.file("app.log")!;
  const cursor = record.cursors.get("test")!;
  follower.state.addBoundary(record, cursor, { from: 9, to: 15, unterminated: true });
  const lines = await whileDown(() => {
    logs.deleteFile("app.log");
    logs.writeFile("app.log.1", "# header\none\ntwo\n");
    logs.writeFile("app.log", "");
  });
  expect(lines).toEqual(["# header", "one", "two"]);
  expect(recordAt("app.log.1")!.key).not.toBe(record.key);
});

test("the copy of a content that was sent, and of which nothing is committed, is known by its end", async () => {
  logs.appendToFile("app.log", "# header", "one", "two");
  await follow({ holdsBack: true });
  const { record } = follower.file("app.log")!;
  const tail = Buffer.from("# header\none\n");
  follower.state.markSent([{ file: record, cursor: record.cursors.get("test")!, to: tail.length, tail }]);
  const { key } = record;
  expect(await whileDown(() => logs.copyTruncate("app.log"))).toEqual(["# header", "one", "two"]);
  expect(recordAt("app.log.1")!.key).toBe(key);
});

test("copied and truncated while nobody looked, and once more during the first look: each copy is that of its own content", async () => {
  logs.appendToFile("app.log", "one", "two");
  await follow();
  await whileStartingAgain(
    () => {
      logs.appendToFile("app.log", "three");
      logs.copyTruncate("app.log");
      logs.appendToFile("app.log", "four");
    },
    () => logs.copyTruncate("app.log"),
  );
  expect((await follower.catchUp()).toSorted()).toEqual(["four", "three"]);
  expect(follower.saidCodes()).not.toContain("bytes_lost");
});

test("the same where nothing of either was read before: the older copy is that of the older content", async () => {
  logs.appendToFile("app.log", "one", "two", "three");
  follower = await Follower.prepare({ root: logs.root, inputs: [{ paths: [logs.at("app.log")] }], places });
  await follower.catalogue.start();
  await whileStartingAgain(
    () => {
      logs.copyTruncate("app.log");
      logs.appendToFile("app.log", "four");
    },
    () => logs.copyTruncate("app.log"),
  );
  expect((await follower.catchUp()).toSorted()).toEqual(["four", "one", "three", "two"]);
  expect(follower.saidCodes()).not.toContain("bytes_lost");
});

test("what was read behind the end that was known, and is copied and truncated before the next look, is not read again", async () => {
  logs.writeFile("app.log", "");
  await follow();
  logs.appendToFile("app.log", "one", "two");
  follower.readAll();
  expect(follower.lines).toEqual(["one", "two"]);
  logs.copyTruncate("app.log");
  expect(await follower.catchUp()).toEqual(["one", "two"]);
  expect(recordAt("app.log.1")).toBeDefined();
});

/** Stops; something happens; and something else as soon as the next run has opened app.log. */
async function whileStartingAgain(beforehand: () => void, change: () => void): Promise<void> {
  await follower.stop();
  beforehand();
  follower = await Follower.prepare({ root: logs.root, inputs: [{ paths: [logs.at("app.log")] }], places });
  const { events } = follower;
  const push = events.push.bind(events);
  let isDue = true;
  events.push = (...said) => {
    if (isDue && said.includes("opened app.log")) {
      isDue = false;
      change();
    }
    return push(...said);
  };
  await follower.catalogue.start();
  expect(isDue).toBe(false);
}
