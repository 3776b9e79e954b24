/** What may heal is no reason to end (contract §2, "run goes on"): pannier says what is wrong, waits, and loses nothing. */
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { startTlsProxy, type TlsProxy, type TlsProxyOptions } from "../servers/tls-proxy.ts";
import { type Agent, type AgentOptions, isCommitted, killAgents, startAgent, type Status } from "../support/agent.ts";
import { freePort } from "../support/free-port.ts";
import { type Canned, type Gate, startGate } from "../support/gate.ts";
import { asNobody, insideOf, isRoot, needMounts, NOBODY, onTmpfs } from "../support/mounts.ts";
import { NumberedLines } from "../support/numbered-lines.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";

const LINES = 500;
let directory = "";
let state = "";
let lines: NumberedLines;
let receiver: Receiver;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "pannier-goes-on-"));
  state = join(directory, "state");
  mkdirSync(join(directory, "logs"));
  lines = new NumberedLines(join(directory, "logs", "app.log"));
  receiver = await startReceiver({ ids: true, sequences: true });
});
afterEach(async () => {
  await killAgents();
  await receiver.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Follows the directory of logs. `to` is what comes behind `elasticsearch+`. */
function start(to: string, more: readonly string[] = [], options: AgentOptions = {}): Agent {
  const args = ["run", join(directory, "logs"), "--to", `elasticsearch+${to}`, "--state-dir", state];
  return startAgent([...args, ...more], options);
}

async function gate(first: Parameters<typeof startGate>[1]): Promise<Gate> {
  const opened = await startGate(receiver.url, first);
  onTestFinished(opened.close);
  return opened;
}

async function tlsProxy(credentials: TlsProxyOptions): Promise<TlsProxy> {
  const proxy = await startTlsProxy(receiver.url, credentials);
  onTestFinished(proxy.stop);
  return proxy;
}

function isWaiting({ sinks }: Status): boolean {
  return sinks[0].state === "retrying" && sinks[0].last_error !== null;
}

/** The sink is in trouble and nothing else is: pannier is ready, reads no further than it holds, and counts nothing as lost. */
async function expectToWait(agent: Agent, code: string): Promise<string> {
  await agent.waitForLog("started");
  const status = await agent.waitForStatus(isWaiting);
  const error = status.sinks[0].last_error!;
  expect(error.code).toBe(code);
  expect(error.message).toContain("nothing is lost");
  expect(await agent.waitForLog(code)).toMatchObject({ level: "warn", sink: "elasticsearch" });
  expect(status.files[0].ledger).toMatchObject({ delivered: 0, dead_lettered: 0, lost: 0 });
  expect((await agent.get("/readyz")).status, "readiness never depends on the sink").toBe(200);
  expect((await agent.get("/livez")).status).toBe(200);
  return error.message;
}

test("the lag is as old as what waits, also while the file is written on", async () => {
  lines.write(1);
  const agent = start("http://127.0.0.1:9");
  await agent.waitForStatus(isWaiting);
  for (let i = 0; i < 20; i++) {
    lines.write(1);
    await sleep(100);
  }
  const [{ lag_bytes: lagBytes, lag_seconds: lagSeconds }] = (await agent.status()).files;
  expect(lagBytes).toBeGreaterThan(lines.bytes / 2);
  expect(lagSeconds).toBeGreaterThan(2);
});

/** Every line arrived, none twice, and the sink is well again. */
async function expectToHeal(agent: Agent): Promise<void> {
  const status = await agent.waitForStatus((now) => isCommitted(now) && now.sinks[0].state === "ok");
  expect(status.sinks[0].last_error).toBeNull();
  expect(status.sinks[0].unexpected_conflicts).toBe(0);
  await agent.waitForLog("sink_recovered");
  await expectWhole(agent);
}

async function expectWhole(agent: Agent): Promise<void> {
  expect(await agent.stop()).toEqual({ code: 0, signal: null });
  expect(agent.logs.at(-1)).toMatchObject({ code: "drain", outcome: "complete", remainder_bytes: 0 });
  expect(receiver.sequences.compare(lines.count)).toMatchObject({ missing: 0, doubled: 0 });
  expect(receiver.stats().documents).toBe(lines.count);
}

describe("sink", () => {
  beforeEach(() => lines.write(LINES));

  test("unreachable at the start: delivers once it is there", async () => {
    const port = await freePort();
    const agent = start(`http://127.0.0.1:${port}`);
    expect(await expectToWait(agent, "sink_unreachable")).toContain(`no answer from http://127.0.0.1:${port}`);
    lines.write(LINES);
    await receiver.close();
    receiver = await startReceiver({ port, ids: true, sequences: true });
    await expectToHeal(agent);
  });

  test("wrong API key: heals when its file changes", async () => {
    const proxy = await tlsProxy({ apiKey: Buffer.from("id:the right key").toString("base64") });
    const key = join(directory, "key");
    writeFileSync(key, "id:a wrong key\n");
    const agent = start(`${proxy.url}?ca_file=${proxy.ca}&api_key_file=${key}`);
    const message = await expectToWait(agent, "sink_unauthorized");
    expect(message).toContain("a changed secret file is read by itself");
    expect(receiver.stats().requests).toBe(0);
    writeFileSync(key, "id:the right key\n");
    await expectToHeal(agent);
  });

  test("a password that is changed while pannier runs: it waits until its file says the new one", async () => {
    const proxy = await tlsProxy({ basic: "shipper:old password" });
    const password = join(directory, "password");
    writeFileSync(password, "old password");
    const to = `${proxy.url.replace("//", "//shipper@")}?ca_file=${proxy.ca}&password_file=${password}`;
    const agent = start(to);
    await agent.waitForStatus(isCommitted);
    proxy.accept({ basic: "shipper:new password" });
    lines.write(LINES);
    await agent.waitForStatus(isWaiting);
    await agent.waitForLog("sink_unauthorized");
    expect(receiver.stats().documents).toBe(LINES);
    writeFileSync(password, "new password");
    await expectToHeal(agent);
  });

  test("403: says which rights are missing, and goes on when they are given", async () => {
    const reason = "action [indices:admin/auto_create] is unauthorized for API key id [k]";
    const error = { type: "security_exception", reason };
    const forbidden = await gate(elasticsearchSays(403, { error: { root_cause: [error], ...error }, status: 403 }));
    const agent = start(forbidden.url);
    const message = await expectToWait(agent, "sink_forbidden");
    expect(message).toContain("create_doc");
    forbidden.behave("pass");
    await expectToHeal(agent);
  });

  test("a certificate that is not trusted: says so, and ships once tls.ca is set", async () => {
    const proxy = await tlsProxy({ basic: "a:b" });
    const to = proxy.url.replace("//", "//a:b@");
    const agent = start(to, ["--drain-deadline", "1s"]);
    const message = await expectToWait(agent, "sink_unreachable");
    expect(message).toContain("Its certificate is not trusted: set `tls.ca`");
    expect((await agent.stop()).code).toBe(75);
    const trusting = start(`${to}?ca_file=${proxy.ca}`);
    await trusting.waitForStatus(isCommitted);
    await expectWhole(trusting);
  });

  test.for<[what: string, canned: Canned]>([
    ["a web page", { status: 200, headers: { "content-type": "text/html" }, body: "<h1>It works!</h1>" }],
    ["JSON of its own", { status: 200, headers: { "content-type": "application/json" }, body: '{"ok":true}' }],
  ])("a server that answers every request with %s: takes it for no delivery", async ([, canned]) => {
    const other = await gate(canned);
    const agent = start(other.url);
    expect(await expectToWait(agent, "sink_not_elasticsearch")).toContain("check `urls`");
    other.behave("pass");
    await expectToHeal(agent);
  });

  test("a port that does not speak HTTP", async () => {
    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.resume();
      socket.end("SSH-2.0-OpenSSH_9.9\r\n");
    });
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    const agent = start(`http://127.0.0.1:${port}`);
    await expectToWait(agent, "sink_unreachable");
    await receiver.close();
    await new Promise((resolve) => server.close(resolve));
    receiver = await startReceiver({ port, ids: true, sequences: true });
    await expectToHeal(agent);
  });

  test("answers get lost on the way: what had arrived is known again, and counts once", async () => {
    const lossy = await gate("pass");
    const agent = start(lossy.url);
    await agent.waitForStatus(isCommitted);
    lossy.behave("swallow");
    lines.write(LINES);
    await agent.waitForStatus(isWaiting);
    lossy.behave("pass");
    await expectToHeal(agent);
    expect(receiver.stats().conflicts).toBeGreaterThanOrEqual(LINES);
  });
});

