import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import type { WriteStream } from "node:tty";
import { expect, test } from "vitest";
import { liveView, plainView } from "../../../src/demo/view.ts";

const numbers = { written: 10, delivered: 9, lagMs: 12, lost: 1, doubled: 0 };
const record = {
  "@timestamp": "2026-11-23T01:02:03.456Z",
  "log.level": "warn",
  amount: 12.5,
  currency: "EUR",
  customer: "ada",
};
const scene = { service: "pid 1", agent: "pid 2, running", receiver: "3 requests" };

test("the plain view writes nothing but the line of the contract on stdout", () => {
  const out = new PassThrough();
  const errors = new PassThrough();
  const view = plainView(out, errors);
  view.record({ message: "order placed" });
  view.say("killed the agent");
  view.numbers(numbers, scene);
  expect(String(out.read())).toBe("written=10 delivered=9 lag_ms=12 lost=1 doubled=0\n");
  expect(String(errors.read())).toBe("killed the agent\n");
});

test("the live view rewrites its own lines, shows the latest records, and never wraps", () => {
  const out = Object.assign(new PassThrough(), { columns: 72 });
  const view = liveView(out as unknown as WriteStream);
  for (let i = 0; i < 2_000; i++) view.record({ ...record, message: `order ${i}` });
  for (let i = 0; i < 5; i++) view.record({ ...record, "log.level": "error", message: `failure ${i}` });
  view.say("killed the agent");
  view.numbers(numbers, scene);
  const first = String(out.read());
  const lines = stripVTControlCharacters(first).split("\n");
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(72);
  expect(first).toContain("01:02:03.456");
  expect(first.match(/order \d+/g)).toEqual(["order 1746", "order 1843", "order 1940"]);
  expect(first.match(/failure \d/g)).toHaveLength(5);
  expect(first).toContain("12.50 EUR");
  expect(first).toContain("killed the agent");
  expect(stripVTControlCharacters(first)).toContain("written 10  delivered 9  lag 12 ms  lost 1  doubled 0");
  view.numbers(numbers, scene);
  expect(String(out.read()).startsWith(`\u001B[${lines.length - 1}F\u001B[J`)).toBe(true);
});
