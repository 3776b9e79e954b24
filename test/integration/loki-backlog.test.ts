/**
 * A backlog that is much faster than Loki takes a stream whole, in one file and in 16, with kills: Loki as it is by default but
 * for its rate limits, so it splits streams. PANNIER_LOKI_BACKLOG_MB sets the size.
 */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { startLoki } from "../servers/loki/start.ts";
import { requireServer } from "../servers/require.ts";
import { isCommitted, killAgents, startAgent } from "../support/agent.ts";
import { eachEntry, metricOf } from "../support/loki-query.ts";
import { seededRandom } from "../support/random.ts";

const MB = 1_000_000;
const SIZE_BYTES = Number(process.env["PANNIER_LOKI_BACKLOG_MB"] ?? 20) * MB;
const SEED = Number(process.env["PANNIER_SEED"] ?? Date.now() % 1_000_000);
const KILLS = 3;
const PATIENCE_MS = 60_000 + SIZE_BYTES / 1_000;
const LIMITS = {
  ingestion_rate_mb: 50,
  ingestion_burst_size_mb: 100,
  per_stream_rate_limit: "50MB",
  per_stream_rate_limit_burst: "100MB",
};
const HOUR_MS = 3_600_000;

const closing: (() => unknown)[] = [];

afterEach(async () => {
  await killAgents();
  for (const close of closing.splice(0).toReversed()) await close();
});

/** Writes so many bytes of numbered lines over the files, and returns how many lines that are. */
function write(paths: readonly string[], bytes: number, startMs: number): number {
  let sequence = 0;
  let written = 0;
  while (written < bytes) {
    const lines = Array.from({ length: 2_000 }, () => {
      const time = startMs + Math.floor(sequence / 100);
      return `${JSON.stringify({ level: 30, time, seq: sequence++, msg: "what there is to say about it ".repeat(5) })}\n`;
    });
    const text = lines.join("");
    appendFileSync(paths[(sequence / 2_000) % paths.length], text);
    written += text.length;
  }
  return sequence;
}

describe(`${SIZE_BYTES / MB} MB, seed ${SEED}`, () => {
  test.for([
    { files: 1, agedHours: 0 },
    { files: 16, agedHours: 0 },
    { files: 3, agedHours: 2 },
  ])(
    "in $files files, $agedHours hours old: each line once, since its streams are slower than what Loki splits",
    { timeout: 3 * PATIENCE_MS },
    async ({ files, agedHours }, context) => {
      const directory = mkdtempSync(join(os.tmpdir(), "pannier-loki-backlog-"));
      closing.push(() => rmSync(directory, { recursive: true, force: true }));
      const server = await requireServer(context, () => startLoki({ limits: LIMITS }));
      closing.push(() => server.stop());
      const [logs, state] = [join(directory, "logs"), join(directory, "state")];
      mkdirSync(logs);
      const paths = Array.from({ length: files }, (_, i) => join(logs, `app-${i}.log`));
      const startMs = Date.now() - agedHours * HOUR_MS - SIZE_BYTES / 20_000;
      const count = write(paths, SIZE_BYTES, startMs);
      const args = ["run", logs, "--to", `loki+${server.url}?label.job=backlog`, "--state-dir", state];
      const random = seededRandom(SEED);
      const beganMs = performance.now();
      let delivered = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        const agent = startAgent(args);
        const more = (count * (0.5 + random.next() / 2)) / (KILLS + 1);
        const status = await agent.waitForStatus(({ sinks }) => sinks[0].delivered_lines >= more, PATIENCE_MS);
        delivered += status.sinks[0].delivered_lines;
        expect(isCommitted(status), "it was killed at work").toBe(false);
        await sleep(random.below(50));
        await agent.kill9();
      }
      expect(delivered).toBeLessThan(count);
      const last = startAgent([...args, "--once"]);
      expect(await last.end(PATIENCE_MS), JSON.stringify(last.logs.slice(-5))).toEqual({ code: 0, signal: null });
      const seconds = (performance.now() - beganMs) / 1_000;

      const times = new Uint8Array(count);
      const streams = new Set<string>();
      const newest = new Map<string, number>();
      let wrong = 0;
      const entries = await eachEntry(
        server.url,
        '{job="backlog"}',
        ({ line, labels, metadata }) => {
          times[(JSON.parse(line) as { seq: number }).seq]++;
          const stream = JSON.stringify(labels);
          streams.add(stream);
          const place = `${metadata["file"]} ${stream}`;
          const offset = Number(metadata["offset"]);
          if (offset < (newest.get(place) ?? -1)) wrong++;
          newest.set(place, offset);
        },
        { from: startMs - HOUR_MS },
      );
      const missing = times.filter((n) => n === 0).length;
      const split = await metricOf(server.url, "loki_stream_sharding_count");
      await context.annotate(
        `${count} lines, ${(SIZE_BYTES / MB / seconds).toFixed(1)} MB/s with ${KILLS} kills, ${streams.size} streams, ${split} pushes split, ${entries - count + missing} doubled`,
      );
      expect({ missing, doubled: times.filter((n) => n > 1).length, wrong }).toEqual({
        missing: 0,
        doubled: 0,
        wrong: 0,
      });
      // What is sent again after a kill comes on top of what was sent just before it.
      expect(split).toBeLessThanOrEqual(KILLS);
    },
  );
});
