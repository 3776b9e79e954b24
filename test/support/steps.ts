/**
 * Loaded before pannier by `node --import`: names every step by which it changes its state directory, writes dead letters and
 * talks to its destination, and can end or fail it there. What is tested is the release as it is built: it has no such switch.
 *
 *   PANNIER_CRASH_AT=[FIRST>]STEP[:N]  kill -9 at the Nth time (the first) that it comes to this step, counted from FIRST on
 *   PANNIER_FAIL_AT=STEP[:N]=CODE      the call behind this step fails with this error; with N `*`, every time
 *   PANNIER_POWER_CUT=1                the crash also takes what was not yet synced of the journal
 *   PANNIER_STEPS=FILE                 appends the name of every step when it is first reached
 *
 * Steps are called OPERATION-OBJECT.MOMENT: `write-commit.torn`, `rename-snapshot.after`, `request.sent`, …
 */
import fs from "node:fs";
import http, { type ClientRequest } from "node:http";
import { syncBuiltinESMExports } from "node:module";
import { basename } from "node:path";

type Callback = (error: Error | null) => void;

const real = { ...fs };
const realPromises = { ...fs.promises };
const times = new Map<string, number>();
const [crashStep = "", crashFrom = ""] = (process.env["PANNIER_CRASH_AT"] ?? "").split(">").toReversed();
const crash = parse(crashStep);
let isArmed = crashFrom === "";
const failure = parse(process.env["PANNIER_FAIL_AT"]);
const isPowerCut = process.env["PANNIER_POWER_CUT"] === "1";
const stepsPath = process.env["PANNIER_STEPS"];
/** Names of the state's open files, and how much of them is on the disk. */
const names = new Map<number, string>();
const synced = new Map<number, number>();

function parse(text = ""): { step: string; time: number; code: string } {
  const [, step = "", time = "1", code = ""] = /^([^:=]*)(?::(\d+|\*))?(?:=(\w+))?$/.exec(text) ?? [];
  return { step, time: time === "*" ? 0 : Number(time), code };
}

/** How often it has come to this step, this time included. */
function reach(step: string): number {
  const time = (times.get(step) ?? 0) + 1;
  times.set(step, time);
  if (time === 1 && stepsPath !== undefined) real.appendFileSync(stepsPath, `${step}\n`);
  if (step === crashFrom) {
    isArmed = true;
    times.delete(crash.step);
  }
  if (isArmed && crash.step === step && crash.time === time) die();
  return time;
}

function die(): void {
  if (isPowerCut)
    for (const [fd, name] of names) if (name.startsWith("journal")) real.ftruncateSync(fd, synced.get(fd) ?? 0);
  process.kill(process.pid, "SIGKILL");
}

/** Comes to `step.before`; throws there when it is to fail. */
function begin(step: string): void {
  const time = reach(`${step}.before`);
  if (failure.step === step && (failure.time === 0 || failure.time === time))
    throw Object.assign(new Error(`${failure.code}: made to fail, ${step}`), { code: failure.code });
}

function stepOf<T>(step: string, work: () => T): T {
  begin(step);
  const result = work();
  reach(`${step}.after`);
  return result;
}

/** What a write to a file of the state is about: its last entry. */
function subject(name: string, bytes: Buffer, length: number): string {
  if (name.startsWith("snapshot")) return "snapshot";
  const line = bytes.toString("latin1", bytes.lastIndexOf(10, length - 2) + 1, length);
  const type = /"t":"(\w+)"/.exec(line)?.[1] ?? "other";
  return type === "file" && !line.includes('"generation":0') ? "generation" : type;
}

const isOfState = (name: string): boolean => /^(journal|snapshot)(\.new|\.old)?$/.test(name);
/** The application's files are reached through held directories. */
const isOfLogs = (path: fs.PathLike): boolean => String(path).startsWith("/proc/self/fd/");

