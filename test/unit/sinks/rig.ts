import { afterEach, beforeEach, expect } from "vitest";
import type { ElasticsearchConfig } from "../../../src/core/config.ts";
import { type TestRecord, type TestSink, batchOf, configOf, sinkOf } from "./helpers.ts";
import { StandIn } from "./server.ts";

/** A stand-in server and the sinks of one test, ended with it. */
export class Rig {
  server = new StandIn();
  url = "";
  readonly #opened: TestSink[] = [];

  static use(): Rig {
    const rig = new Rig();
    beforeEach(async () => {
      rig.server = new StandIn();
      rig.url = await rig.server.listen();
    });
    afterEach(async () => {
      for (const { sink } of rig.#opened.splice(0)) await sink.stop();
      await rig.server.close();
    });
    return rig;
  }

  open(
    list: readonly TestRecord[],
    changes: Partial<ElasticsearchConfig> = {},
    times: Parameters<typeof sinkOf>[2] = {},
  ): TestSink {
    const made = sinkOf(configOf([this.url], changes), list, times);
    this.#opened.push(made);
    return made;
  }
}

/** Delivers records and returns their outcomes. */
export async function deliver(made: TestSink, list: readonly TestRecord[] = made.source.records): Promise<number[]> {
  const batch = batchOf(list);
  await made.sink.deliver(batch);
  return [...batch.outcome.subarray(0, batch.count)];
}

export const all = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

/** Waits for what will be so; the turns of the loop are counted, since a machine may stand still for longer than any patience. */
export async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 3_000 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBe(true);
}
