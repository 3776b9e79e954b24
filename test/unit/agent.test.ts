import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { runAgent } from "../../src/agent.ts";
import { estimates } from "../../src/cli/estimates.ts";
import { loadConfig } from "../../src/config/load.ts";
import { systemClock } from "../../src/core/clock.ts";
import type { Log } from "../../src/core/log.ts";
import { listenForSignals } from "../../src/signals.ts";
import { openState } from "../../src/state/open.ts";
import { startReceiver } from "../support/receiver.ts";

const ignore = (): void => undefined;
const SILENT: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore };

test("an error in the midst of the run ends all that runs before it is passed on (invariant 10)", async () => {
  const directory = mkdtempSync(join(tmpdir(), "pannier-agent-"));
  const receiver = await startReceiver();
  const signals = listenForSignals();
  onTestFinished(async () => {
    signals.close();
    await receiver.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const path = join(directory, "app.log");
  const stateDir = join(directory, "state");
  appendFileSync(path, "one\n");
  const to = [`elasticsearch+${receiver.url}`];
  const flags = { paths: [path], to, "state-dir": stateDir, admin: "127.0.0.1:0" };
  const loaded = loadConfig({ flags, env: {}, estimates: estimates(undefined), needsInputs: true });
  const info: Log["info"] = (code) => {
    if (code === "started") throw new Error("something impossible");
  };
  const run = runAgent({
    loaded,
    load: () => loaded,
    onReload: ignore,
    once: false,
    log: { ...SILENT, info, setLevel: ignore, flush: ignore, close: ignore },
    serviceName: undefined,
    podName: undefined,
    podUid: undefined,
    signals,
  });
  await expect(run).rejects.toThrow("something impossible");

  const state = await openState({ directory: stateDir, podUid: undefined, clock: systemClock, log: SILENT });
  expect(state.found).toBe("stopped");
  await state.stop();
  const { documents } = receiver.stats();
  appendFileSync(path, "two\n");
  await sleep(1_500);
  expect(receiver.stats().documents).toBe(documents);
});
