import * as fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { DrainSoon } from "../../../src/admin/drain-soon.ts";

const clock = { ms: 0, nowMs: () => clock.ms, monotonicMs: () => clock.ms };
beforeEach(() => {
  clock.ms = 0;
});

describe("drain soon", () => {
  test("without an announcement the setting stands", () => {
    const drain = new DrainSoon(() => 8_000, clock);
    expect(drain.active()).toBe(false);
    expect(drain.deadlineMs()).toBe(8_000);
  });

  test.each([
    { grace: 30_000, sigtermAt: 1_000, deadline: 8_000 },
    { grace: 30_000, sigtermAt: 25_000, deadline: 4_500 },
    { grace: 30_000, sigtermAt: 29_000, deadline: 1_500 },
    { grace: 30_000, sigtermAt: 31_000, deadline: 1_500 },
    { grace: 30_000, sigtermAt: 89_999, deadline: 1_500 },
    { grace: 30_000, sigtermAt: 90_000, deadline: 8_000 },
    { grace: 5_000, sigtermAt: 0, deadline: 4_500 },
    { grace: 0, sigtermAt: 0, deadline: 1_500 },
  ])("grace $grace ms, SIGTERM after $sigtermAt ms: $deadline ms", ({ grace, sigtermAt, deadline }) => {
    const drain = new DrainSoon(() => 8_000, clock);
    drain.announce(grace);
    clock.ms = sigtermAt;
    expect(drain.deadlineMs()).toBe(deadline);
    expect(drain.active()).toBe(sigtermAt < grace + 60_000);
  });

  test("a shorter setting than the least drain stays", () => {
    const drain = new DrainSoon(() => 1_000, clock);
    drain.announce(30_000);
    expect(drain.deadlineMs()).toBe(1_000);
  });

  test("said again it does not set the clock back; a nearer end counts; after the grace it is new", () => {
    const drain = new DrainSoon(() => 60_000, clock);
    drain.announce(30_000);
    clock.ms = 20_000;
    drain.announce(30_000);
    expect(drain.deadlineMs()).toBe(9_500);
    drain.announce(5_000);
    expect(drain.deadlineMs()).toBe(4_500);
    clock.ms = 40_000;
    drain.announce(30_000);
    expect(drain.deadlineMs()).toBe(29_500);
  });

  test("a drain never outlasts the setting, nor a grace that leaves more than the least time", () => {
    fc.assert(
      fc.property(fc.nat(60_000), fc.nat(120_000), fc.nat(120_000), (setting, grace, wait) => {
        clock.ms = 0;
        const drain = new DrainSoon(() => setting, clock);
        drain.announce(grace);
        clock.ms = wait;
        expect(drain.deadlineMs()).toBeLessThanOrEqual(setting);
        expect(wait + 2_000 > grace || wait + drain.deadlineMs() <= grace - 500).toBe(true);
      }),
    );
  });
});
