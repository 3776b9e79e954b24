/** pannier in a container with a memory limit, and what the kernel says about it. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { run } from "../../servers/command.ts";
import { memoryOf } from "../process-memory.ts";

/** What the kernel has counted for a container, in bytes. */
export interface ContainerMemory {
  /** Anonymous pages of all its processes. */
  readonly anonymous: number;
  /** Pages of files, which it takes away again when they are in the way. */
  readonly pageCache: number;
  readonly kernel: number;
  readonly used: number;
  /** Kills for want of memory. */
  readonly oomKills: number;
  /** How often the limit was met, and pages of files gave way. */
  readonly limitHits: number;
}

export interface Contained {
  readonly pid: number;
  /** The largest own memory since the start or the last `forget`, sampled every 50 ms. */
  ownBytes(): number;
  /** The most of each since the last `forget`, sampled four times a second. Undefined where cgroup v1 is not to be read. */
  memory(): ContainerMemory | undefined;
  forget(): void;
  /** Resident memory, its peak. */
  peakResidentBytes(): number;
  openDescriptors(): number;
  inspect(format: string): Promise<string>;
  logs(): Promise<string>;
  /** SIGTERM; resolves with the exit code. */
  terminate(): Promise<string>;
  /** Removes the container, whatever it does. */
  remove(): Promise<void>;
}

const OWN_SAMPLE_MS = 50;
const CGROUP_SAMPLE_MS = 250;

/** `docker run` of an image of pannier with a limit, without swap, in the network of the host. */
export async function startContained(options: {
  image: string;
  memory: string;
  /** `HOST:CONTAINER:ro` */
  volumes: readonly string[];
  args?: readonly string[];
}): Promise<Contained> {
  const limits = [`--memory=${options.memory}`, `--memory-swap=${options.memory}`];
  const volumes = options.volumes.flatMap((volume) => ["--volume", volume]);
  const surroundings = ["--detach", "--read-only", "--network", "host", ...limits, ...volumes];
  const id = (await run("docker", ["run", ...surroundings, options.image, ...(options.args ?? [])])).trim();
  const inspect = async (format: string): Promise<string> =>
    (await run("docker", ["inspect", "--format", format, id])).trim();
  const logs = (): Promise<string> => run("sh", ["-c", 'docker logs "$1" 2>&1', "sh", id]);
  const remove = async (): Promise<void> => void (await run("docker", ["rm", "--force", "--volumes", id]));
  const pid = Number(await inspect("{{.State.Pid}}"));
  if (pid === 0) {
    const said = await logs();
    await remove();
    throw new Error(`the container has ended at once: ${said}`);
  }

  const group = memoryGroup(pid);
  let ownBytes = 0;
  let peakResidentBytes = 0;
  let most: ContainerMemory | undefined;
  const sampleOwn = (): void => {
    ownBytes = Math.max(ownBytes, memoryOf(pid, "RssAnon"));
    peakResidentBytes = Math.max(peakResidentBytes, memoryOf(pid, "VmHWM"));
  };
  const sampleGroup = (): void => {
    if (group !== undefined) most = higher(most, group);
  };
  const timers = [setInterval(sampleOwn, OWN_SAMPLE_MS), setInterval(sampleGroup, CGROUP_SAMPLE_MS)];
  return {
    pid,
    ownBytes: () => ownBytes,
    memory: () => most,
    forget: () => {
      ownBytes = 0;
      most = undefined;
    },
    peakResidentBytes: () => peakResidentBytes,
    openDescriptors: () => descriptorsOf(pid),
    inspect,
    logs,
    terminate: async () => {
      await run("docker", ["kill", "--signal", "SIGTERM", id]);
      while ((await inspect("{{.State.Running}}")) !== "false") await sleep(100);
      return inspect("{{.State.ExitCode}}");
    },
    remove: async () => {
      for (const timer of timers) clearInterval(timer);
      await remove();
    },
  };
}

/** 0 when the process is gone. */
function descriptorsOf(pid: number): number {
  return existsSync(`/proc/${pid}/fd`) ? readdirSync(`/proc/${pid}/fd`).length : 0;
}

/** The directory of a process's memory group, where the kernel has such groups (cgroup v1). */
function memoryGroup(pid: number): string | undefined {
  const path = /^\d+:memory:(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1];
  const group = `/sys/fs/cgroup/memory${path}`;
  return path !== undefined && existsSync(`${group}/memory.stat`) ? group : undefined;
}

function higher(before: ContainerMemory | undefined, group: string): ContainerMemory | undefined {
  try {
    const number = (file: string): number => Number(readFileSync(`${group}/${file}`, "latin1"));
    const field = (file: string, name: string): number =>
      Number(new RegExp(`^${name} (\\d+)`, "m").exec(readFileSync(`${group}/${file}`, "latin1"))?.[1] ?? 0);
    const now: ContainerMemory = {
      anonymous: field("memory.stat", "rss"),
      pageCache: field("memory.stat", "cache"),
      kernel: number("memory.kmem.usage_in_bytes"),
      used: number("memory.usage_in_bytes"),
      oomKills: field("memory.oom_control", "oom_kill"),
      limitHits: number("memory.failcnt"),
    };
    if (before === undefined) return now;
    const most = (key: keyof ContainerMemory): number => Math.max(before[key], now[key]);
    return {
      anonymous: most("anonymous"),
      pageCache: most("pageCache"),
      kernel: most("kernel"),
      used: most("used"),
      oomKills: most("oomKills"),
      limitHits: most("limitHits"),
    };
  } catch {
    // The container has just ended; what was seen last stands.
    return before;
  }
}

/**
 * Writes files to the disk and drops their pages: who reads them next has them in its own account. In a Pod the application
 * and pannier have one each, and what was written long ago is no longer in the application's.
 */
export async function forgetPages(directory: string): Promise<void> {
  for (const name of readdirSync(directory))
    await run("dd", [
      `of=${join(directory, name)}`,
      "oflag=nocache",
      "conv=notrunc,fdatasync",
      "count=0",
      "status=none",
    ]);
}

/** `1234567` → `1.2`. */
export function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}

/** In one line. */
export function describeMemory(memory: ContainerMemory | undefined): string {
  if (memory === undefined) return "container unknown";
  const { anonymous, pageCache, kernel, used, oomKills, limitHits } = memory;
  return `container ${mebibytes(used)} (own ${mebibytes(anonymous)}, files ${mebibytes(pageCache)}, kernel ${mebibytes(kernel)}), limit met ${limitHits} times, ${oomKills} kills`;
}
