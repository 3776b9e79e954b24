/**
 * Lines and labels that a real Loki cannot take as they are: every line is queryable, or in the dead letters with Loki's own
 * reason, and nothing blocks. PANNIER_LOKI_VALUES sets how many values a label has.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { killAgents, startAgent, type Agent } from "../support/agent.ts";
import { eachEntry, type FoundEntry, waitForEntries } from "../support/loki-query.ts";
import { Closing, numbered } from "../support/loki-rig.ts";

const VALUES = Number(process.env["PANNIER_LOKI_VALUES"] ?? 2_300);
const VALUES_AT_FIRST = 100;
/** `LOKI_STREAMS_MAX`. */
const STREAMS_MAX = 2_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const PATIENCE_MS = 120_000;
const closing = new Closing();

afterEach(async () => {
  await killAgents();
  await closing.close();
});

/** Starts an agent with these labels. */
function start(
  url: string,
  logs: string,
  state: string,
  labels: Readonly<Record<string, string>>,
  ...flags: string[]
): Agent {
  const path = join(logs, "..", "pannier.yaml");
  const sinks = [{ type: "loki", urls: [url], labels }];
  writeFileSync(path, stringify({ state_dir: state, inputs: [{ paths: [logs] }], sinks }));
  return startAgent(["run", "--config", path, ...flags]);
}

async function ship(...args: Parameters<typeof start>): Promise<Agent> {
  const agent = start(args[0], args[1], args[2], args[3], "--once");
  expect(await agent.end(PATIENCE_MS), JSON.stringify(agent.logs.slice(-5))).toEqual({ code: 0, signal: null });
  return agent;
}

function placeOf(metadata: FoundEntry["metadata"]): string {
  return `${metadata["file"]} ${metadata["offset"]}`;
}

/** How often each place is there; `undefined` lines have none. */
function placesOf(found: readonly FoundEntry[]): Map<string, number> {
  const places = new Map<string, number>();
  for (const { metadata } of found) {
    const place = placeOf(metadata);
    places.set(place, (places.get(place) ?? 0) + 1);
  }
  return places;
}