describe("logs", () => {
  test("a directory that is missing, and made later", async () => {
    rmSync(join(directory, "logs"), { recursive: true });
    const agent = start(receiver.url);
    const warning = await agent.waitForLog("no_match");
    expect(warning.msg).toContain(join(directory, "logs"));
    await agent.waitForLog("started");
    expect((await agent.get("/readyz")).status).toBe(200);
    mkdirSync(join(directory, "logs"));
    lines.write(LINES);
    await agent.waitForStatus(isCommitted);
    await expectWhole(agent);
  });

  test("a directory that may not be read, until it may", async () => {
    lines.write(LINES);
    const logs = join(directory, "logs");
    const agent = startAsNobody();
    chmodSync(logs, 0o000);
    const started = agent();
    const warning = await started.waitForLog("directory_unreadable");
    expect(warning).toMatchObject({ level: "warn", path: logs });
    expect(warning.msg).toContain("EACCES");
    await started.waitForLog("started");
    chmodSync(logs, 0o755);
    await started.waitForStatus(isCommitted);
    await expectWhole(started);
  });

  test("a file that may not be read holds up no other, and is read when it may be", async () => {
    lines.write(LINES);
    const closed = new NumberedLines(join(directory, "logs", "closed.log"));
    closed.count = LINES;
    closed.write(LINES);
    chmodSync(closed.path, 0o000);
    const agent = startAsNobody()();
    const warning = await agent.waitForLog("file_unreadable");
    expect(warning).toMatchObject({ level: "warn", path: closed.path });
    await agent.waitForStatus(isCommitted);
    expect(receiver.stats().documents).toBe(LINES);
    chmodSync(closed.path, 0o644);
    await agent.waitForStatus((status) => status.files.length === 2 && isCommitted(status));
    lines.count = closed.count;
    await expectWhole(agent);
  });

  test("a pattern without a match, until there is one", async () => {
    const pattern = join(directory, "logs", "*.log");
    const args = ["run", pattern, "--to", `elasticsearch+${receiver.url}`, "--state-dir", state];
    const agent = startAgent(args);
    const warning = await agent.waitForLog("no_match");
    expect(warning).toMatchObject({ level: "warn", path: pattern });
    await agent.waitForLog("started");
    lines.write(LINES);
    await agent.waitForStatus(isCommitted);
    await expectWhole(agent);
  });

  test("--once without a file that matches: a warning, and 0", async () => {
    const agent = start(receiver.url, ["--once"]);
    expect(await agent.exited).toEqual({ code: 0, signal: null });
    expect(agent.logs.find((line) => line.code === "no_match")).toMatchObject({ level: "warn" });
    expect(agent.logs.at(-1)).toMatchObject({ code: "drain", outcome: "complete", files: [] });
  });

  /** Gives the state directory to a user without rights; returns what starts pannier as that user. */
  function startAsNobody(): () => Agent {
    chmodSync(directory, 0o755);
    mkdirSync(state);
    if (isRoot) chownSync(state, NOBODY, NOBODY);
    return () => start(receiver.url, [], { through: asNobody });
  }
});

