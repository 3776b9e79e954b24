import { createHash, randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";

/** What names this machine or Pod in file keys, so that equal files of two machines are told apart. */
export interface Scope {
  readonly text: string;
  /** The identifier kept in the state directory, where nothing outside names the machine. */
  readonly uuid: string | undefined;
}

/**
 * The Pod's UID; else, outside containers, the machine id (inside, it is the image's and many share it); else an identifier
 * of the state directory's own, made once. A file's key is journaled with the file, so another scope touches only new files.
 */
export function findScope(options: {
  podUid: string | undefined;
  machineIdPath: string | undefined;
  keptUuid: string | undefined;
}): Scope {
  const uuid = options.keptUuid;
  if (options.podUid !== undefined && options.podUid !== "") return { text: `pod:${options.podUid}`, uuid };
  const path = options.machineIdPath ?? (insideContainer() ? undefined : "/etc/machine-id");
  const machine = path === undefined ? undefined : machineId(path);
  if (machine !== undefined) return { text: `machine:${machine}`, uuid };
  const own = uuid ?? randomUUID();
  return { text: `state:${own}`, uuid: own };
}

/** A digest of the machine id, which is a secret of the machine (machine-id(5)) and leaves it in no form that can be read back. */
function machineId(path: string): string | undefined {
  try {
    const id = readFileSync(path, "latin1").trim();
    return /^[0-9a-f]{32}$/.test(id)
      ? createHash("sha256").update(`pannier ${id}`).digest("hex").slice(0, 32)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Taking a machine for a container does no harm: the state directory then names it. */
function insideContainer(): boolean {
  return (
    existsSync("/.dockerenv") ||
    existsSync("/run/.containerenv") ||
    process.env["KUBERNETES_SERVICE_HOST"] !== undefined ||
    /docker|kubepods|containerd|libpod|lxc/.test(read("/proc/1/cgroup")) ||
    /^\S+ \S+ \S+ \S+ \/ .* - overlay /m.test(read("/proc/self/mountinfo"))
  );
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
