/**
 * Plays a scenario of a server that misbehaves against the real process, and holds the result to the seven terms of the
 * contract: delivered, lost and doubled are counted from sequence numbers at the server.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExpectStatic } from "vitest";
import { type Agent, isCommitted, startAgent, type Status } from "./agent.ts";
import { elasticsearchKind } from "./kinds/elasticsearch.ts";
import { withLimits } from "./limits.ts";
import { type Behaviour, MisbehavingServer, type ServerOptions } from "./misbehaving-server.ts";
import { NumberedLines } from "./numbered-lines.ts";
import type { SinkKind } from "./sink-kind.ts";

export interface Scenario {
  readonly behave: Behaviour;
  /** Code of the trouble that pannier says; "" when it goes on without a word; without one it has to notice nothing at all. */
  readonly says?: string;
  /** Words of that message. */
  readonly mentions?: string | RegExp;
  readonly lines?: number;
  /** Batches that the lines come in. */
  readonly writes?: number;
  /** Members of `batch`. */
  readonly batch?: string;
  /** Further members of the sink, from the directory of the scenario. */
  readonly sink?: (directory: string) => string;
  readonly limits?: Readonly<Record<string, number>>;
  readonly server?: (directory: string) => ServerOptions;
  /** What happens after the start. */
  readonly steps?: (world: World) => Promise<void>;
  /** Sequence numbers that end as dead letters. */
  readonly dead?: readonly number[];
  /** A part of the reason that their letters have. */
  readonly reason?: string;
  /** The server stores something that it does not say it has: without ids, that is there twice. */
  readonly stored?: boolean;
  /** Records that were refused once. */
  readonly rejected?: number;
  /** How the process is started. */
  readonly through?: (directory: string) => readonly string[];
  /** Address instead of the server's own. */
  readonly url?: (server: MisbehavingServer) => string;
}

export interface World {
  readonly directory: string;
  readonly agent: Agent;
  readonly lines: NumberedLines;
  server: MisbehavingServer;
}

/** Codes of what a sink logs when something is wrong. */
const TROUBLE = /^(sink_|destination_|record_|unexpected_|dead_letters_|content_)/;

export async function play(
  scenario: Scenario,
  expect: ExpectStatic,
  kind: SinkKind = elasticsearchKind,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "pannier-scenario-"));
  const { behave, lines: count = 300, writes = 1 } = scenario;
  const server = await new MisbehavingServer({ kind, behave, ...scenario.server?.(directory) }).listen();
  mkdirSync(join(directory, "logs"));
  const lines = new NumberedLines(join(directory, "logs", "app.log"));
  lines.write(Math.ceil(count / writes));
  writeFileSync(join(directory, "pannier.yaml"), configOf(scenario, directory, server));
  const agent = startAgent(["run", "--config", join(directory, "pannier.yaml")], {
    flags: ["--max-semi-space-size=4", ...(scenario.limits === undefined ? [] : withLimits(scenario.limits))],
    ...(scenario.through === undefined ? {} : { through: scenario.through(directory) }),
  });
  const world: World = { directory, agent, lines, server };
  try {
    await scenario.steps?.(world);
    if (scenario.says) await agent.waitForLog(scenario.says);
    for (let i = 1; i < writes; i++) {
      await agent.waitForStatus(isWhole);
      lines.write(Math.ceil(count / writes));
    }
    const status = await agent.waitForStatus(
      (now) => isWhole(now) && now.files[0].size === lines.bytes && now.sinks[0].state === "ok",
    );
    await holdToTerms(scenario, world, status, expect);
    if (scenario.dead !== undefined && scenario.reason !== undefined) holdToReason(scenario.reason, world, expect);
    expect(await agent.stop()).toEqual({ code: 0, signal: null });
    expect(agent.logs.at(-1)).toMatchObject({ code: "drain", outcome: "complete", remainder_bytes: 0 });
  } finally {
    await agent.kill9();
    await world.server.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function isWhole(status: Status): boolean {
  return isCommitted(status);
}

async function holdToTerms(
  { says, mentions, dead = [], rejected = 0, stored = false }: Scenario,
  { agent, lines, server }: World,
  { files, sinks }: Status,
  expect: ExpectStatic,
): Promise<void> {
  const lengths = readFileSync(lines.path, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => Buffer.byteLength(line) + 1);
  const deadBytes = dead.reduce((sum, sequence) => sum + lengths[sequence], 0);
  expect(files[0].ledger).toEqual({
    unread: 0,
    in_flight: 0,
    delivered: lines.bytes - deadBytes,
    filtered: 0,
    dead_lettered: deadBytes,
    cut: 0,
    lost: 0,
  });
  const { sequences, arrivals } = server.store;
  const missing = Array.from({ length: lines.count }, (_, n) => n).filter((n) => sequences.times(n) === 0);
  expect(missing, "lines that the server does not have").toEqual(dead);
  if (server.kind.keepsOnce || !stored) {
    expect(sequences.compare(lines.count).doubled, "doubled").toBe(0);
    expect(arrivals.length).toBe(lines.count - dead.length);
  } else {
    // What is there twice can be recognised, and nothing else has its id.
    const ids = new Map(arrivals.map(({ id, sequence }) => [sequence, id]));
    expect(new Set(arrivals.map(({ id }) => id)).size).toBe(ids.size);
  }
  expect(sinks[0]).toMatchObject({
    last_error: null,
    delivered_lines: lines.count - dead.length,
    rejected,
    unexpected_conflicts: 0,
  });
  const said = agent.logs.filter(({ code, level }) => TROUBLE.test(code) && level !== "info");
  if (says === undefined) {
    expect(said).toEqual([]);
    expect(sinks[0].retries).toBe(0);
    return;
  }
  if (rejected === 0) expect(sinks[0].retries).toBeGreaterThan(0);
  if (says === "") expect(said).toEqual([]);
  else expect(said.find(({ code }) => code === says)?.msg).toMatch(mentions ?? "");
  expect((await agent.get("/readyz")).status, "readiness never depends on the sink").toBe(200);
}

/** Dead letters have the server's own words. */
function holdToReason(reason: string, { directory, server }: World, expect: ExpectStatic): void {
  const file = join(directory, "state", "dead-letters", `${server.kind.type}.ndjson`);
  const letters = readFileSync(file, "utf8").split("\n").slice(0, -1);
  for (const letter of letters) expect((JSON.parse(letter) as { reason: string }).reason).toContain(reason);
}

function configOf({ batch = "", sink, url }: Scenario, directory: string, server: MisbehavingServer): string {
  const members = [
    `type: ${server.kind.type}`,
    ...server.kind.settings,
    `urls: ["${url?.(server) ?? server.origin}"]`,
    `batch: { max_age: 20ms${batch === "" ? "" : `, ${batch}`} }`,
    ...(sink === undefined ? [] : [sink(directory)]),
  ];
  return [
    "version: 1",
    `state_dir: ${join(directory, "state")}`,
    "drain: { deadline: 10s }",
    `inputs: [{ paths: ["${join(directory, "logs")}"] }]`,
    `sinks: [{ ${members.join(", ")} }]`,
  ].join("\n");
}
