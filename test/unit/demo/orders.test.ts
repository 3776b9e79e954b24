import { pino } from "pino";
import { expect, test } from "vitest";
import { logOrder } from "../../../src/demo/orders.ts";

test("orders have all levels, errors with a stack, and one line per sequence number", () => {
  const lines: Record<string, unknown>[] = [];
  const logger = pino(
    { level: "debug" },
    { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  for (let seq = 1; seq <= 3_000; seq++) logOrder(logger, seq);
  expect(lines.map((line) => line["seq"])).toEqual(Array.from({ length: 3_000 }, (_, i) => i + 1));
  expect(new Set(lines.map((line) => line["level"]))).toEqual(new Set([20, 30, 40, 50]));
  for (const line of lines) {
    const stack = (line["err"] as { stack: string } | undefined)?.stack;
    expect(stack !== undefined && /^PaymentDeclined: .*\n +at /.test(stack)).toBe(line["level"] === 50);
  }
});
