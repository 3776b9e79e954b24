/** SIGHUP and `watch_config`: whatever changes in the configuration, every line arrives once. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Agent, isCommitted, killAgents, type LogLine, startAgent, type Status } from "../support/agent.ts";
import { ConfigFile, type Settings, sinkTo } from "../support/config-file.ts";
import { freePort } from "../support/free-port.ts";
import { startGate } from "../support/gate.ts";
import { NumberedLines } from "../support/numbered-lines.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";

let directory = "";
let lines: NumberedLines;
let config: ConfigFile;
const receivers: Receiver[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "pannier-reload-"));
  mkdirSync(join(directory, "logs"));
  lines = new NumberedLines(join(directory, "logs", "app.log"));
  config = new ConfigFile(join(directory, "pannier.yaml"));
});
afterEach(async () => {
  await killAgents();
  await Promise.all(receivers.splice(0).map((receiver) => receiver.close()));
  rmSync(directory, { recursive: true, force: true });
});

async function open(port = 0): Promise<Receiver> {
  const receiver = await startReceiver({ port, ids: true, sequences: true });
  receivers.push(receiver);
  return receiver;
}

function settings(sinks: readonly Settings[], input: Settings = {}, more: Settings = {}): Settings {
  const inputs = [{ paths: [join(directory, "logs", "app.log")], ...input }];
  return { state_dir: join(directory, "state"), inputs, sinks, ...more };
}

function start(...more: string[]): Agent {
  return startAgent(["run", "--config", config.path, "--drain-deadline", "10s", ...more]);
}

/** The nth line of that code. */
async function nth(agent: Agent, code: string, n: number): Promise<LogLine> {
  for (const until = performance.now() + 60_000; performance.now() < until; await sleep(10)) {
    const found = agent.logs.filter((line) => line.code === code);
    if (found.length >= n) return found[n - 1];
  }
  throw new Error(`${code} did not come ${n} times: ${JSON.stringify(agent.logs.slice(-5))}`);
}

async function reload(agent: Agent): Promise<LogLine> {
  const before = agent.logs.filter(({ code }) => code === "config_reloaded").length;
  agent.kill("SIGHUP");
  return nth(agent, "config_reloaded", before + 1);
}

interface ConfigStatus {
  readonly config: { readonly loaded_at: string; readonly last_error: { code: string; message: string } | null };
}

async function configStatus(agent: Agent): Promise<ConfigStatus["config"]> {
  return ((await agent.status()) as Status & ConfigStatus).config;
}

/** Everything has arrived at the receiver, once. */
async function expectAll(agent: Agent, receiver: Receiver): Promise<void> {
  expect(await agent.stop()).toEqual({ code: 0, signal: null });
  expect(receiver.sequences.compare(lines.count)).toMatchObject({ missing: 0, doubled: 0 });
}

/** Writes lines and rotates now and then, until it is told to stop. */
function keepWriting(perTick = 40): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const done = (async () => {
    for (let tick = 0; !stopping.signal.aborted; tick++) {
      lines.write(perTick);
      if (tick % 50 === 49) {
        for (let n = 200; n > 0; n--) {
          const older = n === 1 ? lines.path : `${lines.path}.${n - 1}`;
          if (existsSync(older)) renameSync(older, `${lines.path}.${n}`);
        }
      }
      await sleep(10);
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await done;
    },
  };
}

describe("while lines are written and files are rotated", () => {
  test("fifty reloads of inputs, sinks and memory: none lost, none doubled", async () => {
    const receiver = await open();
    const variants = [
      settings([sinkTo(receiver.url)]),
      settings([sinkTo(receiver.url)], { fields: { team: "orders" }, format: "json" }),
      settings([sinkTo(receiver.url, { batch: { max_bytes: "64KiB", max_age: "50ms", in_flight: 1 } })]),
      settings([sinkTo(receiver.url)], { max_line_bytes: "64KiB" }, { memory: { limit: "16MiB" } }),
      settings([sinkTo(receiver.url, { batch: { compression: "none" } })], { exclude: [] }, { max_open_files: 64 }),
    ];
    config.write(variants[0]);
    const agent = start();
    await agent.waitForLog("started");
    const writer = keepWriting();
    for (let n = 1; n <= 50; n++) {
      config.replace(variants[n % variants.length]);
      agent.kill("SIGHUP");
      await sleep(n % 7 === 0 ? 200 : 20);
    }
    const { config: status } = (await agent.waitForStatus(
      (now) => (now as Status & ConfigStatus).config.last_error === null,
    )) as Status & ConfigStatus;
    expect(status.last_error).toBeNull();
    await nth(agent, "config_reloaded", 5);
    await writer.stop();
    await expectAll(agent, receiver);
    expect(receiver.stats().conflicts, "nothing was sent twice").toBe(0);
  });

  test("kill -9 amid reloads, again and again: none lost, none doubled", async () => {
    const receiver = await open();
    const variants = [
      settings([sinkTo(receiver.url)]),
      settings([sinkTo(receiver.url, { batch: { max_bytes: "128KiB", max_age: "50ms" } })], { fields: { a: "b" } }),
    ];
    config.write(variants[0]);
    const writer = keepWriting();
    for (const afterMs of [5, 30, 60, 120, 240]) {
      const agent = start();
      await agent.waitForLog("started");
      for (let n = 0; n < 3; n++) {
        config.replace(variants[n % 2]);
        agent.kill("SIGHUP");
        await sleep(afterMs);
      }
      await agent.kill9();
    }
    await writer.stop();
    const last = start("--once");
    expect(await last.end()).toEqual({ code: 0, signal: null });
    expect(receiver.sequences.compare(lines.count)).toMatchObject({ missing: 0, doubled: 0 });
  });
});

