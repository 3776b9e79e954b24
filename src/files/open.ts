import { type BigIntStats, fstatSync, statSync } from "node:fs";

/** A regular file that was opened, as it is. */
export interface Opened {
  readonly fd: number;
  readonly look: Look;
}

/** What stands under a path. */
export interface Look {
  readonly path: string;
  /** Where it really is, in the words of the configuration, when links were followed to it. */
  readonly target?: string | undefined;
  /**
   * What no two files have: `device:inode`, in decimal since numbers above 2^53 exist, and where it is told the time of birth,
   * because the number of a deleted file is given to the next one.
   */
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

/** Looks at an open file. */
export function lookAtOpen(fd: number, path: string): Look {
  return describeStats(path, fstatSync(fd, { bigint: true }));
}

/**
 * Kernels without `statx` say the change time where the birth time is asked for. The first file for which the two differ, this
 * very program as a rule, shows that the kernel is not of them. A file alone cannot show it: a new one was changed for the last
 * time when it was born, and whoever takes its birth time for a stand-in takes it for the file that had its inode before.
 */
let birthsAreTold = tellsBirth(statSync(process.execPath, { bigint: true }));
/** What ids are made of is settled at the start, since they are compared all the time. */
const idsTellBirth = birthsAreTold;

/** `Look.id` of a file. */
export function fileId(device: string, inode: string, birthtimeMs: number): string {
  return idsTellBirth ? `${device}:${inode}:${birthtimeMs}` : `${device}:${inode}`;
}

function tellsBirth({ birthtimeNs, ctimeNs }: BigIntStats): boolean {
  return birthtimeNs > 0n && birthtimeNs !== ctimeNs;
}

let lastDevice = { number: 0n, text: "0" };

/** Many thousand files are on one device, and each keeps its name. */
function deviceText(number: bigint): string {
  if (number !== lastDevice.number) lastDevice = { number, text: String(number) };
  return lastDevice.text;
}

/** Puts into words what `stat` says. */
export function describeStats(path: string, stats: BigIntStats, target?: string): Look {
  const device = deviceText(stats.dev);
  const inode = String(stats.ino);
  const birthtimeMs = Number(stats.birthtimeNs / 1_000_000n);
  const isFile = stats.isFile();
  birthsAreTold ||= tellsBirth(stats);
  return {
    path,
    target,
    id: isFile ? fileId(device, inode, birthtimeMs) : `${device}:${inode}`,
    device,
    inode,
    kind: isFile ? "file" : stats.isDirectory() ? "directory" : stats.isSymbolicLink() ? "link" : "other",
    size: Number(stats.size),
    links: Number(stats.nlink),
    mtimeNs: stats.mtimeNs,
    mtimeMs: Number(stats.mtimeNs / 1_000_000_000n) * 1e3 + Number(stats.mtimeNs % 1_000_000_000n) / 1e6,
    birthtimeMs,
    birthtimeIsReal: stats.birthtimeNs > 0n && birthsAreTold,
  };
}
