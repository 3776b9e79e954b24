import type { Clock } from "../../core/clock.ts";
import type { ElasticsearchConfig } from "../../core/config.ts";
import { CLOCK_DIFFERENCE_MAX_MS, PROBE_MS } from "../../core/delivery-limits.ts";
import { formatDuration } from "../../core/units.ts";
import type { Finding } from "../finding.ts";
import { Carrier } from "../http/carrier.ts";
import { type Control, callControl, member } from "../http/control.ts";
import type { Node } from "../http/nodes.ts";
import { describeFailure } from "../http/failure.ts";
import { describeError } from "./problem.ts";
import { askOfficialClient } from "./second-look.ts";
import { inspectTemplate } from "./template.ts";
import { destinationName, templateName } from "./template-body.ts";

/** Versions that pannier is tested with. */
const TESTED = ["9.5.3", "8.19.21"];
const TESTED_MAJORS = ["9", "8"];

/** Looks at a sink from outside: everything that `run` would need, and nothing that leaves a trace at the server. */
export async function probeElasticsearch(
  config: ElasticsearchConfig,
  clock: Clock,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const carrier = new Carrier(config, clock, { connectMs: PROBE_MS, silenceMs: PROBE_MS, answerMs: PROBE_MS });
  const findings: Finding[] = [];
  try {
    let first: Control | undefined;
    for (const node of carrier.nodes.all) {
      const answer = await lookAtNode(carrier, node, findings, signal);
      first ??= answer;
    }
    forgiveDeadNodes(findings);
    if (first === undefined) return findings;
    if (first.status === 200) {
      findings.push(versionOf(first.json));
      findings.push(await askOfficialClient(config, carrier));
    }
    findings.push(await lookAtClock(carrier, first, clock, signal));
    findings.push(await lookAtTemplate(config, carrier, signal));
    findings.push(...(await lookAtRights(config, carrier, signal)));
    findings.push(await roundTrip(config, carrier, signal));
    return findings;
  } finally {
    carrier.close();
  }
}

/** Reachability and credentials of one address. */
async function lookAtNode(
  carrier: Carrier,
  node: Node,
  findings: Finding[],
  signal: AbortSignal,
): Promise<Control | undefined> {
  const answer = await callControl(carrier, { method: "GET", path: "/", node }, signal);
  if ("kind" in answer) {
    const { message } = describeFailure(answer.code, answer.message, answer.origin);
    findings.push({ ok: false, what: "reachable", detail: message });
    return undefined;
  }
  findings.push({ ok: true, what: "reachable", detail: `${answer.origin} answers` });
  const { status, type, reason, origin } = answer;
  if (status === 401) {
    findings.push({ ok: false, what: "credentials", detail: describeError(status, type, reason, origin).message });
    return undefined;
  }
  // A key that may only write is refused here, and fine.
  const detail = status === 403 ? "accepted; they may not see the version, which is fine" : "accepted";
  if (status === 200 || status === 403) findings.push({ ok: true, what: "credentials", detail });
  else findings.push({ ok: false, what: "server", detail: `${origin} answers ${status}: not as Elasticsearch does` });
  return answer;
}

/** The sink is reached as long as one of its addresses is: `run` leaves the others alone until they answer again. */
function forgiveDeadNodes(findings: Finding[]): void {
  const isReached = findings.some(({ what, ok }) => what === "reachable" && ok);
  if (!isReached) return;
  const hint = "Records go to the other addresses in `urls` until this one answers again";
  for (const [i, finding] of findings.entries())
    if (finding.what === "reachable" && !finding.ok) findings[i] = { ...finding, ok: true, hint };
}

function versionOf(root: unknown): Finding {
  const version = member(root, "version");
  const number = String(member(version, "number"));
  if (member(version, "distribution") === "opensearch")
    return {
      ok: true,
      what: "version",
      detail: `OpenSearch ${number}: not supported; it takes bulk requests in the same form, so it may work`,
      hint: "Templates differ: set `manage_template: false` and make one yourself",
    };
  if (member(version, "number") === undefined)
    return { ok: false, what: "version", detail: "this is not Elasticsearch", hint: "Check `urls`" };
  if (TESTED.includes(number)) return { ok: true, what: "version", detail: `Elasticsearch ${number}, tested` };
  const known = TESTED_MAJORS.includes(number.split(".")[0]);
  const detail = known ? "not tested, but of a tested major version" : "not supported; it may work";
  return {
    ok: true,
    what: "version",
    detail: `Elasticsearch ${number}: ${detail}`,
    hint: `Tested: ${TESTED.join(", ")}`,
  };
}

