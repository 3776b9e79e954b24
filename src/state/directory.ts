import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, ExitCode, PannierError, systemCode } from "../core/errors.ts";

/** Names of the files in the state directory. */
export const SNAPSHOT = "snapshot";
export const JOURNAL = "journal";
/** The journal before, until the snapshot that replaces it is complete. */
export const OLD_JOURNAL = "journal.old";

const PROBE_BYTES = 4096;

/**
 * Makes the directory where it is missing and finds out by doing it that files in it can be written and synced. What is
 * wrong is told here, before anything else fails in ways that are harder to read.
 */
export function prepareDirectory(directory: string): void {
  try {
    make(directory);
    if (!statSync(directory).isDirectory()) throw Object.assign(new Error("not a directory"), { code: "ENOTDIR" });
    probe(join(directory, "probe"));
  } catch (error) {
    throw unusable(directory, error);
  }
}

/** Not with `recursive`: where nothing can be made (below /proc), that never returns (seen on Node 26.10). */
function make(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (systemCode(error) === "EEXIST") return;
    const parent = dirname(path);
    if (systemCode(error) !== "ENOENT" || existsSync(parent)) throw error;
    make(parent);
    mkdirSync(path, { mode: 0o700 });
  }
}

/** Others that start at the same time may have the same file open: that is no trouble. */
const PROBE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW;

function probe(path: string): void {
  try {
    rmSync(path, { force: true });
    const fd = openSync(path, PROBE_FLAGS, 0o600);
    try {
      writeSync(fd, Buffer.alloc(PROBE_BYTES));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } finally {
    rmSync(path, { force: true });
  }
}

/** The path leads to what this descriptor has open. Where that cannot be asked, it does not. */
export function isSameFile(fd: number, path: string): boolean {
  try {
    const [ours, there] = [fstatSync(fd, { bigint: true }), statSync(path, { bigint: true })];
    return ours.dev === there.dev && ours.ino === there.ino;
  } catch {
    return false;
  }
}

const HINTS: Readonly<Record<string, readonly [code: string, what: string, hint: string]>> = {
  ENOENT: [
    "state_missing",
    "cannot be made",
    "a parent is missing or a link points nowhere; make it, or set state_dir to another directory",
  ],
  ENOTDIR: [
    "state_not_a_directory",
    "is not a directory",
    "a file stands at that path or above it; move it away, or set state_dir to another directory",
  ],
  EEXIST: [
    "state_not_a_directory",
    "is not a directory",
    "a file stands at that path; move it away, or set state_dir to another directory",
  ],
  EROFS: [
    "state_read_only",
    "is on a read-only file system",
    "pannier must write there, alone of all paths: mount a volume (an emptyDir in a Pod), or set state_dir to a path that can be written",
  ],
  EACCES: [
    "state_no_permission",
    "may not be written by this user",
    `pannier runs as uid ${process.getuid?.() ?? "?"}; give it the directory (chown, or fsGroup in a Pod), or set state_dir to another`,
  ],
  ENOSPC: [
    "state_full",
    "is on a full file system",
    "free some space, or set state_dir to a path on another volume; pannier needs about 30 MB there",
  ],
  EDQUOT: [
    "state_full",
    "is over its disk quota",
    "free some space or raise the quota; pannier needs about 30 MB there",
  ],
  EPERM: [
    "state_no_permission",
    "may not be written by this user",
    "a security policy or an immutable flag forbids it; allow it, or set state_dir to another directory",
  ],
  ENOTSUP: [
    "state_no_sockets",
    "is on a file system without Unix sockets",
    "the lock is one; set state_dir to a local volume (an emptyDir in a Pod)",
  ],
};

/** What the operator reads when the directory cannot be used: exit code 74. */
export function unusable(directory: string, error: unknown): PannierError {
  if (error instanceof PannierError) return error;
  const [code, what, hint] = HINTS[systemCode(error) ?? ""] ?? [
    "state_unusable",
    "cannot be used",
    "check the volume and the permissions, or set state_dir to another directory",
  ];
  return new PannierError(code, `state directory ${directory} ${what} (${describe(error)}); nothing was read or sent`, {
    hint,
    exitCode: ExitCode.state,
    cause: error,
  });
}