describe("what is wrong changes nothing", () => {
  test("an invalid file: said with file, line and column in log and status; what follows is taken", async () => {
    const receiver = await open();
    config.write(settings([sinkTo(receiver.url)]));
    const agent = start();
    lines.write(100);
    await agent.waitForStatus(isCommitted);
    const before = await configStatus(agent);
    expect(before).toMatchObject({ file: config.path, last_error: null });

    config.write(`inputs: [{ paths: [${lines.path}] }]\nsinks:\n  - type: elasticsearch\n    url: [${receiver.url}]\n`);
    agent.kill("SIGHUP");
    const refused = await agent.waitForLog("config_refused");
    expect(refused.level).toBe("error");
    expect(refused.msg).toContain(`${config.path}:4:5: sinks[0].url`);
    expect(await configStatus(agent)).toMatchObject({
      loaded_at: before.loaded_at,
      last_error: { code: refused["reason"], message: expect.stringContaining(":4:5:") },
    });
    lines.write(100);
    await agent.waitForStatus(isCommitted);

    config.write(settings([sinkTo(receiver.url)], {}, { state_dir: join(directory, "elsewhere") }));
    agent.kill("SIGHUP");
    const second = await nth(agent, "config_refused", 2);
    expect(second.msg).toMatch(/pannier\.yaml:1:12: state_dir: .*cannot become/);

    config.write(settings([sinkTo(receiver.url)], {}, { memory: { limit: "1MiB" } }));
    agent.kill("SIGHUP");
    expect((await nth(agent, "config_refused", 3))["reason"]).toBe("config_plan_over_limit");

    config.write(settings([sinkTo(receiver.url)], { fields: { ok: true } }));
    await reload(agent);
    expect(await configStatus(agent)).toMatchObject({ last_error: null });
    lines.write(100);
    await expectAll(agent, receiver);
  });

  test("SIGHUP ends nothing: without a file, during the start and the drain, and with the same file", async () => {
    const receiver = await open();
    lines.write(100);
    const to = ["--to", `elasticsearch+${receiver.url}`, "--state-dir", join(directory, "state")];
    const plain = startAgent(["run", lines.path, ...to, "--drain-deadline", "10s"]);
    await plain.waitForLog("memory_plan");
    plain.kill("SIGHUP");
    await plain.waitForLog("config_no_file");
    lines.write(100);
    await plain.waitForStatus(isCommitted);
    const gate = await startGate(receiver.url, "mute");
    try {
      expect((await plain.stop()).code).toBe(0);
      config.write(settings([sinkTo(gate.url)]));
      const agent = start();
      await agent.waitForLog("started");
      agent.kill("SIGHUP");
      await agent.waitForLog("config_unchanged");
      lines.write(100);
      await agent.waitForStatus(() => gate.requests() > 0);
      agent.kill("SIGTERM");
      await agent.waitForStatus(({ state }) => state === "draining");
      agent.kill("SIGHUP");
      await agent.waitForLog("config_not_reloaded");
      agent.kill("SIGTERM");
      expect((await agent.exited).code).toBe(75);
    } finally {
      await gate.close();
    }
  });

  test("an address that is taken: the old listener stays; a free one is moved to", async () => {
    const receiver = await open();
    const listen = (port: number): Settings => ({ health: { listen: `127.0.0.1:${port}` } });
    config.write(settings([sinkTo(receiver.url)], {}, listen(0)));
    const agent = start();
    const { port } = await agent.waitForLog("health_listening");
    config.write(settings([sinkTo(receiver.url)], {}, listen(receiver.port)));
    agent.kill("SIGHUP");
    expect((await agent.waitForLog("config_refused"))["reason"]).toBe("health_port_in_use");
    expect((await fetch(`http://127.0.0.1:${String(port)}/livez`)).status).toBe(200);
    const free = await freePort();
    config.write(settings([sinkTo(receiver.url)], {}, listen(free)));
    await reload(agent);
    expect((await fetch(`http://127.0.0.1:${free}/livez`)).status).toBe(200);
    await expect(fetch(`http://127.0.0.1:${String(port)}/livez`)).rejects.toThrow("fetch failed");
  });
});

