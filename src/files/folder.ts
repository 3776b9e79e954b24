import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  realpathSync,
} from "node:fs";
import { systemCode } from "../core/errors.ts";
import { nameOf, osPath } from "./names.ts";

/** Names a file without opening it: no right to read is needed, no FIFO waits, no device notices. Linux only. */
export const O_PATH = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;
const DESCRIPTORS = "/proc/self/fd";

/** What another program can have changed since the last look: nothing that a path names is there, or it is of another kind. */
const ELSEWHERE: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "ELOOP", "ENXIO", "ENAMETOOLONG", "ESTALE"]);

/** The result of the action; undefined when what it is about is not there. Other errors (no permission, …) are thrown. */
export function unlessGone<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (ELSEWHERE.has(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}

/**
 * A directory that is held: whoever renames it, or puts a link in its place, does not change what is reached through it. Node
 * has no `openat`, but `/proc/self/fd/N/NAME` is one: the kernel goes from the open directory, not from any path. Where /proc
 * is not to be had, a folder is a path, and what was opened must be compared afterwards (see Volume).
 */
export class Folder {
  /** Where it is, in the words of the configuration. */
  readonly path: string;
  readonly #fd: number;
  readonly #os: string;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
    this.#os = fd < 0 ? path : `${DESCRIPTORS}/${fd}`;
  }

  /** A directory that is trusted, so that links on the way to it are followed. Undefined when there is none. */
  static open(path: string, holds: boolean): Folder | undefined {
    const flags = O_DIRECTORY | (holds ? O_PATH : O_RDONLY);
    const fd = unlessGone(() => openSync(osPath(path), flags));
    if (fd === undefined) return undefined;
    if (holds) return new Folder(path, fd);
    closeSync(fd);
    return new Folder(path, -1);
  }

  /** The directory of this name in it; undefined when that is something else, also a link to a directory. */
  enter(name: string): Folder | undefined {
    const path = join(this.path, name);
    if (this.#fd < 0) return this.look(name)?.isDirectory() === true ? new Folder(path, -1) : undefined;
    const fd = unlessGone(() => openSync(this.at(name), O_PATH | O_DIRECTORY | O_NOFOLLOW));
    return fd === undefined ? undefined : new Folder(path, fd);
  }

  /** Its path without any link in it. */
  get realPath(): string {
    const path = this.#fd < 0 ? realpathSync(osPath(this.path), "buffer") : readlinkSync(this.#os, "buffer");
    return nameOf(path);
  }

  /** What the operating system is asked for to reach a name in it. */
  at(name: string): string | Buffer {
    return osPath(join(this.#os, name));
  }

  /** The same for the directory itself. */
  get self(): string | Buffer {
    return osPath(this.#os);
  }

  /** What stands under a name; links are not followed. */
  look(name: string): BigIntStats | undefined {
    return unlessGone(() => lstatSync(this.at(name), { bigint: true }));
  }

  lookAtSelf(): BigIntStats | undefined {
    if (this.#fd >= 0) return fstatSync(this.#fd, { bigint: true });
    return unlessGone(() => lstatSync(osPath(`${this.path}/.`), { bigint: true }));
  }

  /** Where the link of this name points to; undefined when it is no link. */
  readLink(name: string): string | undefined {
    try {
      return nameOf(readlinkSync(this.at(name), { encoding: "buffer" }));
    } catch (error) {
      const code = systemCode(error) ?? "";
      if (code === "EINVAL" || ELSEWHERE.has(code)) return undefined;
      throw error;
    }
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
  }
}

/** Whether directories can be held: not on other systems than Linux, nor where /proc is not mounted. */
export function canHold(): boolean {
  try {
    const fd = openSync("/", O_PATH | O_DIRECTORY);
    try {
      return lstatSync(`${DESCRIPTORS}/${fd}/.`).ino === fstatSync(fd).ino;
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}

export function join(directory: string, name: string): string {
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}