describe("Loki", () => {
  test("as it is by default gets lines of every kind, each once, whatever their time, size and bytes", async (context) => {
    const { logs, state } = closing.directories();
    const server = await closing.loki(context);
    const now = Date.now();
    const at = (ms: number, msg: string): Buffer => Buffer.from(JSON.stringify({ level: 30, time: ms, msg }));
    const kinds: ((i: number) => Buffer)[] = [
      (i) => at(now + i, `fresh ${i}`),
      () => at(now, "equal, and with an equal time"),
      () => Buffer.from("equal, and without a time"),
      (i) => Buffer.from(`no time ${i}`),
      (i) => at(now + (2 + (i % 5)) * HOUR_MS, `future ${i}`),
      (i) => at(now + 400 * DAY_MS, `far future ${i}`),
      (i) => at(now - (8 + (i % 30)) * DAY_MS, `ancient ${i}`),
      // What is older than three hours is asked for in chunks only, which are written later.
      (i) => at(now - 2.5 * HOUR_MS - i, `late ${i}`),
      (i) => at(now - 90 * 60_000 - i, `less late ${i}`),
      () => at(0, "1970"),
      (i) => Buffer.from(`${"x".repeat(300 * 1_024)} 300 KiB ${i}`),
      (i) => at(now, `large and timed ${i} ${"ü".repeat(140 * 1_024)}`),
      (i) => Buffer.from(`not utf-8 \xff\xc0\x80 ${i}`, "latin1"),
      (i) => Buffer.from(`nul \0 and others \x01\x1b[31m ${i}`),
      () => Buffer.from("{"),
      () => Buffer.from('"'),
      (i) => Buffer.from(`{"time":"2026-02-30T99:99:99Z","msg":"no day ${i}"}`),
      (i) => Buffer.from(`{"time":${now},"level":"${"é".repeat(200)}","trace_id":"${"t".repeat(900)}","i":${i}}`),
    ];
    const places = new Set<string>();
    // Two files of one stream, each with all of it in another order.
    for (const [n, name] of ["a.log", "b.log"].entries()) {
      let offset = 0;
      const parts: Buffer[] = [];
      for (let i = 0; i < 20 * kinds.length; i++) {
        const line = kinds[(i * (n === 0 ? 1 : 7) + n) % kinds.length](i);
        places.add(`${join(logs, name)} ${offset}`);
        parts.push(line, Buffer.from("\n"));
        offset += line.length + 1;
      }
      writeFileSync(join(logs, name), Buffer.concat(parts));
    }
    const startMs = performance.now();
    const agent = await ship(server.url, logs, state, { job: "hostile" });
    const seconds = (performance.now() - startMs) / 1_000;
    const found: FoundEntry[] = [];
    const long = '"x{99}|ü{99}"';
    await eachEntry(server.url, `{job="hostile"} !~ ${long}`, (entry) => found.push(entry));
    // Loki leaves out what does not fit into a message between its parts.
    await eachEntry(server.url, `{job="hostile"} |~ ${long}`, (entry) => found.push(entry), { page: 8 });
    const drain = agent.logs.find(({ code }) => code === "drain");
    expect(drain).toMatchObject({ outcome: "complete", remainder_bytes: 0 });
    const counts = placesOf(found);
    const missing = [...places].filter((place) => !counts.has(place));
    const doubled = [...counts].filter(([, times]) => times > 1).map(([place]) => place);
    expect({ missing, doubled }).toEqual({ missing: [], doubled: [] });
    await context.annotate(`${places.size} lines in ${seconds.toFixed(1)} s`);
  });

  test("that takes fewer labels than there are gets the lines in the stream of their service, the labels as metadata", async (context) => {
    const { logs, state } = closing.directories();
    const server = await closing.loki(context, { limits: { max_label_names_per_series: 5 } });
    const labels = Object.fromEntries(Array.from({ length: 13 }, (_, i) => [`label_${i}`, `value ${i}`]));
    writeFileSync(join(logs, "app.log"), numbered(0, 300));
    await ship(server.url, logs, state, labels);
    const found = await waitForEntries(server.url, '{service_name="unknown_service"}', 300);
    expect(placesOf(found).size).toBe(300);
    expect(found.length).toBe(300);
    expect(found[0].metadata).toMatchObject({ label_0: "value 0", label_12: "value 12" });
    expect(found[0].metadata["refused"]).toContain("label names; limit 5");
  });

  test("twenty labels are more than Loki takes: the start says so and names the setting", async () => {
    const { logs, state } = closing.directories();
    const labels = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`label_${i}`, "x"]));
    const agent = start("http://127.0.0.1:9", logs, state, labels);
    expect(await agent.end(PATIENCE_MS)).toEqual({ code: 78, signal: null });
    expect(JSON.stringify(agent.logs)).toContain(
      "sinks[0].labels: 21 labels with service_name, and 14 are possible: Loki takes 15",
    );
  });

  test(
    `with a label of ${VALUES} values: the label is named, and every line is there once, also after a kill`,
    { timeout: 3 * PATIENCE_MS },
    async (context) => {
      const { logs, state } = closing.directories();
      const server = await closing.loki(context);
      const write = (from: number, to: number): void => {
        for (let i = from; i < to; i++) {
          mkdirSync(join(logs, `user-${i}`));
          writeFileSync(join(logs, `user-${i}`, "app.log"), numbered(i * 2, 2));
        }
      };
      // Too few for the warning, which a kill could take with it.
      write(0, VALUES_AT_FIRST);
      const labels = { job: "values", user: "{1}" };
      const first = start(server.url, logs, state, labels);
      await first.waitForStatus(({ sinks }) => sinks[0].delivered_lines > 100, PATIENCE_MS);
      await first.kill9();
      write(VALUES_AT_FIRST, VALUES);
      const startMs = performance.now();
      const agent = await ship(server.url, logs, state, labels);
      const seconds = (performance.now() - startMs) / 1_000;
      const said = [...first.logs, ...agent.logs].filter(({ code }) => code === "too_many_streams");
      expect(said[0]).toMatchObject({ label: "user" });
      const times = new Uint8Array(2 * VALUES);
      const streams = new Set<string>();
      await eachEntry(server.url, '{service_name="unknown_service"}', ({ line, labels: own }) => {
        times[(JSON.parse(line) as { seq: number }).seq]++;
        streams.add(JSON.stringify(own));
      });
      const count = (n: (times: number) => boolean): number => times.filter(n).length;
      expect({ missing: count((n) => n === 0), doubled: count((n) => n > 1) }).toEqual({ missing: 0, doubled: 0 });
      // Of each process its own, at most.
      expect(streams.size).toBeLessThanOrEqual(2 * STREAMS_MAX + 1);
      await context.annotate(`${streams.size} streams; what was left took ${seconds.toFixed(1)} s`);
    },
  );
});