describe("sinks", () => {
  test("a dead one gets another URL: the reload does not wait for it, and what it had in flight goes there", async () => {
    const receiver = await open();
    const mute = await startGate(receiver.url, "mute");
    try {
      config.write(settings([sinkTo(mute.url)]));
      lines.write(2_000);
      const agent = start();
      await agent.waitForStatus(() => mute.requests() > 0);
      unlinkSync(lines.path);
      config.write(settings([sinkTo(receiver.url)]));
      const sentMs = performance.now();
      await reload(agent);
      // Five seconds are what is in flight is waited for; its answer would be waited for another ninety.
      expect(performance.now() - sentMs).toBeLessThan(20_000);
      await expectAll(agent, receiver);
    } finally {
      await mute.close();
    }
  });

  test("a dead one that stays as it is is not disturbed, and holds up nothing", async () => {
    const receiver = await open();
    const mute = await startGate(receiver.url, "mute");
    try {
      const dead = sinkTo(mute.url, { name: "dead" });
      config.write(settings([dead, sinkTo(receiver.url, { name: "alive" })]));
      lines.write(1_000);
      const agent = start();
      await agent.waitForStatus(({ sinks }) => mute.requests() > 0 && sinks[1].delivered_lines === 1_000);
      const requests = mute.requests();
      config.write(settings([dead, sinkTo(receiver.url, { name: "alive", batch: { max_age: "50ms" } })]));
      const sentMs = performance.now();
      await reload(agent);
      // Less than what is in flight would be waited for.
      expect(performance.now() - sentMs).toBeLessThan(5_000);
      expect(mute.requests(), "its request is still the same").toBe(requests);
      lines.write(1_000);
      await agent.waitForStatus(({ sinks }) => sinks[1].delivered_lines === 1_000);
      expect(receiver.sequences.compare(2_000)).toMatchObject({ missing: 0, doubled: 0 });
    } finally {
      await mute.close();
    }
  });

  test("added, removed, renamed and back again: each goes on where it was, a new one begins at start_at", async () => {
    const [a, b, c] = await Promise.all([open(), open(), open()]);
    const sink = (name: string, receiver: Receiver, more: Settings = {}): Settings =>
      sinkTo(receiver.url, { name, ...more });
    config.write(settings([sink("a", a)]));
    const agent = start();
    lines.write(100);
    await agent.waitForStatus(isCommitted);

    config.write(settings([sink("a", a), sink("b", b)]));
    await reload(agent);
    await agent.waitForStatus(() => b.stats().documents === 100);

    config.write(settings([sink("b", b), sink("c", c)], { start_at: "end" }));
    await reload(agent);
    lines.write(100);
    await agent.waitForStatus(() => b.stats().documents === 200 && c.stats().documents === 100);
    expect(a.stats().documents).toBe(100);
    expect(c.sequences.times(99), "c began at the end").toBe(0);

    config.write(settings([sink("a", a), sink("bee", b, { was: "b" }), sink("c", c)]));
    await reload(agent);
    await agent.waitForStatus(() => a.stats().documents === 200);
    lines.write(100);
    await agent.waitForStatus(isCommitted);
    await expectAll(agent, a);
    expect(b.sequences.compare(300)).toMatchObject({ missing: 0, doubled: 0 });
    expect(b.stats().conflicts + a.stats().conflicts).toBe(0);
    expect(c.stats().documents).toBe(200);
  });
});

