import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync } from "node:fs";
import { describe } from "../core/errors.ts";
import { osPath } from "./names.ts";
import type { Reports } from "./reports.ts";

/** A regular file that was opened, as it is. */
export interface Opened {
  readonly fd: number;
  readonly look: Look;
}

/** What stands under a path, seen without following a link. */
export interface Look {
  readonly path: string;
  /** `device:inode`, in decimal: numbers above 2^53 exist. */
  readonly id: string;
  readonly device: string;
  readonly inode: string;
  readonly kind: "file" | "directory" | "link" | "other";
  readonly size: number;
  /** Names that the file has; 0 once it is unlinked. */
  readonly links: number;
  readonly mtimeNs: bigint;
  /** With a fraction, just as `fstat` without bigint says it. */
  readonly mtimeMs: number;
  /** Whole milliseconds; 0 where the file system does not tell. */
  readonly birthtimeMs: number;
  /** The birth time is one, and not the change time that stands in for it on old kernels. */
  readonly birthtimeIsReal: boolean;
}

/** Looks at a path; undefined when nothing is there. */
export function lookAt(path: string): Look | undefined {
  const stats = lstatSync(osPath(path), { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? undefined : describeStats(path, stats);
}

/** Looks at an open file. */
export function lookAtOpen(fd: number, path: string): Look {
  return describeStats(path, fstatSync(fd, { bigint: true }));
}

function describeStats(path: string, stats: BigIntStats): Look {
  const device = String(stats.dev);
  const inode = String(stats.ino);
  return {
    path,
    id: `${device}:${inode}`,
    device,
    inode,
    kind: stats.isFile() ? "file" : stats.isDirectory() ? "directory" : stats.isSymbolicLink() ? "link" : "other",
    size: Number(stats.size),
    links: Number(stats.nlink),
    mtimeNs: stats.mtimeNs,
    mtimeMs: Number(stats.mtimeNs / 1_000_000_000n) * 1e3 + Number(stats.mtimeNs % 1_000_000_000n) / 1e6,
    birthtimeMs: Number(stats.birthtimeNs / 1_000_000n),
    birthtimeIsReal: stats.birthtimeNs > 0n && stats.birthtimeNs !== stats.ctimeNs,
  };
}

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Opens the regular file that was looked at, and nothing else: a link, a FIFO or another file that has taken its place in
 * the meantime is closed again. Undefined then: look again. This is the only place that opens what an application wrote;
 * Node adds O_CLOEXEC.
 */
export function openRegular(seen: Look): Opened | undefined {
  let fd: number;
  try {
    fd = openSync(osPath(seen.path), FLAGS);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ELOOP" || code === "ENXIO" || code === "ENOTDIR") return undefined;
    throw error;
  }
  let look: Look | undefined;
  try {
    look = lookAtOpen(fd, seen.path);
  } finally {
    if (look?.kind !== "file" || look.id !== seen.id) closeSync(fd);
  }
  return look.kind === "file" && look.id === seen.id ? { fd, look } : undefined;
}

/** The same; what may not be opened is reported once and tried again. */
export function openReported(seen: Look, reports: Reports): Opened | undefined {
  try {
    const opened = openRegular(seen);
    reports.healed("file_unreadable", seen.path);
    return opened;
  } catch (error) {
    const message = `${seen.path} cannot be opened: ${describe(error)}; it is tried again and again`;
    reports.once("warn", "file_unreadable", seen.path, message);
    return undefined;
  }
}