Object.assign(fs, {
  openSync(path: fs.PathLike, flags: number | string, mode?: number): number {
    const name = basename(String(path));
    if (isOfState(name)) begin(`open-${name}`);
    const fd = real.openSync(path, flags, mode);
    if (isOfState(name)) names.set(fd, name);
    else if (typeof flags === "number" && (flags & fs.constants.O_DIRECTORY) !== 0) names.set(fd, "directory");
    return fd;
  },
  closeSync(fd: number): void {
    names.delete(fd);
    synced.delete(fd);
    real.closeSync(fd);
  },
  writeSync(fd: number, bytes: Buffer, offset: number, length: number, position: number): number {
    const name = names.get(fd);
    if (name === undefined) return real.writeSync(fd, bytes, offset, length, position);
    const step = `write-${subject(name, bytes.subarray(offset), length)}`;
    begin(step);
    if (crash.step === `${step}.torn`) real.writeSync(fd, bytes, offset, length >> 1, position);
    reach(`${step}.torn`);
    const written = real.writeSync(fd, bytes, offset, length, position);
    reach(`${step}.after`);
    return written;
  },
  ...syncing("fsync"),
  ...syncing("fdatasync"),
  renameSync(from: string, to: string): void {
    stepOf(isOfLogs(from) ? "rename-reclaimed" : `rename-${basename(to)}`, () => real.renameSync(from, to));
    for (const [fd, name] of names) if (name === basename(from)) names.set(fd, basename(to));
  },
  unlinkSync(path: fs.PathLike): void {
    if (isOfLogs(path)) stepOf("unlink-reclaimed", () => real.unlinkSync(path));
    else real.unlinkSync(path);
  },
  rmSync(path: fs.PathLike, options: fs.RmOptions): void {
    if (basename(String(path)) === "journal.old") stepOf("remove-journal.old", () => real.rmSync(path, options));
    else real.rmSync(path, options);
  },
  linkSync(from: string, to: string): void {
    if (basename(to).startsWith("lock.")) stepOf("link-lock", () => real.linkSync(from, to));
    else real.linkSync(from, to);
  },
});

function syncing(call: "fsync" | "fdatasync"): object {
  const now = real[`${call}Sync`];
  return {
    [`${call}Sync`](fd: number): void {
      const name = names.get(fd);
      if (name === undefined) return now(fd);
      stepOf(`sync-${name}`, () => {
        const { size } = real.fstatSync(fd);
        now(fd);
        synced.set(fd, size);
      });
    },
    [call](fd: number, done: Callback): void {
      const name = names.get(fd);
      if (name === undefined) return real[call](fd, done);
      try {
        begin(`sync-${name}`);
      } catch (error) {
        return void setImmediate(done, error as Error);
      }
      const { size } = real.fstatSync(fd);
      real[call](fd, (error) => {
        if (error === null) synced.set(fd, size);
        reach(`sync-${name}.after`);
        done(error);
      });
    },
  };
}

/** Dead letters are written through handles; only their appends and syncs are steps. */
Object.assign(fs.promises, {
  async open(path: fs.PathLike, flags: number, mode?: number): Promise<fs.promises.FileHandle> {
    const file = await realPromises.open(path, flags, mode);
    if (!String(path).endsWith(".ndjson")) return file;
    const write = file.write.bind(file) as (b: Buffer, o: number, l: number, p: number) => Promise<unknown>;
    const datasync = file.datasync.bind(file);
    return Object.assign(file, {
      async write(bytes: Buffer, offset: number, length: number, position: number) {
        begin("write-letter");
        if (crash.step === "write-letter.torn") await write(bytes, offset, length >> 1, position);
        reach("write-letter.torn");
        const result = await write(bytes, offset, length, position);
        reach("write-letter.after");
        return result;
      },
      async datasync() {
        begin("sync-letter");
        await datasync();
        reach("sync-letter.after");
      },
    });
  },
});

const realRequest = http.request;
Object.assign(http, {
  request(options: http.RequestOptions): ClientRequest {
    const request = realRequest(options);
    if (options.path?.includes("/_bulk") !== true) return request;
    const end = request.end.bind(request) as (body: Buffer) => ClientRequest;
    request.end = ((body: Buffer) => {
      reach("request.before");
      if (crash.step !== "request.half") return end(body);
      request.write(body.subarray(0, body.length >> 1), () => reach("request.half"));
      return request;
    }) as ClientRequest["end"];
    request.once("finish", () => reach("request.sent"));
    request.once("response", (response) => {
      reach("answer.begun");
      response.once("end", () => reach("answer.read"));
    });
    return request;
  },
});

syncBuiltinESMExports();
