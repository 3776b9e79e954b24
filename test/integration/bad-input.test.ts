/** What cannot work is refused at the start, with a sentence that says what to do, and the exit code of contract §2. */
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { encodeEntry } from "../../src/state/entries.ts";
import { type Agent, type AgentOptions, isCommitted, killAgents, startAgent } from "../support/agent.ts";
import { asNobody, isRoot, needMounts, onTmpfs } from "../support/mounts.ts";

let directory = "";
let log = "";
let state = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "pannier-bad-"));
  log = join(directory, "app.log");
  state = join(directory, "state");
  writeFileSync(log, "one\ntwo\n");
});
afterEach(async () => {
  await killAgents();
  rmSync(directory, { recursive: true, force: true });
});

interface Refused {
  readonly code: number | null;
  /** All that was said, as a person reads it. */
  readonly said: string;
  readonly codes: readonly string[];
}

/** A start that is expected to fail; nothing was shipped by it. */
async function refused(args: readonly string[], options: AgentOptions = {}): Promise<Refused> {
  const agent = startAgent(args, { noAdmin: true, cwd: directory, ...options });
  const { code } = await agent.exited;
  expect(agent.stdout()).toBe("");
  const said = agent.logs.map(({ msg, hint }) => (typeof hint === "string" ? `${msg}\n${hint}` : msg)).join("\n");
  expect(said, "no stack").not.toMatch(/^\s+at /m);
  return { code, said, codes: agent.logs.map((line) => line.code) };
}

/** Starts with this configuration file; `env` are its variables. */
function refusedConfig(yaml: string, env: AgentOptions["env"] = {}): Promise<Refused> {
  writeFileSync(join(directory, "pannier.yaml"), yaml);
  return refused(["run", "--config", "pannier.yaml", "--state-dir", state], { env });
}

function refusedState(stateDir: string, options: AgentOptions = {}): Promise<Refused> {
  return refused(["run", log, "--to", "stdout:", "--state-dir", stateDir, "--once"], options);
}

function start(...more: string[]): Agent {
  return startAgent(["run", log, "--to", "stdout:", "--state-dir", state, ...more]);
}

function messages(agent: Agent): unknown[] {
  const lines = agent.stdout().split("\n");
  return lines.filter((line) => line !== "").map((line) => (JSON.parse(line) as { message: string }).message);
}

/** What an agent that was not disturbed does. */
async function expectToShip(agent: Agent): Promise<void> {
  appendFileSync(log, "three\n");
  await agent.waitForStatus((status) => isCommitted(status) && status.files[0].size === 14);
  expect(messages(agent)).toEqual(["one", "two", "three"]);
  expect((await agent.stop()).code).toBe(0);
}

