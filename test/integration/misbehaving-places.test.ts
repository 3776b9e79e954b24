/** Sinks that go, move, and show other papers: what happens around the answers (see misbehaving.test.ts for these). */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, test } from "vitest";
import { run } from "../servers/command.ts";
import { isCommitted, startAgent } from "../support/agent.ts";
import { play, type Scenario, type World } from "../support/conformance.ts";
import { freePort } from "../support/free-port.ts";
import { type Behaviour, MisbehavingServer, type ServerOptions } from "../support/misbehaving-server.ts";
import { answers, resetsInBody, webPage } from "../support/misbehaviours.ts";
import { needMounts, withFileAt } from "../support/mounts.ts";
import { NumberedLines } from "../support/numbered-lines.ts";

const QUICK = { BACKOFF_FIRST_MS: 50, BACKOFF_MAX_MS: 500 };
const pass: Scenario["behave"] = (turn) => turn.pass();
let papers = "";

/** An authority, a server's and a client's certificate of it: NAME-ca.pem, NAME.pem, NAME.key. */
async function makePapers(name: string): Promise<void> {
  const at = (file: string): string => join(papers, file);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const [authority, request] = [at(`${name}-ca`), at(name)];
  const itself = ["-x509", "-days", "30", "-subj", `/CN=${name} authority`];
  await run("openssl", ["req", ...key, ...itself, "-keyout", `${authority}.key`, "-out", `${authority}.pem`]);
  await run("openssl", [
    "req",
    ...key,
    "-subj",
    "/CN=localhost",
    "-keyout",
    `${request}.key`,
    "-out",
    `${request}.csr`,
  ]);
  writeFileSync(at("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  const signs = ["-CA", `${authority}.pem`, "-CAkey", `${authority}.key`, "-CAcreateserial"];
  const certificate = ["-days", "30", "-extfile", at("names"), "-in", `${request}.csr`, "-out", `${request}.pem`];
  await run("openssl", ["x509", "-req", ...signs, ...certificate]);
}

beforeAll(async () => {
  papers = mkdtempSync(join(tmpdir(), "pannier-papers-"));
  await Promise.all([makePapers("old"), makePapers("new")]);
});
afterAll(() => rmSync(papers, { recursive: true, force: true }));

const paper = (file: string): string => join(papers, file);

/** Ends the server and starts another at the same place, with the same documents. */
async function restart(world: World, options: ServerOptions = {}): Promise<void> {
  const { port, store } = world.server;
  await world.server.close();
  world.server = await new MisbehavingServer({ port, store, ...options }).listen();
}

/** Everything so far is delivered; then there is more. */
async function writeMore({ agent, lines }: World): Promise<void> {
  await agent.waitForStatus((status) => isCommitted(status) && status.files[0].size === lines.bytes);
  lines.write(100);
}

const scenarios: Readonly<Record<string, Scenario>> = {
  "refused until it is there": {
    behave: pass,
    says: "sink_unreachable",
    mentions: "Nothing listens there",
    limits: QUICK,
    url: (server) => server.origin.replace(/\d+$/, String(places.refused)),
    steps: async (world) => {
      await world.agent.waitForLog("sink_unreachable");
      await world.server.close();
      world.server = await new MisbehavingServer({ port: places.refused }).listen();
    },
  },
  "goes away and comes back": {
    behave: pass,
    says: "sink_unreachable",
    limits: QUICK,
    steps: async (world) => {
      await writeMore(world);
      const { port, store } = world.server;
      await world.server.close();
      world.lines.write(100);
      await world.agent.waitForLog("sink_unreachable");
      world.server = await new MisbehavingServer({ port, store }).listen();
    },
  },
  "restarts between two deliveries: nobody notices": {
    behave: pass,
    steps: async (world) => {
      await writeMore(world);
      await world.agent.waitForStatus(isCommitted);
      await restart(world);
      world.lines.write(100);
    },
  },
  "a new certificate of a new authority, and `ca` is renewed on disk": {
    behave: pass,
    says: "sink_unreachable",
    limits: QUICK,
    server: () => tls("old"),
    sink: (directory) => {
      copyFileSync(paper("old-ca.pem"), join(directory, "ca.pem"));
      return `tls: { ca: "${join(directory, "ca.pem")}" }`;
    },
    steps: async (world) => {
      await writeMore(world);
      await world.agent.waitForStatus(isCommitted);
      await restart(world, tls("new"));
      world.lines.write(100);
      await world.agent.waitForLog("sink_unreachable");
      copyFileSync(paper("new-ca.pem"), join(world.directory, "ca.pem"));
    },
  },
  "only clients of a new authority are let in, and `cert` and `key` are renewed on disk": {
    behave: pass,
    says: "sink_unreachable",
    limits: QUICK,
    server: () => ({ tls: { ...tls("old").tls, ca: paperText("old-ca.pem") } }),
    sink: (directory) => {
      const [cert, key] = [join(directory, "client.pem"), join(directory, "client.key")];
      copyFileSync(paper("old.pem"), cert);
      copyFileSync(paper("old.key"), key);
      return `tls: { ca: "${paper("old-ca.pem")}", cert: "${cert}", key: "${key}" }`;
    },
    steps: async (world) => {
      await writeMore(world);
      await world.agent.waitForStatus(isCommitted);
      await restart(world, { tls: { ...tls("old").tls, ca: paperText("new-ca.pem") } });
      world.lines.write(100);
      await world.agent.waitForLog("sink_unreachable");
      copyFileSync(paper("new.pem"), join(world.directory, "client.pem"));
      copyFileSync(paper("new.key"), join(world.directory, "client.key"));
    },
  },
  "a password that is renewed on both sides": {
    behave: (turn) => {
      const said = Buffer.from((turn.request.headers.authorization ?? "").slice(6), "base64").toString();
      return said === `shipper:${turn.number > 1 ? "new" : "old"}` ? turn.pass() : turn.answer(401, "{}");
    },
    says: "sink_unauthorized",
    limits: QUICK,
    sink: (directory) => {
      writeFileSync(join(directory, "password"), "old");
      return `auth: { username: shipper, password: "\${file:${join(directory, "password")}}" }`;
    },
    steps: async (world) => {
      await writeMore(world);
      await world.agent.waitForLog("sink_unauthorized");
      writeFileSync(join(world.directory, "password"), "new");
    },
  },
};

const places = { refused: 0 };
beforeAll(async () => {
  places.refused = await freePort();
});

function paperText(file: string): string {
  return readFileSync(paper(file), "utf8");
}

function tls(name: string): { tls: { key: string; cert: string } } {
  return { tls: { key: paperText(`${name}.key`), cert: paperText(`${name}.pem`) } };
}

test.concurrent.for(Object.entries(scenarios))("%s", async ([, scenario], { expect }) => play(scenario, expect));

describe("a name that is moved to another address", () => {
  const PORT_TRIES = 20;

  /** The name of the sink, known to this process alone. */
  const named = (directory: string, address: string): void =>
    writeFileSync(join(directory, "hosts"), `127.0.0.1 localhost\n${address} search.test\n`);

  const moving: Scenario = {
    behave: pass,
    limits: { ...QUICK, CONNECTION_MAX_MS: 300 },
    url: (server) => `http://search.test:${server.port}`,
    through: (directory) => {
      named(directory, "127.0.0.1");
      return withFileAt("/etc/hosts", join(directory, "hosts"));
    },
  };

  test.concurrent("the old address is gone", async (context) => {
    needMounts(context, tmpdir());
    const steps: Scenario["steps"] = async (world) => {
      await writeMore(world);
      await world.agent.waitForStatus(isCommitted);
      const { port, store } = world.server;
      await world.server.close();
      world.server = await new MisbehavingServer({ host: "127.0.0.2", port, store }).listen();
      world.lines.write(100);
      await world.agent.waitForLog("sink_unreachable");
      named(world.directory, "127.0.0.2");
    };
    await play({ ...moving, says: "sink_unreachable", steps }, context.expect);
  });

  test.concurrent("the old address still answers: no connection is kept for ever", async (context) => {
    needMounts(context, tmpdir());
    const steps: Scenario["steps"] = async (world) => {
      // A connection stands, and is in use.
      await writeMore(world);
      const { port, store } = world.server;
      const next = await new MisbehavingServer({ host: "127.0.0.2", port, store }).listen();
      context.onTestFinished(() => next.close());
      named(world.directory, "127.0.0.2");
      for (let i = 0; i < PORT_TRIES && next.requests === 0; i++) {
        await writeMore(world);
        await sleep(50);
      }
      context.expect(next.requests).toBeGreaterThan(0);
    };
    await play({ ...moving, steps }, context.expect);
  });
});

describe.each([1, 2])("after an outage, %i request(s) in flight", (inFlight) => {
  test.concurrent("the backlog is sent at full speed, oldest first", async ({ expect, onTestFinished }) => {
    const directory = mkdtempSync(join(tmpdir(), "pannier-outage-"));
    mkdirSync(join(directory, "logs"));
    const server = await new MisbehavingServer().listen();
    const files = ["a.log", "b.log"].map((name) => new NumberedLines(join(directory, "logs", name)));
    const sink = `{ type: elasticsearch, urls: ["${server.origin}"], batch: { max_age: 20ms, max_bytes: 256KiB, in_flight: ${inFlight} } }`;
    const config = ["version: 1", `state_dir: ${directory}/state`, `inputs: [{ paths: ["${directory}/logs"] }]`];
    writeFileSync(join(directory, "pannier.yaml"), [...config, `sinks: [${sink}]`].join("\n"));
    const agent = startAgent(["run", "--config", join(directory, "pannier.yaml")]);
    onTestFinished(async () => {
      await agent.kill9();
      await server.close();
      rmSync(directory, { recursive: true, force: true });
    });

    /** Writes a backlog while nobody takes it; says how long it takes, and how many requests, once somebody does. */
    const recover = async (outage: Behaviour, forMs: number): Promise<{ tookMs: number; requests: number }> => {
      server.behave = outage;
      for (const lines of files) lines.write(8_000);
      await agent.waitForLog("sink_error");
      await sleep(forMs);
      let healedAtMs = 0;
      let requests = 0;
      server.behave = (turn) => {
        healedAtMs ||= performance.now();
        requests++;
        return turn.pass();
      };
      const bytes = files.reduce((sum, lines) => sum + lines.bytes, 0);
      await agent.waitForStatus(
        (status) =>
          isCommitted(status) &&
          status.files.length === 2 &&
          status.files.reduce((sum, { size }) => sum + size, 0) === bytes,
      );
      return { tookMs: performance.now() - healedAtMs, requests };
    };
    const short = await recover(answers(503, ""), 0);
    const kinds = [resetsInBody, webPage(502), answers(503, "")];
    const long = await recover((turn) => kinds[turn.number % kinds.length](turn), 4_000);
    // A machine that stands still for a while is no reason; a pause between requests, or small ones, would be.
    expect(long.tookMs).toBeLessThan(short.tookMs * 3 + 4_000);
    expect(long.requests).toBeLessThan(short.requests * 2 + 4);

    const { arrivals } = server.store;
    expect(arrivals.length).toBe(files.reduce((sum, { count }) => sum + count, 0));
    for (const { path } of files) {
      const offsets = arrivals.filter((arrival) => arrival.path === path).map(({ offset }) => offset);
      // Requests that are under way together may overtake each other, but no more than these.
      const runs = runsOf(offsets);
      for (let i = 0; i + inFlight < runs.length; i++) expect(runs[i]).toBeLessThan(runs[i + inFlight]);
      if (inFlight === 1) expect(runs).toEqual([0]);
    }
    expect((await agent.stop()).code).toBe(0);
  });
});

/** The beginnings of ascending stretches. */
function runsOf(offsets: readonly number[]): number[] {
  return offsets.filter((offset, i) => i === 0 || offset < offsets[i - 1]);
}
