/** Surroundings that need more rights than a test may have: volumes of its own, and another user. */
import { spawnSync } from "node:child_process";
import type { TestContext } from "vitest";

export const isRoot: boolean = process.getuid?.() === 0;
export const NOBODY = 65_534;

/** Starts what follows as a user that has no rights here; as root, permissions would mean nothing. */
export const asNobody: readonly string[] = isRoot
  ? ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"]
  : [];

/** Starts what follows in a mount namespace of its own with a tmpfs at `at`; the mount ends with the process. */
export function onTmpfs(at: string, options: string): readonly string[] {
  const namespace = isRoot ? ["unshare", "--mount"] : ["unshare", "--user", "--map-root-user", "--mount"];
  return [...namespace, "sh", "-c", `mount -t tmpfs -o ${options} tmpfs "$0" && exec "$@"`, at];
}

/** Starts what follows in a mount namespace of its own in which `file` stands at the place of another file. */
export function withFileAt(at: string, file: string): readonly string[] {
  const namespace = isRoot ? ["unshare", "--mount"] : ["unshare", "--user", "--map-root-user", "--mount"];
  return [...namespace, "sh", "-c", `mount --bind "$0" ${at} && exec "$@"`, file];
}

/** A path as a process sees it that was started by `onTmpfs`. */
export function insideOf(pid: number, path: string): string {
  return `/proc/${pid}/root${path}`;
}

/** Mounts need root or user namespaces; where there are neither, the test says so instead of passing. */
export function needMounts(context: Pick<TestContext, "skip">, directory: string): void {
  const [command, ...args] = [...onTmpfs(directory, "size=64k"), "true"];
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status === 0) return;
  const reason = `a tmpfs cannot be mounted here: ${error?.message ?? stderr}`;
  if (process.env["PANNIER_REQUIRE_ALL"] === "1") throw new Error(reason);
  context.skip(reason);
}