describe("configuration", () => {
  test("wrong YAML: file, line and column", async () => {
    const { code, said } = await refusedConfig("version: 1\ninputs:\n  - paths: [app.log\nsinks:\n  - type: stdout\n");
    expect(code).toBe(78);
    expect(said).toMatch(/pannier\.yaml:4:1: .*\]/);
    expect(said).toContain("no valid YAML");
  });

  test("unknown keys: where each is, and what was meant", async () => {
    const { code, said } = await refusedConfig(
      "version: 1\ninputs:\n  - paths: [app.log]\n    exlude: ['*.gz']\nsinks:\n  - type: stdout\n    bacth: {}\n",
    );
    expect(code).toBe(78);
    expect(said).toContain('pannier.yaml:4:5: inputs[0].exlude: unknown key, did you mean "exclude"?');
    expect(said).toContain('pannier.yaml:7:5: sinks[0].bacth: unknown key, did you mean "batch"?');
  });

  test("a missing variable and a missing secret file: both are said at once", async () => {
    const { code, said } = await refusedConfig(
      [
        "version: 1",
        "inputs:",
        '  - paths: ["${ORDER_LOGS}/app.log"]',
        "sinks:",
        "  - type: elasticsearch",
        "    urls: [http://127.0.0.1:9]",
        '    auth: { api_key: "${file:no/such/key}" }',
        "",
      ].join("\n"),
    );
    expect(code).toBe(78);
    expect(said).toContain("pannier.yaml:3:13: inputs[0].paths[0]: the environment variable ORDER_LOGS is not set");
    expect(said).toMatch(/pannier\.yaml:7:\d+: sinks\[0\]\.auth\.api_key: cannot read the secret file no\/such\/key/);
    expect(said).toContain("${VAR:-default}");
  });

  test("a required variable says its own message", async () => {
    const yaml = "version: 1\ninputs: [{ paths: ['${LOGS:?say where the logs are}'] }]\nsinks: [{ type: stdout }]\n";
    const { code, said } = await refusedConfig(yaml, { LOGS: "" });
    expect(code).toBe(78);
    expect(said).toContain("LOGS is not set: say where the logs are");
  });

  test("an empty secret file is none", async () => {
    writeFileSync(join(directory, "key"), "\n");
    const { code, said } = await refusedConfig(
      "version: 1\ninputs: [{ paths: [app.log] }]\nsinks: [{ type: elasticsearch, urls: ['http://127.0.0.1:9'], auth: { api_key: '${file:key}' } }]\n",
    );
    expect(code).toBe(78);
    expect(said).toContain("cannot read the secret file key");
  });

  test("a plan over an explicit limit: what would fit, and that it does", async () => {
    const yaml = (limit: string): string =>
      `version: 1\nmemory: { limit: ${limit} }\ninputs: [{ paths: [app.log], max_line_bytes: 1MiB }]\nsinks: [{ type: elasticsearch, urls: ["http://127.0.0.1:9"] }]\n`;
    const { code, said } = await refusedConfig(yaml("16MiB"));
    expect(code).toBe(78);
    expect(said).toMatch(
      /pannier\.yaml:2:\d+: memory\.limit: the memory plan needs at least [\d.]+MiB, and memory.limit is 16MiB/,
    );
    expect(said).toMatch(/max_line_bytes to at most \d+KiB/);
    const fits = /set memory\.limit to at least ([\d.]+MiB)/.exec(said)![1];
    writeFileSync(join(directory, "pannier.yaml"), yaml(fits));
    const agent = startAgent(["run", "--config", "pannier.yaml", "--state-dir", state], { cwd: directory });
    await agent.waitForLog("started");
  });

  test("two sinks with the same destination", async () => {
    const sink = "  - type: elasticsearch\n    urls: [http://127.0.0.1:9]\n";
    const yaml = `version: 1\ninputs: [{ paths: [app.log] }]\nsinks:\n${sink}    name: a\n${sink}    name: b\n`;
    const { code, said } = await refusedConfig(yaml);
    expect(code).toBe(78);
    expect(said).toMatch(
      /pannier\.yaml:7:5: sinks\[1\]: the same destination as sink "a": every line would arrive twice/,
    );
    const flags = await refused(["run", log, "--to", "stdout:", "--to", "stdout:", "--state-dir", state]);
    expect(flags.code).toBe(78);
    expect(flags.said).toContain("every line would arrive twice");
  });

  test("a configuration file that is not there", async () => {
    const { code, said } = await refused(["run", "--config", "nowhere.yaml"]);
    expect(code).toBe(78);
    expect(said).toContain("nowhere.yaml: there is no such file");
    expect(said).toContain("--config");
  });
});

describe("command line: 64", () => {
  test.for<[what: string, args: string[], says: string]>([
    ["no path and no input", ["run", "--to", "stdout:"], "nothing to follow"],
    ["no destination", ["run", "app.log"], "nowhere to send to"],
    ["an unknown command", ["rnu"], 'unknown command "rnu", did you mean "run"?'],
    ["an unknown flag", ["run", "app.log", "--onec"], "unknown flag --onec, did you mean --once?"],
    ["a flag of another command", ["run", "app.log", "--seconds", "3"], "--seconds is no flag of run"],
    [
      "a destination of no known kind",
      ["run", "app.log", "--to", "kafka://broker"],
      "kafka://broker: unknown scheme; valid: elasticsearch+http",
    ],
    [
      "a size without sense",
      ["run", "app.log", "--to", "stdout:", "--memory-limit", "much"],
      '"much": a size is a number with a unit, such as',
    ],
    [
      "a duration without unit",
      ["run", "app.log", "--to", "stdout:", "--drain-deadline", "8"],
      '"8": a duration is a number with a unit, such as',
    ],
  ])("%s", async ([, args, says]) => {
    const { code, said } = await refused(args);
    expect(said).toContain(says);
    expect(code).toBe(64);
  });
});

