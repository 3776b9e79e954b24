import { loadConfig } from "../../config/load.ts";
import type { Environment } from "../../config/variables.ts";
import { systemClock } from "../../core/clock.ts";
import type { SinkConfig } from "../../core/config.ts";
import { ExitCode } from "../../core/errors.ts";
import { probeElasticsearch } from "../../sinks/elasticsearch/probe.ts";
import type { Finding } from "../../sinks/finding.ts";
import { probeLoki } from "../../sinks/loki/probe.ts";
import { probeSplunk } from "../../sinks/splunk/probe.ts";
import type { Arguments } from "../arguments.ts";
import { estimates } from "../estimates.ts";
import { warn } from "../report.ts";
import { serviceNameOf } from "../surroundings.ts";

/** A sink that has not answered everything by then is reported as it stands. */
const PROBE_TIMEOUT_MS = 30_000;

/** Looks at every sink and prints what was found; 69 when one of them was not reached at all or would not take records. */
export async function probe({ flags }: Arguments, env: Environment): Promise<ExitCode> {
  const { config, exposed, warnings } = loadConfig({
    flags,
    env,
    estimates: estimates(serviceNameOf(env)),
    needsInputs: false,
  });
  if (exposed !== undefined) warn(exposed);
  for (const warning of warnings) warn(warning);
  const findings = await Promise.all(config.sinks.map(lookAt));
  process.stdout.write(config.sinks.map((sink, i) => describeFindings(sink, findings[i])).join("\n"));
  return findings.flat().every((finding) => finding.ok) ? ExitCode.ok : ExitCode.unavailable;
}

async function lookAt(sink: SinkConfig): Promise<readonly Finding[]> {
  if (sink.type === "elasticsearch")
    return probeElasticsearch(sink, systemClock, AbortSignal.timeout(PROBE_TIMEOUT_MS));
  if (sink.type === "loki") return probeLoki(sink, systemClock, AbortSignal.timeout(PROBE_TIMEOUT_MS));
  if (sink.type === "splunk") return probeSplunk(sink, systemClock, AbortSignal.timeout(PROBE_TIMEOUT_MS));
  return [{ ok: true, what: "reachable", detail: "standard output is always there" }];
}

/** A sink's name and where it is, and below it a line for each finding. */
function describeFindings(sink: SinkConfig, findings: readonly Finding[]): string {
  const where = sink.type !== "stdout" ? ` (${sink.urls.join(", ")})` : "";
  const width = Math.max(...findings.map((finding) => finding.what.length));
  const lines = findings.flatMap(({ ok, what, detail, hint }) => [
    `  ${!ok ? "FAIL" : hint === undefined ? "ok  " : "note"}  ${what.padEnd(width)}  ${detail}`,
    ...(hint === undefined ? [] : [`        ${" ".repeat(width)}  ${hint}`]),
  ]);
  return `${[`${sink.name}${where}`, ...lines].join("\n")}\n`;
}
