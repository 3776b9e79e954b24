import { expect, test } from "vitest";
import { DeliveryAborted } from "../../../src/core/sink.ts";
import { Naps } from "../../../src/sinks/wait.ts";

test("a nap ends when somebody gets through", async () => {
  const naps = new Naps();
  const nap = naps.nap(60_000, new AbortController().signal);
  naps.wake();
  await expect(nap).resolves.toBeUndefined();
});

test("a nap ends with the sink, and none begins after that", async () => {
  const naps = new Naps();
  const stopping = new AbortController();
  const nap = naps.nap(60_000, stopping.signal);
  stopping.abort();
  naps.wake();
  await expect(nap).rejects.toThrow(DeliveryAborted);
  await expect(naps.nap(60_000, stopping.signal)).rejects.toThrow(DeliveryAborted);
});
