import type { Clock } from "../../core/clock.ts";
import type { LokiConfig } from "../../core/config.ts";
import { CLOCK_DIFFERENCE_MAX_MS, PROBE_MS } from "../../core/delivery-limits.ts";
import { formatDuration } from "../../core/units.ts";
import type { Finding } from "../finding.ts";
import { Carrier, type Request } from "../http/carrier.ts";
import { ErrorBody } from "../http/error-body.ts";
import { describeFailure } from "../http/failure.ts";
import type { Node } from "../http/nodes.ts";
import { describeAnswer } from "./problem.ts";

/** Versions that pannier is tested with. */
const TESTED = ["3.5.3"];
const ANSWER_MAX_BYTES = 16_384;
/** A push that stores nothing: its one stream has no entry. */
const EMPTY = Buffer.from('{"streams":[{"stream":{"service_name":"pannier_probe"},"values":[]}]}');

/** Looks at a sink from outside: everything that `run` would need, and nothing that leaves a trace at the server. */
export async function probeLoki(config: LokiConfig, clock: Clock, signal: AbortSignal): Promise<readonly Finding[]> {
  const carrier = new Carrier(config, clock, { connectMs: PROBE_MS, silenceMs: PROBE_MS, answerMs: PROBE_MS });
  const { tenant } = config;
  const headers = tenant === undefined ? {} : { "x-scope-orgid": tenant };
  try {
    const findings: Finding[] = [];
    for (const node of carrier.nodes.all) findings.push(...(await push(carrier, node, headers, clock, signal)));
    if (findings.every(({ ok }) => ok)) findings.push(await versionOf(carrier, headers, signal));
    findings.push({
      ok: true,
      what: "streams",
      detail: `tenant ${tenant ?? "none"}; what comes faster than Loki takes a stream whole (\`shard_streams\`, 1.5 MB/s) is spread over streams of its own; where several agents together are faster in one stream, what is sent again after a crash can be there twice`,
    });
    return findings;
  } finally {
    carrier.close();
  }
}

/** Reachability, credentials, tenant and clock of one address, by a push without entries. */
async function push(
  carrier: Carrier,
  node: Node,
  headers: Readonly<Record<string, string>>,
  clock: Clock,
  signal: AbortSignal,
): Promise<Finding[]> {
  const startMs = performance.now();
  const request = {
    method: "POST",
    path: "/loki/api/v1/push",
    headers: { ...headers, "content-type": "application/json" },
    body: () => Promise.resolve({ bytes: EMPTY }),
  };
  const answer = await ask(carrier, request, signal, node);
  if ("problem" in answer) return [{ ok: false, what: "reachable", detail: answer.problem }];
  const ms = Math.round(performance.now() - startMs);
  const reachable = { ok: true, what: "reachable", detail: `${node.origin} answers` };
  // Other versions may not count a stream without entries.
  const isTaken = answer.status === 204 || answer.status === 200 || answer.status === 422;
  if (!isTaken) {
    const { message } = describeAnswer(answer.status, answer.text, node.origin);
    return [reachable, { ok: false, what: "push", detail: message }];
  }
  return [reachable, { ok: true, what: "push", detail: `took one in ${ms} ms` }, clockOf(answer.date, clock)];
}

function clockOf(date: string, clock: Clock): Finding {
  const serverMs = Date.parse(date);
  if (Number.isNaN(serverMs)) return { ok: true, what: "clock", detail: "the server does not tell its time" };
  const differenceMs = Math.round((serverMs - clock.nowMs()) / 1_000) * 1_000;
  const size = Math.abs(differenceMs);
  if (size <= CLOCK_DIFFERENCE_MAX_MS)
    return { ok: true, what: "clock", detail: `the server's differs by about ${formatDuration(size)}` };
  const direction = differenceMs > 0 ? "ahead of" : "behind";
  return {
    ok: true,
    what: "clock",
    detail: `the server's clock is ${formatDuration(size)} ${direction} this machine's`,
    hint: "Loki refuses what is ten minutes ahead of its clock; pannier then sends it with another time. Set up NTP on both",
  };
}

async function versionOf(
  carrier: Carrier,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Finding> {
  const answer = await ask(carrier, { method: "GET", path: "/loki/api/v1/status/buildinfo", headers }, signal);
  const version = "problem" in answer ? undefined : /"version"\s*:\s*"v?([^"]*)"/.exec(answer.text)?.[1];
  const hint = `Tested: ${TESTED.join(", ")}`;
  if (version === undefined || version === "")
    return { ok: true, what: "version", detail: "the server does not tell it", hint };
  if (TESTED.includes(version)) return { ok: true, what: "version", detail: `Loki ${version}, tested` };
  return { ok: true, what: "version", detail: `Loki ${version}: not tested; it may work`, hint };
}

async function ask(
  carrier: Carrier,
  request: Request,
  signal: AbortSignal,
  node?: Node,
): Promise<{ readonly problem: string } | { readonly status: number; readonly text: string; readonly date: string }> {
  const body = new ErrorBody(ANSWER_MAX_BYTES);
  const transfer = await carrier.send(request, () => (chunk) => body.write(chunk), signal, node);
  if (transfer.kind === "failed")
    return { problem: describeFailure(transfer.code, transfer.message, transfer.origin).message };
  const text = carrier.credentials.redact(body.text.trim());
  return { status: transfer.status, text, date: transfer.headers.date ?? "" };
}