/** The server's clock: from the Date header that proxies add, else from its health. */
async function lookAtClock(carrier: Carrier, root: Control, clock: Clock, signal: AbortSignal): Promise<Finding> {
  let serverMs = Date.parse(root.headers.date ?? "");
  const sentMs = clock.nowMs();
  if (Number.isNaN(serverMs)) {
    const health = await callControl(carrier, { method: "GET", path: "/_cat/health?format=json&h=epoch" }, signal);
    const rows = "kind" in health ? undefined : health.json;
    serverMs = Number(member(Array.isArray(rows) ? rows[0] : undefined, "epoch")) * 1_000;
  }
  if (Number.isNaN(serverMs)) return { ok: true, what: "clock", detail: "the server does not tell its time" };
  // Both sources count whole seconds.
  const differenceMs = Math.round((serverMs - (sentMs + clock.nowMs()) / 2) / 1_000) * 1_000;
  const size = Math.abs(differenceMs);
  const direction = differenceMs > 0 ? "ahead of" : "behind";
  if (size <= CLOCK_DIFFERENCE_MAX_MS)
    return { ok: true, what: "clock", detail: `the server's differs by about ${formatDuration(size)}` };
  // Records arrive all the same.
  return {
    ok: true,
    what: "clock",
    detail: `the server's clock is ${formatDuration(size)} ${direction} this machine's`,
    hint: "Records seem to come late or from the future: set up NTP on both",
  };
}

async function lookAtTemplate(config: ElasticsearchConfig, carrier: Carrier, signal: AbortSignal): Promise<Finding> {
  const what = "template";
  if (!config.manageTemplate) return { ok: true, what, detail: "not managed by pannier (`manage_template: false`)" };
  const found = await inspectTemplate(config, carrier, signal);
  if (found.kind === "ours") {
    const there =
      found.version === undefined ? "will be written at the first start" : `version ${found.version} is there`;
    return { ok: true, what, detail: `${templateName(config)} ${there}` };
  }
  if (found.kind === "theirs") {
    const detail = `${destinationName(config)} has a template of yours (${found.names.join(", ")}), which pannier leaves as it is`;
    if (found.missing.length === 0) return { ok: true, what, detail };
    return { ok: true, what, detail, hint: `It lacks: ${found.missing.join("; ")}` };
  }
  return {
    ok: found.kind === "denied",
    what,
    detail: found.problem.message,
    hint: "Grant `manage_index_templates`, or set `manage_template: false` and make a template yourself",
  };
}

/** What a request that stores nothing cannot show. Nothing where there are no credentials or the server does not tell. */
async function lookAtRights(config: ElasticsearchConfig, carrier: Carrier, signal: AbortSignal): Promise<Finding[]> {
  if (carrier.credentials.header() === undefined) return [];
  const what = "rights";
  const name = destinationName(config);
  const body = { index: [{ names: [name], privileges: ["create_doc"] }] };
  const path = "/_security/user/_has_privileges";
  const answer = await callControl(carrier, { method: "POST", path, body }, signal);
  const has = "kind" in answer || answer.status !== 200 ? undefined : member(answer.json, "has_all_requested");
  if (has === true) return [{ ok: true, what, detail: `the credentials may create documents in ${name}` }];
  if (has !== false) return [];
  const hint = "They need `create_doc` and `auto_configure` there";
  return [{ ok: false, what, detail: `the credentials may not create documents in ${name}`, hint }];
}

const DELETION_OF_NOTHING = Buffer.from('{"delete":{"_id":"pannier-probe-of-an-id-that-does-not-exist"}}\n');

/**
 * A whole `_bulk` request, there and back, that stores nothing: it deletes an id that does not exist. Data streams refuse
 * that by item, a missing index is not created by it, and a key that may only create is told so.
 */
async function roundTrip(config: ElasticsearchConfig, carrier: Carrier, signal: AbortSignal): Promise<Finding> {
  const what = "round trip";
  const path = `/${encodeURIComponent(destinationName(config))}/_bulk?filter_path=errors,items`;
  const answers: Buffer[] = [];
  const startMs = performance.now();
  const transfer = await carrier.send(
    {
      method: "POST",
      path,
      headers: { "content-type": "application/x-ndjson" },
      body: () => Promise.resolve({ bytes: DELETION_OF_NOTHING }),
    },
    () => (chunk) => void answers.push(Buffer.from(chunk)),
    signal,
  );
  if (transfer.kind === "failed")
    return { ok: false, what, detail: describeFailure(transfer.code, transfer.message, transfer.origin).message };
  const ms = Math.round(performance.now() - startMs);
  if (transfer.status === 200)
    return { ok: true, what, detail: `${destinationName(config)} took a bulk request in ${ms} ms` };
  const text = carrier.credentials.redact(Buffer.concat(answers).toString().slice(0, 300));
  return { ok: false, what, detail: describeError(transfer.status, "", text, transfer.origin).message };
}
