/**
 * A Loki that takes less than there is, by its own limits, and one that was away: nothing is lost, and it catches up about as
 * fast as the limits allow. PANNIER_LOKI_OUTAGE_S sets how long an outage is.
 */
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { isCommitted, killAgents, startAgent } from "../support/agent.ts";
import { startGate } from "../support/gate.ts";
import { metricOf } from "../support/loki-query.ts";
import { Closing, countNumbered, numbered } from "../support/loki-rig.ts";

const MiB = 1024 ** 2;
const OUTAGE_S = Number(process.env["PANNIER_LOKI_OUTAGE_S"] ?? 6);
const PATIENCE_MS = 120_000;
/** Of the rate that Loki allows. */
const SHARE_MIN = 0.85;
const NONE = { missing: 0, doubled: 0 };
/** Of Loki's distributor: lines and metadata that it took. */
const RECEIVED = "loki_distributor_bytes_received_total";
const closing = new Closing();

afterEach(async () => {
  await killAgents();
  await closing.close();
});

/** Bytes a second that a server has taken, from when it took the first to when it had all; what it saves up at first does not count. */
class Speed {
  #sinceMs = 0;
  #first = 0;
  readonly #url: string;
  #savedBytes: number;

  constructor(url: string, savedBytes: number) {
    this.#url = url;
    this.#savedBytes = savedBytes;
  }

  async begin(): Promise<this> {
    while ((this.#first = await metricOf(this.#url, RECEIVED)) === 0) await sleep(20);
    this.#savedBytes -= this.#first;
    this.#sinceMs = performance.now();
    return this;
  }

  async perSecond(): Promise<number> {
    const bytes = (await metricOf(this.#url, RECEIVED)) - this.#first - this.#savedBytes;
    return (bytes / (performance.now() - this.#sinceMs)) * 1_000;
  }
}

describe("Loki takes less than there is", () => {
  test.for([
    {
      name: "of a tenant, less than a push at once",
      lines: 40_000,
      limits: { ingestion_rate_mb: 1, ingestion_burst_size_mb: 1.5 },
      allowed: 1 * MiB,
      saved: 1.5 * MiB,
    },
    {
      name: "of a tenant, and of one stream a quarter of that",
      lines: 60_000,
      limits: {
        ingestion_rate_mb: 2,
        ingestion_burst_size_mb: 3,
        per_stream_rate_limit: "512KB",
        per_stream_rate_limit_burst: "1MB",
      },
      allowed: 2 * MiB,
      saved: 3 * MiB,
    },
  ])(
    "$name: all of it arrives, once, nearly as fast as that allows",
    { timeout: 6 * PATIENCE_MS },
    async ({ lines, limits, allowed, saved }, context) => {
      const shares: number[] = [];
      // A machine that stands still for a second makes one of them slow; what is slow in itself is so each time.
      while (shares.length < 3 && !(shares.at(-1)! > SHARE_MIN)) {
        const { logs, state } = closing.directories();
        const server = await closing.loki(context, { limits });
        writeFileSync(join(logs, "app.log"), numbered(0, lines));
        const agent = startAgent(["run", logs, "--to", `loki+${server.url}?label.job=slow`, "--state-dir", state]);
        const speed = await new Speed(server.url, saved).begin();
        await agent.waitForStatus(isCommitted, PATIENCE_MS);
        const perSecond = await speed.perSecond();
        const refused = agent.logs.filter(({ code }) => code === "sink_busy").length;
        expect(await agent.stop()).toEqual({ code: 0, signal: null });
        const { missing, doubled, bytes } = await countNumbered(server.url, '{job="slow"}', lines);
        expect({ missing, doubled }).toEqual(NONE);
        const share = perSecond / allowed;
        shares.push(share);
        const received = await metricOf(server.url, RECEIVED);
        const refusedBytes = await metricOf(server.url, "loki_discarded_bytes_total");
        await context.annotate(
          `${Math.round(perSecond / 1024)} KiB a second, ${(share * 100).toFixed(0)} % of what is allowed; said ${refused} times; ` +
            `${Math.round(received / 1024)} KiB received, ${Math.round(refusedBytes / 1024)} refused, ${Math.round(bytes / 1024)} there`,
        );
      }
      expect(shares.at(-1), shares.join(", ")).toBeGreaterThan(SHARE_MIN);
    },
  );
});

describe("Loki was away", () => {
  test.for([
    { name: "its connections end", canned: undefined },
    { name: "a storm of 429", canned: { status: 429, headers: {}, body: "too many requests" } },
    { name: "a storm of 503", canned: { status: 503, headers: {}, body: "no healthy upstream" } },
  ])(
    `$name for ${OUTAGE_S} s: nothing is lost, and it catches up`,
    { timeout: 3 * PATIENCE_MS },
    async ({ canned }, context) => {
      const { logs, state } = closing.directories();
      const limits = { ingestion_rate_mb: 4, ingestion_burst_size_mb: 6 };
      const server = await closing.loki(context, { limits });
      const gate = await startGate(server.url, "pass");
      closing.add(() => gate.close());
      const path = join(logs, "app.log");
      let written = 0;
      const write = (count: number): void => {
        appendFileSync(path, numbered(written, count));
        written += count;
      };
      write(1_000);
      const agent = startAgent(["run", logs, "--to", `loki+${gate.url}?label.job=away`, "--state-dir", state]);
      await agent.waitForStatus(isCommitted, PATIENCE_MS);
      gate.behave(canned ?? "swallow");
      const until = performance.now() + OUTAGE_S * 1_000;
      while (performance.now() < until) {
        write(1_500);
        await sleep(200);
        if (canned === undefined) gate.disconnect();
      }
      expect((await agent.status()).sinks[0].state).not.toBe("ok");
      gate.behave("pass");
      const healed = performance.now();
      await agent.waitForStatus(({ sinks }) => sinks[0].state === "ok", PATIENCE_MS);
      const silentS = (performance.now() - healed) / 1_000;
      await agent.waitForStatus(isCommitted, PATIENCE_MS);
      const seconds = (performance.now() - healed) / 1_000;
      expect(await agent.stop()).toEqual({ code: 0, signal: null });
      const { missing, doubled, bytes } = await countNumbered(server.url, '{job="away"}', written);
      expect({ missing, doubled }).toEqual(NONE);
      await context.annotate(
        `${Math.round(bytes / 1024)} KiB; all of it there ${seconds.toFixed(1)} s after the end, the first after ${silentS.toFixed(1)} s`,
      );
      // What the limits allow for all that was written meanwhile, and the longest that it waits between two tries.
      expect(seconds).toBeLessThan(Math.min(30, 2 * OUTAGE_S) + bytes / (0.9 * 4 * MiB));
    },
  );
});
