import { execFileSync, spawn } from "node:child_process";
import { closeSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Folder } from "../../../src/files/folder.ts";
import type { Look } from "../../../src/files/open.ts";
import { Patterns } from "../../../src/files/patterns.ts";
import { Reports } from "../../../src/files/reports.ts";
import { Roots } from "../../../src/files/roots.ts";
import { Volume } from "../../../src/files/volume.ts";
import { Follower, INPUT, LogDirectory, SILENT, leaveNothing, openDescriptorsBelow } from "./follower.ts";

const SWAPPER = fileURLToPath(new URL("../../support/swapper.ts", import.meta.url));
const CANARY = "canary: nobody may read this\n";

let logs: LogDirectory;
let outside: string;

beforeEach(() => {
  logs = new LogDirectory();
  outside = `${logs.root}/outside`;
  mkdirSync(logs.at("sub"), { recursive: true });
  mkdirSync(outside);
  writeFileSync(`${outside}/app.log`, CANARY);
  logs.appendToFile("sub/app.log", "inside");
});

afterEach(() => {
  const leaked = openDescriptorsBelow(logs.root);
  logs.remove();
  if (leaked.length > 0) throw new Error(`descriptors are left open: ${leaked.join(", ")}`);
});

function volume(holds?: () => boolean): Volume {
  const roots = new Roots(new Patterns([{ ...INPUT, paths: [logs.path] }]), []);
  roots.refresh();
  return new Volume(roots, new Reports(SILENT), holds);
}

/** What is read when a path is looked at and opened. */
function read(from: Volume, path: string, between: (look: Look) => void = () => {}): string | undefined {
  const look = from.lookAt(path);
  if (look === undefined) return undefined;
  between(look);
  const opened = from.open(look);
  if (opened === undefined) return undefined;
  try {
    return readFileSync(opened.fd, "utf8");
  } finally {
    closeSync(opened.fd);
  }
}

describe.each([
  ["held directories", undefined],
  ["without /proc", () => false],
])("%s", (_name, holds) => {
  test("a file below is opened, directories are entered", () => {
    expect(read(volume(holds), logs.at("sub/app.log"))).toBe("inside\n");
    const folder = volume(holds).enter(logs.at("sub"));
    expect(folder?.look("app.log")?.isFile()).toBe(true);
    folder?.close();
    expect(volume(holds).enter(logs.at("sub/app.log"))).toBeUndefined();
    expect(volume(holds).lookAt(logs.at("sub/none/app.log"))).toBeUndefined();
  });

  test("what lies outside is not looked at, by no path", () => {
    const from = volume(holds);
    symlinkSync(outside, logs.at("link"));
    expect(from.lookAt(`${outside}/app.log`)).toBeUndefined();
    expect(from.lookAt(logs.at("link/app.log"))).toBeUndefined();
    expect(from.enter(logs.at("link"))).toBeUndefined();
    expect(from.lookAt(logs.at("link"))?.kind).toBe("link");
  });

  test("a directory on the way that becomes a link after the look is not followed", () => {
    const text = read(volume(holds), logs.at("sub/app.log"), () => {
      renameSync(logs.at("sub"), logs.at("away"));
      symlinkSync(outside, logs.at("sub"));
    });
    expect(text).toBeUndefined();
  });

  test("a file that is replaced after the look is not opened", () => {
    const from = volume(holds);
    const path = logs.at("sub/app.log");
    const replacing = (make: () => void) => () => {
      rmSync(path, { force: true });
      make();
    };
    expect(
      read(
        from,
        path,
        replacing(() => symlinkSync(`${outside}/app.log`, path)),
      ),
    ).toBeUndefined();
    writeFileSync(path, "one");
    expect(
      read(
        from,
        path,
        replacing(() => execFileSync("mkfifo", [path])),
      ),
    ).toBeUndefined();
    rmSync(path);
    writeFileSync(path, "one");
    expect(
      read(
        from,
        path,
        replacing(() => mkdirSync(path)),
      ),
    ).toBeUndefined();
    rmSync(path, { recursive: true });
    writeFileSync(path, "one");
    const other = replacing(() => renameSync(logs.at("other"), path));
    writeFileSync(logs.at("other"), "two");
    expect(read(from, path, other)).toBeUndefined();
  });
});