describe("inputs", () => {
  test("a file that nobody follows any more: what was in it arrives, what comes later waits until somebody does", async () => {
    const receiver = await open();
    const other = join(directory, "logs", "other.log");
    writeFileSync(other, '{"seq":500000,"msg":"other"}\n');
    config.write(settings([sinkTo(receiver.url)]));
    const agent = start();
    await agent.waitForLog("started");
    // So many that a slow machine ships them in the seconds that a reload waits for them.
    lines.write(5_000);
    config.write(settings([sinkTo(receiver.url)], { paths: [other] }));
    await reload(agent);
    expect(receiver.sequences.compare(5_000)).toMatchObject({ missing: 0, doubled: 0 });
    await agent.waitForStatus((now) => now.files.length === 1 && now.files[0].path === other && isCommitted(now));
    lines.write(100);
    await sleep(600);
    expect(receiver.stats().documents).toBe(5_001);
    config.write(settings([sinkTo(receiver.url)], { paths: [join(directory, "logs")] }));
    await reload(agent);
    await expectAll(agent, receiver);
    expect(receiver.stats()).toMatchObject({ documents: 5_101, conflicts: 0 });
  });

  test("a rotated and a deleted file with unsent lines stay open while a sink is down, whatever is reloaded", async () => {
    const receiver = await open();
    config.write(settings([sinkTo(receiver.url)]));
    const agent = start();
    lines.write(100);
    await agent.waitForStatus(isCommitted);
    await receiver.close();
    lines.write(5_000);
    await agent.waitForStatus(({ sinks, files }) => sinks[0].state === "retrying" && files[0].size === lines.bytes);
    renameSync(lines.path, `${lines.path}.1`);
    lines.write(5_000);
    await agent.waitForStatus(({ files }) => files.length === 2);
    unlinkSync(`${lines.path}.1`);
    config.write(settings([sinkTo(receiver.url)], { fields: { a: "b" }, format: "json" }));
    await reload(agent);
    config.write(settings([sinkTo(receiver.url, { batch: { max_age: "50ms" } })], { max_line_bytes: "32KiB" }));
    await reload(agent);
    const back = await open(receiver.port);
    for (let seq = 0; seq < 100; seq++) back.sequences.add(seq);
    await expectAll(agent, back);
  });

  test("new fields and another format hold from the next line on", async () => {
    const receiver = await open();
    config.write(settings([{ type: "stdout" }], { fields: { "labels.stage": "one" } }));
    const agent = start();
    lines.write(1);
    await agent.waitForStatus(isCommitted);
    config.write(settings([{ type: "stdout" }], { fields: { "labels.stage": "two" }, format: "plain" }));
    await reload(agent);
    lines.write(1);
    const { files } = await agent.waitForStatus((now) => isCommitted(now) && now.files[0].size === lines.bytes);
    expect(files[0]).toMatchObject({ format: "plain", dialect: null });
    const [first, second] = agent.stdout().trim().split("\n");
    expect(first).toMatch(/"seq":0.*"labels.stage":"one"/);
    expect(second).toMatch(/"message":"\{.*"labels.stage":"two"/);
    expect(receiver.stats().documents).toBe(0);
  });
});

describe("watch_config", () => {
  test("written in place, renamed over, swapped as a ConfigMap, and a file that it refers to", async () => {
    const receiver = await open();
    const watched = (team: string): Settings =>
      settings([sinkTo(receiver.url)], { fields: { team } }, { watch_config: true });
    // As Kubernetes mounts it: pannier.yaml -> ..data/pannier.yaml, ..data -> a directory of its own.
    const mount = join(directory, "mount");
    const version = (name: string, team: string): void => {
      mkdirSync(join(mount, name), { recursive: true });
      writeFileSync(join(mount, name, "pannier.yaml"), stringify(watched(team)));
      symlinkSync(name, join(mount, "..data.new"));
      renameSync(join(mount, "..data.new"), join(mount, "..data"));
    };
    version("..1", "one");
    symlinkSync(join("..data", "pannier.yaml"), join(mount, "pannier.yaml"));
    config = new ConfigFile(join(mount, "pannier.yaml"));
    const agent = start();
    await agent.waitForLog("started");
    version("..2", "two");
    await nth(agent, "config_reloaded", 1);
    rmSync(config.path);
    config.write(watched("three"));
    await nth(agent, "config_reloaded", 2);
    config.replace(watched("${file:" + join(directory, "team") + "}"));
    const refused = await agent.waitForLog("config_refused");
    expect(refused.msg).toContain("cannot read the secret file");
    writeFileSync(join(directory, "team"), "four");
    config.write(watched("${file:" + join(directory, "team") + "}"));
    await nth(agent, "config_reloaded", 3);
    appendFileSync(join(directory, "team"), "teen");
    await nth(agent, "config_reloaded", 4);
    config.write({ ...watched("five"), watch_config: false });
    await nth(agent, "config_reloaded", 5);
    config.write(watched("six"));
    await sleep(3_000);
    expect(agent.logs.filter(({ code }) => code === "config_reloaded")).toHaveLength(5);
    lines.write(100);
    await expectAll(agent, receiver);
  });
});