test("the volume of the state directory fills up: nothing is sent that cannot be journaled, and it goes on once there is room", async (context) => {
  needMounts(context, directory);
  mkdirSync(state);
  lines.write(LINES);
  const sink = `{ type: elasticsearch, urls: ["${receiver.url}"], batch: { max_age: 20ms } }`;
  const inputs = `[{ paths: ["${lines.path}"] }]`;
  const config = join(directory, "pannier.yaml");
  writeFileSync(config, `version: 1\nstate_dir: ${state}\ninputs: ${inputs}\nsinks: [${sink}]\n`);
  const agent = startAgent(["run", "--config", config], { through: onTmpfs(state, "size=1m") });
  await agent.waitForStatus(isCommitted);
  const filler = insideOf(agent.pid, join(state, "filler"));
  expect(() => writeFileSync(filler, Buffer.alloc(2 << 20))).toThrow("ENOSPC");

  // The page that the journal is in takes some more entries; then nothing is sent any more, however long it is written.
  const deadline = performance.now() + 60_000;
  for (let before = -1, unchanged = 0; unchanged < 30;) {
    expect(performance.now()).toBeLessThan(deadline);
    lines.write(1);
    await sleep(50);
    const { documents } = receiver.stats();
    unchanged = documents === before ? unchanged + 1 : 0;
    before = documents;
  }
  expect(receiver.stats().documents).toBeLessThan(lines.count);
  const readiness = async (): Promise<string> => {
    lines.write(1);
    const answer = await agent.get("/readyz");
    return `${answer.status} ${await answer.text()}`;
  };
  await expect.poll(readiness).toMatch(/^503 .*the state directory cannot be written/);
  expect((await agent.get("/livez")).status).toBe(200);
  const error = await agent.waitForLog("state_write_failed");
  expect(error.level).toBe("error");
  expect(error.msg).toContain("ENOSPC");
  expect(error.msg).toContain("no line is lost");
  expect(error["hint"]).toContain("free some space");

  rmSync(filler);
  await agent.waitForLog("state_recovered");
  await agent.waitForStatus(isCommitted);
  expect((await agent.get("/readyz")).status).toBe(200);
  await expectWhole(agent);
});

