import { once } from "node:events";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Child, startOrderService } from "../../../src/demo/children.ts";
import type { Written } from "../../../src/demo/order-service.ts";

interface Order {
  seq: number;
  level: number;
  time: number;
  msg: string;
  order_id: string;
  amount: number;
}

let directory: string;
let service: Child;
let last: Written;
beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), "pannier-orders-"));
});
afterEach(async () => {
  if (service.running) await service.end("SIGKILL");
  rmSync(directory, { recursive: true });
});

/** Starts it and waits until it has written so much. */
const start = async (
  linesPerSecond: number,
  rotateBytes: number,
  isEnough: (written: Written) => boolean,
): Promise<void> => {
  const { promise: enough, resolve } = Promise.withResolvers<void>();
  service = startOrderService(path.join(directory, "orders.log"), linesPerSecond, rotateBytes, (written) => {
    last = written;
    if (isEnough(written)) resolve();
  });
  await enough;
};
/** Oldest first. */
const files = (): string[] => readdirSync(directory).toSorted((a, b) => b.localeCompare(a));
const orders = (): Order[] =>
  files().flatMap((name) =>
    readFileSync(path.join(directory, name), "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Order),
  );

describe("order-service", () => {
  test("writes pino lines with every sequence number once, rotates by rename, and reports the truth at the end", async () => {
    await start(2_000, 128 * 1024, ({ written, rotations }) => written > 200 && rotations > 0);
    expect(await service.end("SIGTERM")).toBe(0);
    const written = orders();
    expect(written.map((order) => order.seq)).toEqual(Array.from({ length: last.written }, (_, i) => i + 1));
    expect(files().length).toBe(Math.min(8, last.rotations) + 1);
    const { level, time, order_id: id, amount } = written[0];
    expect([20, 30, 40, 50]).toContain(level);
    expect(Math.abs(Date.now() - time)).toBeLessThan(60_000);
    expect(id).toBe("ord-00000001");
    expect(amount).toBeGreaterThan(0);
  });

  test("keeps a bounded number of rotated files", async () => {
    await start(2_000, 8 * 1024, ({ rotations }) => rotations > 8);
    await service.end("SIGTERM");
    expect(readdirSync(directory)).toHaveLength(9);
    const kept = orders().map((order) => order.seq);
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => last.written - kept.length + 1 + i));
  });

  test("ends when the demo is gone", async () => {
    await start(100, 1024 * 1024, ({ written }) => written > 0);
    const exited = once(service.process, "exit");
    service.process.disconnect();
    expect(await exited).toEqual([0, null]);
  });
});
