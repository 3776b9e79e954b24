import type { ElasticsearchConfig } from "../../core/config.ts";
import type { Log } from "../../core/log.ts";
import type { Problem } from "../exchange.ts";
import type { Carrier } from "../http/carrier.ts";
import { type Control, callControl, member } from "../http/control.ts";
import { describeFailure } from "../http/failure.ts";
import { describeError, describeStranger } from "./problem.ts";
import { TEMPLATE_VERSION, destinationName, missingGuarantees, templateBody, templateName } from "./template-body.ts";

/** Overlaps are found by simulating pannier's template at a priority that nobody has; at 500 its own copy would collide. */
const SIMULATED_PRIORITY = 987_654_321;
/** What Elasticsearch brings for every log stream: not the user's, so pannier's may replace it. */
const BUILT_IN = "logs";
/** Failing answers that hold the first batch back; a server that starts up gives some. */
const PATIENCE_ANSWERS = 10;

/** What is found at the server. */
export type TemplateFinding =
  /** Nothing of the user's matches. `version` of the template that is there, or undefined. */
  | { readonly kind: "ours"; readonly version: number | undefined }
  /** A template of the user's decides; pannier touches nothing. */
  | { readonly kind: "theirs"; readonly names: readonly string[]; readonly missing: readonly string[] }
  | { readonly kind: "denied" | "failed"; readonly problem: Problem }
  | { readonly kind: "unreachable"; readonly problem: Problem };

/**
 * Sees to the index template before the first batch: a stream that exists is changed by no template until its rollover.
 * Trouble with it holds batches back only while the server would not take them either.
 */
export class Template {
  readonly #config: ElasticsearchConfig;
  readonly #carrier: Carrier;
  readonly #log: Log;
  #settled: boolean;
  #failures = 0;
  #problem: Problem | undefined;
  #running: Promise<Problem | undefined> | undefined;

  constructor(config: ElasticsearchConfig, carrier: Carrier, log: Log) {
    this.#config = config;
    this.#carrier = carrier;
    this.#log = log;
    this.#settled = !config.manageTemplate;
  }

  /** Called before each request. A problem means that records must not be sent yet. */
  prepare(signal: AbortSignal): Promise<Problem | undefined> {
    if (this.#settled) return Promise.resolve(undefined);
    this.#running ??= this.#attempt(signal).finally(() => (this.#running = undefined));
    return this.#running;
  }

  /** Records have arrived: from here on a template comes too late, and `_bulk` is known to work without it. */
  shipped(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#log.warn(
      "template_missing",
      `${this.#config.name}: the index template could not be looked after, shipping goes on without it: ` +
        `${this.#problem?.message ?? ""} Grant \`manage_index_templates\`, or set \`manage_template: false\` and make one yourself`,
      { sink: this.#config.name },
    );
  }

  async #attempt(signal: AbortSignal): Promise<Problem | undefined> {
    const found = await inspectTemplate(this.#config, this.#carrier, signal);
    if (found.kind === "ours" && (found.version ?? 0) < TEMPLATE_VERSION)
      return this.#finish(await writeTemplate(this.#config, this.#carrier, signal));
    return this.#finish(found);
  }

  #finish(found: TemplateFinding): Problem | undefined {
    if (found.kind === "unreachable") return found.problem;
    if (found.kind === "denied" || found.kind === "failed") {
      this.#problem = found.problem;
      const waits = found.kind === "failed" && ++this.#failures < PATIENCE_ANSWERS;
      return waits ? found.problem : undefined;
    }
    this.#settled = true;
    if (found.kind === "theirs") this.#reportTheirs(found.names, found.missing);
    return undefined;
  }

  #reportTheirs(names: readonly string[], missing: readonly string[]): void {
    const fields = { sink: this.#config.name, templates: names };
    const what = `${this.#config.name}: ${destinationName(this.#config)} has a template of yours (${names.join(", ")}), which is left as it is`;
    if (missing.length === 0) this.#log.info("template_of_user", what, fields);
    else this.#log.warn("template_of_user", `${what}. It lacks: ${missing.join("; ")}`, fields);
  }
}

