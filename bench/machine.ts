import { execFileSync } from "node:child_process";
import { appendFileSync } from "node:fs";
import os from "node:os";
import { RSYSLOGD, rsyslogIsThere } from "./rsyslog/rsyslog.ts";
import { pannierVersion } from "./pannier.ts";
import { OTHER_CORE } from "./measure.ts";

const RESULTS = new URL("RESULTS.md", import.meta.url);

/** What a number means nothing without: processor, memory, kernel and the versions that ran. */
export function describeMachine(): string {
  const cpus = os.cpus();
  const gibibytes = (os.totalmem() / 1024 ** 3).toFixed(0);
  const rsyslog = rsyslogIsThere()
    ? ` · rsyslog ${/rsyslogd\s+(\S+)/.exec(execFileSync(RSYSLOGD, ["-v"], { encoding: "utf8" }))?.[1]}`
    : "";
  return `${cpus.length} × ${cpus[0]?.model.trim()} · ${gibibytes} GiB · Linux ${os.release()} · Node ${process.version} · pannier ${pannierVersion()}${rsyslog}`;
}

/** Keeps this process and what it starts away from the measured core. */
export function leaveMeasuredCore(): void {
  execFileSync("taskset", ["-cp", OTHER_CORE, String(process.pid)], { stdio: "ignore" });
}

/** Appends a section to RESULTS.md. */
export function recordResult(title: string, body: string): void {
  const date = new Date().toISOString().slice(0, 16).replace("T", " ");
  appendFileSync(RESULTS, `\n## ${date} UTC: ${title}\n\n${describeMachine()}\n\n${body}\n`);
}
