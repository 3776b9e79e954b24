import { randomUUID } from "node:crypto";
import type { Clock } from "../../core/clock.ts";
import type { SplunkConfig } from "../../core/config.ts";
import { CLOCK_DIFFERENCE_MAX_MS, PROBE_MS } from "../../core/delivery-limits.ts";
import { formatDuration } from "../../core/units.ts";
import type { Finding } from "../finding.ts";
import { Carrier } from "../http/carrier.ts";
import { type Control, callControl } from "../http/control.ts";
import { describeFailure } from "../http/failure.ts";
import type { Node } from "../http/nodes.ts";
import { readAnswer } from "./answer.ts";
import { describeAnswer, describeStranger } from "./problem.ts";

const HEALTHY_CODE = 17;
const NO_DATA_CODE = 5;
const ACK_DISABLED_CODE = 14;

/** Looks at a collector from outside: health, token, acknowledgement, clock. Nothing is sent that it would keep. */
export async function probeSplunk(
  config: SplunkConfig,
  clock: Clock,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const carrier = new Carrier(config, clock, { connectMs: PROBE_MS, silenceMs: PROBE_MS, answerMs: PROBE_MS });
  try {
    const findings: Finding[] = [];
    for (const node of carrier.nodes.all) findings.push(...(await lookAtNode(config, carrier, node, clock, signal)));
    return findings;
  } finally {
    carrier.close();
  }
}

async function lookAtNode(
  config: SplunkConfig,
  carrier: Carrier,
  node: Node,
  clock: Clock,
  signal: AbortSignal,
): Promise<Finding[]> {
  const health = await callControl(carrier, { method: "GET", path: "/services/collector/health", node }, signal);
  if ("kind" in health) {
    const { message } = describeFailure(health.code, health.message, health.origin);
    return [{ ok: false, what: "reachable", detail: message }];
  }
  const findings: Finding[] = [{ ok: true, what: "reachable", detail: `${health.origin} answers` }];
  const answer = readAnswer(health.json);
  if (answer === undefined)
    return [...findings, { ok: false, what: "server", detail: describeStranger(health.status, health.origin).message }];
  if (answer.code === HEALTHY_CODE) findings.push({ ok: true, what: "health", detail: "the collector is healthy" });
  else findings.push({ ok: false, what: "health", detail: problemOf(health) });
  const token = await lookAtToken(config, carrier, node, signal);
  findings.push(token);
  if (token.ok) findings.push(await lookAtAcknowledgement(carrier, node, signal));
  findings.push(clockOf(health, clock));
  return findings;
}

/** A request without any event: the collector looks at the token before it says that there is nothing. */
async function lookAtToken(config: SplunkConfig, carrier: Carrier, node: Node, signal: AbortSignal): Promise<Finding> {
  const what = "token";
  const path = `/services/collector/event?channel=${randomUUID()}`;
  const answer = await callControl(carrier, { method: "POST", path, node }, signal);
  if ("kind" in answer)
    return { ok: false, what, detail: describeFailure(answer.code, answer.message, answer.origin).message };
  if (readAnswer(answer.json)?.code !== NO_DATA_CODE) return { ok: false, what, detail: problemOf(answer) };
  if (config.index === undefined) return { ok: true, what, detail: "accepted; events go to its own index" };
  const hint = `Whether it may write to ${config.index} shows with the first events`;
  return { ok: true, what, detail: "accepted", hint };
}

async function lookAtAcknowledgement(carrier: Carrier, node: Node, signal: AbortSignal): Promise<Finding> {
  const what = "acknowledgement";
  const path = `/services/collector/ack?channel=${randomUUID()}`;
  const answer = await callControl(carrier, { method: "POST", path, body: { acks: [0] }, node }, signal);
  if ("kind" in answer)
    return { ok: false, what, detail: describeFailure(answer.code, answer.message, answer.origin).message };
  if (answer.status === 200) return { ok: true, what, detail: "on: events count as delivered once they are indexed" };
  if (readAnswer(answer.json)?.code === ACK_DISABLED_CODE)
    return {
      ok: true,
      what,
      detail: "off: events count as delivered once the collector has taken them",
      hint: "What it loses before they are indexed is lost; enable indexer acknowledgement for the token where Splunk offers it",
    };
  return { ok: true, what, detail: "the collector does not say", hint: problemOf(answer) };
}

function problemOf({ status, json, reason, origin }: Control): string {
  return describeAnswer(status, readAnswer(json), reason, origin).message;
}

function clockOf({ headers }: Control, clock: Clock): Finding {
  const what = "clock";
  const serverMs = Date.parse(headers.date ?? "");
  if (Number.isNaN(serverMs)) return { ok: true, what, detail: "the server does not tell its time" };
  const differenceMs = Math.round((serverMs - clock.nowMs()) / 1_000) * 1_000;
  const size = Math.abs(differenceMs);
  if (size <= CLOCK_DIFFERENCE_MAX_MS)
    return { ok: true, what, detail: `the server's differs by about ${formatDuration(size)}` };
  return {
    ok: true,
    what,
    detail: `the server's clock is ${formatDuration(size)} ${differenceMs > 0 ? "ahead of" : "behind"} this machine's`,
    hint: "Events seem to come late or from the future: set up NTP on both",
  };
}
