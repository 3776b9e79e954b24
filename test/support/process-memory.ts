import { readFileSync } from "node:fs";

/** `VmHWM`, `RssAnon`, … of /proc/PID/status in bytes; 0 when the process is gone. */
export function memoryOf(pid: number, field: "VmHWM" | "RssAnon" | "VmRSS"): number {
  try {
    const match = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "latin1"));
    return match === null ? 0 : Number(match[1]) * 1024;
  } catch {
    return 0;
  }
}