test("a held directory stays the same, whatever its path becomes", () => {
  const folder = volume().enter(logs.at("sub"))!;
  renameSync(logs.at("sub"), logs.at("away"));
  symlinkSync(outside, logs.at("sub"));
  expect(readFileSync(folder.at("app.log"), "utf8")).toBe("inside\n");
  folder.close();
});

test("a FIFO, a socket and a device are not even opened", async () => {
  execFileSync("mkfifo", [logs.at("fifo")]);
  const server = createServer().listen(logs.at("socket"));
  await once(server, "listening");
  symlinkSync("/dev/tty", logs.at("device"));
  const from = volume();
  const file = from.lookAt(logs.at("sub/app.log"))!;
  for (const name of ["fifo", "socket", "device"]) {
    const seen = from.lookAt(logs.at(name))!;
    expect(seen.kind, name).not.toBe("file");
    expect(from.open({ ...file, path: logs.at(name) }), name).toBeUndefined();
    expect(from.open({ ...file, path: logs.at(name), id: seen.id }), name).toBeUndefined();
  }
  server.close();
});

test("more than PATH_MAX deep: every component is short", () => {
  const name = "d".repeat(200);
  let folder = Folder.open(logs.path, true)!;
  let path = logs.path;
  for (let depth = 0; depth < 30; depth++) {
    mkdirSync(folder.at(name));
    const below = folder.enter(name)!;
    folder.close();
    folder = below;
    path += `/${name}`;
  }
  writeFileSync(folder.at("app.log"), "deep\n");
  folder.close();
  expect(path.length).toBeGreaterThan(4_096);
  expect(read(volume(), `${path}/app.log`)).toBe("deep\n");
  // Node 22 cannot delete what is so deep.
  execFileSync("rm", ["-r", `${logs.path}/${name}`]);
});

const SWAPPED = { directory: "sub/app.log", file: "file.log", link: "link.log" };

const SWAPPED_MAX_MS = 30_000;

/** Runs the action against the swapper for so long, and on a busy machine on until it `isEnough`. */
async function againstSwapper(
  what: string,
  forMs: number,
  isEnough: () => boolean,
  action: () => unknown,
): Promise<void> {
  const swapper = spawn(process.execPath, [SWAPPER, what, logs.path, outside], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    await once(swapper.stdout, "data");
    const begunMs = performance.now();
    const tookMs = (): number => performance.now() - begunMs;
    while (tookMs() < forMs || (!isEnough() && tookMs() < SWAPPED_MAX_MS)) await action();
    expect(swapper.exitCode).toBeNull();
  } finally {
    swapper.kill("SIGKILL");
    await once(swapper, "exit");
  }
}

function readPlainly(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

test.each(Object.entries(SWAPPED))(
  "a %s that is swapped all the time never leads out (invariant 8)",
  async (what, name) => {
    const from = volume();
    const texts = new Set<string>();
    const plainly = new Set<string>();
    const isEnough = (): boolean => texts.has("inside\n") && plainly.has(CANARY);
    await againstSwapper(what, 2_000, isEnough, () => {
      for (let i = 0; i < 100; i++) texts.add(read(from, logs.at(name)) ?? "");
      plainly.add(readPlainly(logs.at(name)));
    });
    expect(texts).toContain("inside\n");
    expect(texts).not.toContain(CANARY);
    // Whoever opens the path as it is gets there: the swaps are real.
    expect(plainly).toContain(CANARY);
  },
);

test.each(Object.keys(SWAPPED))(
  "a %s that is swapped under a running catalogue: no byte from outside is delivered (invariant 8)",
  async (what) => {
    const follower = await Follower.start({ root: logs.root, inputs: [{ paths: [logs.path] }] });
    const isEnough = (): boolean => follower.lines.includes("inside");
    await againstSwapper(what, 1_500, isEnough, async () => {
      await follower.catalogue.sweep();
      follower.readAll();
    });
    expect(follower.lines).toContain("inside");
    expect(follower.lines.filter((line) => line.startsWith("canary"))).toEqual([]);
    await leaveNothing(follower, logs);
  },
);
