import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { asNobody, isRoot, needMounts, NOBODY, onTmpfs } from "../../support/mounts.ts";
import { Child } from "./process.ts";
import { inDirectory, open } from "./tools.ts";

async function failure(child: Child): Promise<{ exit: number | string; code: string; message: string; hint: string }> {
  const exit = await child.ended();
  const [code = "", message = "", hint = ""] = child.lines;
  return { exit, code, message, hint };
}

test("a missing directory is made, for its owner alone, and so are the files in it", () =>
  inDirectory(async (base) => {
    const directory = join(base, "a", "b");
    const state = await open(directory);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(directory)) expect(statSync(join(directory, name)).mode & 0o777, name).toBe(0o600);
    expect(readdirSync(directory).toSorted()).toEqual(["journal", "lock.1", "snapshot"]);
    await state.stop();
  }));

test.for([
  ["a file at its path", ""],
  ["a file above it", "below"],
] as const)("%s: 74", ([, below]) =>
  inDirectory(async (base) => {
    const file = join(base, "file");
    writeFileSync(file, "");
    const { exit, code, message, hint } = await failure(new Child("open", join(file, below)));
    expect([exit, code]).toEqual([74, "state_not_a_directory 74"]);
    expect(message).toContain(`state directory ${file}`);
    expect(hint).toContain("state_dir");
  }),
);

test("a link to nowhere: 74", () =>
  inDirectory(async (base) => {
    symlinkSync(join(base, "nowhere"), join(base, "link"));
    await expect(open(join(base, "link"))).rejects.toMatchObject({ exitCode: 74 });
  }));

test("a path where nothing can be made: 74", async () => {
  await expect(open("/proc/no/such")).rejects.toMatchObject({ exitCode: 74, code: "state_missing" });
});

test("a directory of another user: 74, and the hint names the user", () =>
  inDirectory(async (base) => {
    chmodSync(base, 0o755);
    const directory = join(base, "state");
    mkdirSync(directory, { mode: 0o500 });
    const { exit, code, hint } = await failure(new Child("open", directory, asNobody));
    expect([exit, code]).toEqual([74, "state_no_permission 74"]);
    expect(hint).toContain(`uid ${isRoot ? NOBODY : process.getuid!()}`);
    if (!isRoot) return;
    chownSync(directory, NOBODY, NOBODY);
    chmodSync(directory, 0o700);
    const allowed = new Child("open", directory, asNobody);
    expect(await allowed.ended()).toBe(0);
    expect(allowed.lines).toEqual(["open nothing"]);
  }));

test("a read-only volume: 74", (context) =>
  inDirectory(async (base) => {
    needMounts(context, base);
    const { exit, code, message, hint } = await failure(new Child("open", base, onTmpfs(base, "ro")));
    expect([exit, code]).toEqual([74, "state_read_only 74"]);
    expect(message).toContain(base);
    expect(hint).toContain("emptyDir");
  }));

test("a full volume: 74", (context) =>
  inDirectory(async (base) => {
    needMounts(context, base);
    const { exit, code, hint } = await failure(new Child("openFull", base, onTmpfs(base, "size=256k")));
    expect([exit, code]).toEqual([74, "state_full 74"]);
    expect(hint).toContain("free some space");
  }));

test("a volume that fills up while pannier runs: the change is refused whole and can be repeated once there is room", (context) =>
  inDirectory(async (base) => {
    needMounts(context, base);
    const directory = join(base, "volume", "state");
    const volume = join(base, "volume");
    mkdirSync(volume);
    const child = new Child("fill", directory, onTmpfs(volume, "size=1m"));
    expect(await child.ended()).toBe(0);
    expect(child.lines).toEqual([
      "state_write_failed 74",
      "memory unchanged true",
      "journal unchanged true",
      "goes on true",
      "stopped true",
    ]);
  }));

test("what another user planted under our file names is removed, not followed", () =>
  inDirectory(async (base) => {
    const directory = join(base, "state");
    const victim = join(base, "victim");
    mkdirSync(directory);
    writeFileSync(victim, "precious");
    for (const name of ["journal.new", "snapshot.new", "probe"]) symlinkSync(victim, join(directory, name));
    const state = await open(directory);
    await state.snapshot();
    await state.stop();
    expect(readFileSync(victim, "utf8")).toBe("precious");
    expect(existsSync(join(directory, "probe"))).toBe(false);
  }));