describe("admin port in use", () => {
  async function occupy(port: number): Promise<number> {
    const server = createServer();
    await new Promise<void>((resolve) => {
      // The default port may be somebody else's already: then it is in use as well.
      server.once("error", () => resolve());
      server.listen(port, "127.0.0.1", resolve);
    });
    onTestFinished(() => void server.close());
    return (server.address() as AddressInfo | null)?.port ?? port;
  }

  test("one that was asked for: 78", async () => {
    const port = await occupy(0);
    const given = ["--state-dir", state, "--admin", `127.0.0.1:${port}`];
    const { code, said, codes } = await refused(["run", log, "--to", "stdout:", ...given]);
    expect(code).toBe(78);
    expect(codes.at(-1)).toBe("admin_port_in_use");
    expect(said).toContain(`127.0.0.1:${port} in use by another process`);
    expect(said).toContain("--admin HOST:PORT");
  });

  test("the default one: a warning, and it ships", async () => {
    await occupy(9600);
    const agent = startAgent(["run", log, "--to", "stdout:", "--state-dir", state, "--once"], { noAdmin: true });
    const warning = await agent.waitForLog("admin_port_in_use");
    expect(warning).toMatchObject({ level: "warn" });
    expect(warning.msg).toContain("going on without it");
    expect((await agent.exited).code).toBe(0);
    expect(messages(agent)).toEqual(["one", "two"]);
  });
});

describe("state directory: 74", () => {
  test("missing parents are made; below a link to nowhere they cannot be", async () => {
    const agent = startAgent(["run", log, "--to", "stdout:", "--state-dir", join(state, "a", "b"), "--once"]);
    expect((await agent.exited).code).toBe(0);
    symlinkSync(join(directory, "nowhere"), join(directory, "link"));
    const { code, said, codes } = await refusedState(join(directory, "link", "state"));
    expect(code).toBe(74);
    expect(codes.at(-1)).toBe("state_missing");
    expect(said).toContain("set state_dir to another directory");
  });

  test("where nothing can be made", async () => {
    const { code, codes } = await refusedState("/proc/no/such");
    expect([code, codes.at(-1)]).toEqual([74, "state_missing"]);
  });

  test("a file", async () => {
    for (const path of [log, join(log, "below")]) {
      const { code, said, codes } = await refusedState(path);
      expect([code, codes.at(-1)]).toEqual([74, "state_not_a_directory"]);
      expect(said).toContain(`state directory ${path} is not a directory`);
      expect(said).toContain("nothing was read or sent");
    }
    expect(readFileSync(log, "utf8")).toBe("one\ntwo\n");
  });

  test("a read-only volume", async (context) => {
    mkdirSync(state);
    needMounts(context, state);
    const { code, said, codes } = await refusedState(state, { through: onTmpfs(state, "ro") });
    expect([code, codes.at(-1)]).toEqual([74, "state_read_only"]);
    expect(said).toContain("mount a volume");
  });

  test("a full volume", async (context) => {
    mkdirSync(state);
    needMounts(context, state);
    const fill = ["sh", "-c", 'head -c 1m /dev/zero >"$0/filler" 2>/dev/null; exec "$@"', state];
    const { code, said, codes } = await refusedState(state, { through: [...onTmpfs(state, "size=64k"), ...fill] });
    expect([code, codes.at(-1)]).toEqual([74, "state_full"]);
    expect(said).toContain("free some space");
  });

  test("another user's", async () => {
    chmodSync(directory, 0o755);
    mkdirSync(state, { mode: isRoot ? 0o700 : 0o500 });
    const { code, said, codes } = await refusedState(state, { through: asNobody });
    expect([code, codes.at(-1)]).toEqual([74, "state_no_permission"]);
    expect(said).toContain("pannier runs as uid");
  });

  test("locked by another pannier, which goes on undisturbed", async () => {
    const first = start();
    await first.waitForLog("started");
    const { code, said, codes } = await refusedState(state);
    expect([code, codes.at(-1)]).toEqual([74, "state_locked"]);
    expect(said).toContain(`process ${first.pid}`);
    expect(said).toContain("give each a state_dir of its own");
    await expectToShip(first);
  });

  test("not locked by one that was killed", async () => {
    const first = start();
    await first.waitForStatus(isCommitted);
    await first.kill9();
    const second = start("--once");
    expect((await second.exited).code).toBe(0);
    expect(messages(second)).toEqual([]);
  });

  test("written by a newer pannier: it is left as it is", async () => {
    mkdirSync(state);
    const newer = encodeEntry({ t: "pannier", format: 1_000, kind: "snapshot", sequence: 1 });
    writeFileSync(join(state, "snapshot"), newer);
    const { code, said, codes } = await refusedState(state);
    expect([code, codes.at(-1)]).toEqual([74, "state_newer_format"]);
    expect(said).toContain("run that version again");
    expect(readFileSync(join(state, "snapshot"), "utf8")).toBe(newer);
  });
});