/** Asks what would decide over a new index of that name. Changes nothing. */
export async function inspectTemplate(
  config: ElasticsearchConfig,
  carrier: Carrier,
  signal: AbortSignal,
): Promise<TemplateFinding> {
  const name = encodeURIComponent(destinationName(config));
  const simulate = `/_index_template/_simulate_index/${name}`;
  const body = templateBody(config, SIMULATED_PRIORITY);
  const simulated = await callControl(carrier, { method: "POST", path: simulate, body }, signal);
  if ("kind" in simulated || simulated.status !== 200) return failure(simulated);
  // Anybody can answer 200; what does not say which template would decide is no Elasticsearch.
  if (member(simulated.json, "template") === undefined) return stranger(simulated);
  // The pattern is exactly one name, so what overlaps is what matches.
  const overlapping = member(simulated.json, "overlapping");
  const names = (Array.isArray(overlapping) ? overlapping : []).map((each) => String(member(each, "name")));
  const own = templateName(config);
  const theirs: string[] = [];
  for (const each of names) {
    if (each === own) continue;
    if (each === BUILT_IN && (await isBuiltIn(carrier, each, signal))) continue;
    theirs.push(each);
  }
  if (theirs.length > 0) {
    const effective = await callControl(carrier, { method: "POST", path: simulate }, signal);
    if ("kind" in effective) return failure(effective);
    return { kind: "theirs", names: theirs, missing: missingGuarantees(effective.json) };
  }
  if (!names.includes(own)) return { kind: "ours", version: undefined };
  const path = `/_index_template/${encodeURIComponent(own)}?filter_path=index_templates.index_template.version`;
  const present = await callControl(carrier, { method: "GET", path }, signal);
  if ("kind" in present || present.status !== 200) return failure(present);
  return { kind: "ours", version: versionOf(present.json) };
}

/** Writes pannier's template. */
async function writeTemplate(
  config: ElasticsearchConfig,
  carrier: Carrier,
  signal: AbortSignal,
): Promise<TemplateFinding> {
  const path = `/_index_template/${encodeURIComponent(templateName(config))}`;
  const written = await callControl(carrier, { method: "PUT", path, body: templateBody(config) }, signal);
  if ("kind" in written || written.status !== 200) return failure(written);
  if (member(written.json, "acknowledged") !== true) return stranger(written);
  return { kind: "ours", version: TEMPLATE_VERSION };
}

/** Elasticsearch marks what it brings as managed; a user may have put an own template in its place. */
async function isBuiltIn(carrier: Carrier, name: string, signal: AbortSignal): Promise<boolean> {
  const path = `/_index_template/${name}?filter_path=index_templates.index_template._meta.managed`;
  const answer = await callControl(carrier, { method: "GET", path }, signal);
  if ("kind" in answer) return false;
  return member(member(firstTemplate(answer.json), "_meta"), "managed") === true;
}

function versionOf(json: unknown): number {
  const version = member(firstTemplate(json), "version");
  return typeof version === "number" ? version : 0;
}

function firstTemplate(json: unknown): unknown {
  const templates = member(json, "index_templates");
  return Array.isArray(templates) ? member(templates[0], "index_template") : undefined;
}

function failure(answer: Awaited<ReturnType<typeof callControl>>): TemplateFinding {
  if ("kind" in answer)
    return { kind: "unreachable", problem: describeFailure(answer.code, answer.message, answer.origin) };
  if (answer.status < 400) return stranger(answer);
  return { kind: isDenied(answer) ? "denied" : "failed", problem: problemOf(answer) };
}

/** Something else than the server answers: batches wait as if nobody did. */
function stranger({ status, origin }: Control): TemplateFinding {
  return { kind: "unreachable", problem: describeStranger(status, origin) };
}

function isDenied({ status }: Control): boolean {
  // 4xx other than 429 does not heal by waiting: no right, or a server without this interface.
  return status >= 400 && status < 500 && status !== 429 && status !== 408;
}

function problemOf({ status, type, reason, origin }: Control): Problem {
  return describeError(status, type, reason, origin);
}