test("credentials are in no log, status or dead letter, whatever the server repeats", async () => {
  lines.write(3);
  const password = 'pa55 wörd/with"quotes';
  const key = "VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==";
  const inUrl = "hunter2hunter2";
  const basic = Buffer.from(`shipper:${password}`).toString("base64");
  const decodedKey = Buffer.from(key, "base64").toString();
  const secrets = [
    decodedKey,
    password,
    JSON.stringify(password).slice(1, -1),
    encodeURIComponent(password),
    key,
    inUrl,
    basic,
  ];
  const echo = await startEcho();
  writeFileSync(join(directory, "password"), password);
  writeFileSync(join(directory, "key"), key);
  const sink = (name: string, url: string, auth: string): string =>
    `  - { name: ${name}, type: elasticsearch, urls: ["${url}"], data_stream: logs-${name}-default, auth: ${auth} }`;
  const config = [
    "version: 1",
    `state_dir: ${state}`,
    "drain: { deadline: 1s }",
    `inputs: [{ paths: ["${lines.path}"] }]`,
    "sinks:",
    sink("password", `${echo}/401`, `{ username: shipper, password: "\${file:${join(directory, "password")}}" }`),
    sink("key", `${echo}/401`, `{ api_key: "\${file:${join(directory, "key")}}" }`),
    sink("url", `${echo.replace("//", `//shipper:${inUrl}@`)}/401`, "{}"),
    sink("rejected", `${echo}/rejected`, `{ api_key: "\${file:${join(directory, "key")}}" }`),
    sink("dead", "http://shipper:hunter2hunter2@127.0.0.1:9", "{}"),
  ].join("\n");
  writeFileSync(join(directory, "pannier.yaml"), config);
  const agent = startAgent(["run", "--config", join(directory, "pannier.yaml"), "--log-level", "debug"]);
  const status = await agent.waitForStatus(({ sinks }) =>
    sinks.every(({ last_error: error, rejected }) => error !== null || rejected === 3),
  );
  const letters = join(state, "dead-letters", "rejected.ndjson");
  await agent.waitForStatus(
    ({ files }) => files.length === 1 && existsSync(letters) && readFileSync(letters).length > 0,
  );
  expect((await agent.stop()).code).toBe(75);
  const check = startAgent(["check", "--config", join(directory, "pannier.yaml")]);
  expect((await check.exited).code).toBe(0);

  const said = {
    log: JSON.stringify(agent.logs),
    status: JSON.stringify(status),
    letters: readFileSync(letters, "utf8"),
    check: `${check.stdout()}${JSON.stringify(check.logs)}`,
  };
  expect(said.log).toContain("sink_unauthorized");
  expect(said.letters, "the server's words are kept, without the secret").toContain("you are ApiKey");
  for (const [where, text] of Object.entries(said))
    for (const secret of secrets) expect(text.includes(secret), `${secret} in ${where}`).toBe(false);
});

function elasticsearchSays(status: number, body: object): Canned {
  const headers = { "content-type": "application/json", "x-elastic-product": "Elasticsearch" };
  return { status, headers, body: JSON.stringify(body) };
}

/** A server that repeats the credentials that it is shown: below /401 it refuses them, below /rejected every document. */
async function startEcho(): Promise<string> {
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const authorization = request.headers.authorization ?? "";
      const decoded = Buffer.from(authorization.replace(/^\w+ /, ""), "base64").toString();
      const reason = `you are ${authorization} (${decoded})`;
      const refused = request.url!.startsWith("/401");
      const error = { type: refused ? "security_exception" : "document_parsing_exception", reason };
      const item = { create: { status: 400, error } };
      const body = refused
        ? { error: { root_cause: [error], ...error }, status: 401 }
        : request.url!.includes("_bulk")
          ? { errors: true, items: Array.from({ length: 3 }, () => item) }
          : { acknowledged: true, template: {}, overlapping: [] };
      response.writeHead(refused ? 401 : 200, {
        "content-type": "application/json",
        "x-elastic-product": "Elasticsearch",
      });
      response.end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
