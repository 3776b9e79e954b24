/** A Loki of a test's own, logs for it, and what became of them. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestContext } from "vitest";
import type { TestServer } from "../servers/elasticsearch/start.ts";
import { type LokiOptions, startLoki } from "../servers/loki/start.ts";
import { requireServer } from "../servers/require.ts";
import { eachEntry, type FoundEntry } from "./loki-query.ts";

/** What a test has to end, the last first. */
export class Closing {
  readonly #steps: (() => unknown)[] = [];

  add(step: () => unknown): void {
    this.#steps.push(step);
  }

  async close(): Promise<void> {
    for (const step of this.#steps.splice(0).toReversed()) await step();
  }

  /** Empty directories for logs and state. */
  directories(): { readonly logs: string; readonly state: string } {
    const made = mkdtempSync(join(os.tmpdir(), "pannier-loki-rig-"));
    this.add(() => rmSync(made, { recursive: true, force: true }));
    const [logs, state] = [join(made, "logs"), join(made, "state")];
    mkdirSync(logs);
    return { logs, state };
  }

  async loki(context: Pick<TestContext, "skip">, options: LokiOptions = {}): Promise<TestServer> {
    const server = await requireServer(context, () => startLoki(options));
    this.add(() => server.stop());
    return server;
  }
}

/** Lines of about 200 bytes from a number on, a hundred a millisecond from a time on. */
export function numbered(from: number, count: number, startMs: number = Date.now()): string {
  const more = "and what else there is to say about it ".repeat(3);
  const line = (i: number): string =>
    `${JSON.stringify({ level: 30, time: startMs + Math.floor(i / 100), seq: from + i, msg: more })}\n`;
  return Array.from({ length: count }, (_, i) => line(i)).join("");
}

export interface Counted {
  readonly missing: number;
  readonly doubled: number;
}

/** How often each number up to `count` is there, and how many bytes Loki counts for them. */
export async function countNumbered(
  url: string,
  selector: string,
  count: number,
  from: number = Date.now() - 24 * 3_600_000,
): Promise<Counted & { readonly bytes: number }> {
  for (let tries = 0; ; tries++) {
    const times = new Uint8Array(count);
    let bytes = 0;
    const look = ({ line, metadata }: FoundEntry): void => {
      times[(JSON.parse(line) as { seq: number }).seq]++;
      bytes += line.length;
      for (const [name, value] of Object.entries(metadata)) bytes += name.length + value.length;
    };
    await eachEntry(url, selector, look, { from });
    const missing = times.filter((n) => n === 0).length;
    // Its parts do not find all of each other at once.
    if (missing === 0 || tries === 5) return { missing, doubled: times.filter((n) => n > 1).length, bytes };
    await sleep(1_000);
  }
}
