import { execFile } from "node:child_process";
import { copyFileSync, readFileSync } from "node:fs";
import https from "node:https";
import net, { type AddressInfo } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { type Clock, systemClock } from "../../../src/core/clock.ts";
import type { ElasticsearchConfig } from "../../../src/core/config.ts";
import { type Body, Carrier, type CarrierTimes, type Transfer, carrierTimes } from "../../../src/sinks/http/carrier.ts";
import { NodeRing } from "../../../src/sinks/http/nodes.ts";
import { freePort } from "../../support/free-port.ts";
import { configOf, record, records, sinkOf } from "./helpers.ts";
import { deliver } from "./rig.ts";
import { CREATED, StandIn } from "./server.ts";
import { temporaryDirectory } from "./temporary.ts";

const tls = path.join(import.meta.dirname, "tls");
const never = new AbortController().signal;
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function standIn(): Promise<{ server: StandIn; url: string }> {
  const server = new StandIn();
  const url = await server.listen();
  closing.push(() => server.close());
  return { server, url };
}

function carrierOf(
  urls: readonly string[],
  changes: Partial<ElasticsearchConfig> = {},
  times: Partial<CarrierTimes> = {},
  clock: Clock = systemClock,
): Carrier {
  const carrier = new Carrier(configOf(urls, changes), clock, { ...carrierTimes, ...times });
  closing.push(() => carrier.close());
  return carrier;
}

function get(carrier: Carrier): Promise<Transfer> {
  return carrier.send({ method: "GET", path: "/_bulk" }, () => () => undefined, never);
}

/** A TLS server that answers 200 to everything; its certificate is for pannier.test and 127.0.0.1. */
async function secureServer(): Promise<string> {
  const server = https.createServer(
    { key: readFileSync(path.join(tls, "key.pem")), cert: readFileSync(path.join(tls, "cert.pem")) },
    (_request, response) => void response.end("{}"),
  );
  await new Promise<void>((resolve) => server.listen(0, resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("what leaves", () => {
  const bytes = Buffer.from('{"create":{}}\n{}\n');
  const headers = { "x-of": "the body" };
  const post = (carrier: Carrier, body: () => Promise<Body>): Promise<Transfer> =>
    carrier.send({ method: "POST", path: "/_bulk", body }, () => () => undefined, never);

  test("is made for each request, on a new connection and on a kept one, and waited for", async () => {
    const { server, url } = await standIn();
    server.always = () => ({ status: 200, body: "{}" });
    const carrier = carrierOf([url]);
    for (let sent = 0; sent < 2; sent++) {
      let go = (_: Body): void => {};
      const held = new Promise<Body>((resolve) => (go = resolve));
      const transfer = post(carrier, () => held);
      await sleep(50);
      expect(server.seen.length).toBe(sent);
      go({ bytes, headers });
      expect(await transfer).toMatchObject({ kind: "answer", status: 200 });
      expect(server.seen.length).toBe(sent + 1);
      expect(server.seen[sent].headers).toMatchObject({ ...headers, "content-length": `${bytes.length}` });
    }
  });

  test("is not made where no connection stands", async () => {
    let made = 0;
    const body = (): Promise<Body> => Promise.resolve({ bytes: Buffer.alloc(++made) });
    const transfer = await post(carrierOf([`http://127.0.0.1:${await freePort()}`]), body);
    expect(transfer).toMatchObject({ kind: "failed", connected: false, code: "ECONNREFUSED" });
    expect(made).toBe(0);
  });

  test("is done with when the request is, also when the connection ends while it is made", async () => {
    const { server, url } = await standIn();
    let isBeingMade = false;
    const transfer = await post(carrierOf([url]), async () => {
      isBeingMade = true;
      await expect.poll(() => server.connections).toBe(1);
      server.disconnect();
      await sleep(100);
      isBeingMade = false;
      return { bytes };
    });
    expect(transfer).toMatchObject({ kind: "failed", connected: false });
    expect(isBeingMade, "its memory is free for the next one").toBe(false);
  });

  test("is made once, also when a kept connection turns out to be closed; what did not go out was not sent again", async () => {
    const { server, url } = await standIn();
    server.always = () => ({ status: 200, body: "{}" });
    const carrier = carrierOf([url]);
    await post(carrier, () => Promise.resolve({ bytes }));
    let made = 0;
    const transfer = await post(carrier, async () => {
      made++;
      server.disconnect();
      await sleep(100);
      return { bytes };
    });
    expect(transfer).toMatchObject({ kind: "answer", status: 200 });
    expect(transfer).not.toHaveProperty("resent");
    expect([made, server.seen.length]).toEqual([1, 2]);
  });

  test("does not go out when there is an answer before it is made", async () => {
    let received = "";
    let hasEnded = false;
    const server = net.createServer((socket) => {
      socket.on("error", () => undefined);
      socket.on("data", (chunk) => (received += chunk.toString()));
      socket.on("close", () => (hasEnded = true));
      socket.write("HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closing.push(() => server.close());
    const carrier = carrierOf([`http://127.0.0.1:${(server.address() as AddressInfo).port}`]);
    const transfer = await post(carrier, () => sleep(100, { bytes }));
    expect(transfer).toMatchObject({ kind: "answer", status: 408 });
    await expect.poll(() => hasEnded).toBe(true);
    expect(received).toBe("");
  });

  test("stays where it cannot be made", async () => {
    const { server, url } = await standIn();
    const transfer = await post(carrierOf([url]), () => Promise.reject(new Error("stopped")));
    expect(transfer).toMatchObject({ kind: "failed", connected: false });
    expect(server.seen.length).toBe(0);
  });
});

describe("credentials", () => {
  const secret = (value: string): { read(): string } => ({ read: () => value });

  test.each([
    [{ apiKey: secret("id:key\n") }, `ApiKey ${Buffer.from("id:key").toString("base64")}`],
    [{ apiKey: secret("aWQ6a2V5") }, "ApiKey aWQ6a2V5"],
    [{ bearer: secret("token") }, "Bearer token"],
    [{ username: "elastic", password: secret("p:w") }, `Basic ${Buffer.from("elastic:p:w").toString("base64")}`],
    [{}, undefined],
  ])("%j become the header", async (auth, header) => {
    const { server, url } = await standIn();
    await get(carrierOf([url], { auth }));
    expect(server.seen[0].headers.authorization).toBe(header);
  });

  test("in the URL are used and never shown", async () => {
    const { server, url } = await standIn();
    const made = sinkOf(configOf([url.replace("//", "//joe:s%40cret-word@")]), records(1));
    closing.push(() => made.sink.stop());
    server.script.push((seen) => ({
      status: 500,
      body: `{"error":{"type":"x","reason":"s@cret-word ${seen.headers.authorization}"}}`,
    }));
    await deliver(made);
    const basic = Buffer.from("joe:s@cret-word").toString("base64");
    expect(server.seen[0].headers.authorization).toBe(`Basic ${basic}`);
    const shown = JSON.stringify([made.log.lines, made.sink.status()]);
    expect(shown).toContain("***");
    for (const hidden of ["s@cret", "s%40cret", basic, "joe"]) expect(shown).not.toContain(hidden);
  });

  test("that cannot be read are trouble, not a crash, and nothing was sent", async () => {
    const { url } = await standIn();
    const auth = {
      apiKey: {
        read: (): string => {
          throw new Error("ENOENT: no such file, open '/run/secrets/key'");
        },
      },
    };
    expect(await get(carrierOf([url], { auth }))).toMatchObject({
      kind: "failed",
      connected: false,
      message: expect.stringContaining("/run/secrets/key") as unknown,
    });
  });
});

describe("TLS", () => {
  test("trusts the configured authority", async () => {
    const url = await secureServer();
    expect(await get(carrierOf([url], { tls: { ca: path.join(tls, "cert.pem") } }))).toMatchObject({ status: 200 });
  });

  test("refuses a certificate that is not trusted, and says which setting to turn", async () => {
    const url = await secureServer();
    expect(await get(carrierOf([url]))).toMatchObject({
      kind: "failed",
      code: "DEPTH_ZERO_SELF_SIGNED_CERT",
      connected: false,
    });
    const made = sinkOf(configOf([url]), [record("a")]);
    const delivering = deliver(made).catch(() => undefined);
    await expect.poll(() => made.sink.status().lastError?.message).toContain("set `tls.ca`");
    await made.sink.stop();
    await delivering;
  });

  test("refuses a name that the certificate is not for; `server_name` says which one it is", async () => {
    const url = (await secureServer()).replace("127.0.0.1", "localhost");
    const ca = path.join(tls, "cert.pem");
    expect(await get(carrierOf([url], { tls: { ca } }))).toMatchObject({ code: "ERR_TLS_CERT_ALTNAME_INVALID" });
    expect(await get(carrierOf([url], { tls: { ca, serverName: "pannier.test" } }))).toMatchObject({ status: 200 });
  });

  test("reads a renewed file after a failure", async () => {
    const url = await secureServer();
    const ca = path.join(temporaryDirectory("tls"), "ca.pem");
    copyFileSync(path.join(tls, "other.pem"), ca);
    const carrier = carrierOf([url], { tls: { ca } });
    expect((await get(carrier)).kind).toBe("failed");
    copyFileSync(path.join(tls, "cert.pem"), ca);
    await get(carrier);
    expect(await get(carrier)).toMatchObject({ status: 200 });
  });
});

describe("several nodes", () => {
  test("take turns; one that is down rests while the others work", async () => {
    const [a, b] = [await standIn(), await standIn()];
    // Its second of rest is not over, however long the requests take.
    const carrier = carrierOf([a.url, b.url], {}, {}, { nowMs: () => Date.now(), monotonicMs: () => 0 });
    for (let i = 0; i < 4; i++) await get(carrier);
    expect([a.server.seen.length, b.server.seen.length]).toEqual([2, 2]);
    await b.server.close();
    const results = [];
    for (let i = 0; i < 6; i++) results.push((await get(carrier)).kind);
    expect(results.filter((kind) => kind === "failed").length).toBe(1);
    expect(a.server.seen.length).toBe(7);
  });

  test("are asked all the same when every one of them rests", () => {
    let nowMs = 0;
    const ring = new NodeRing(["http://a", "http://b"], { nowMs: () => nowMs, monotonicMs: () => nowMs });
    const [a, b] = ring.all;
    ring.failed(a);
    nowMs = 10;
    ring.failed(b);
    expect(ring.pick()).toBe(a);
    ring.failed(a);
    expect(ring.pick()).toBe(b);
    nowMs = 1_500;
    expect(ring.pick()).toBe(b);
    nowMs = 100_000;
    expect(new Set([ring.pick(), ring.pick()])).toEqual(new Set([a, b]));
    ring.worked(a);
    expect(a.failures).toBe(0);
  });

  test("keep their path", async () => {
    const { server, url } = await standIn();
    await get(carrierOf([`${url}/behind/a/proxy/`]));
    expect(server.seen[0].path).toBe("/behind/a/proxy/_bulk");
  });
});

describe("patience", () => {
  test("ends for a server that takes the connection and says nothing", async () => {
    const server = net.createServer();
    const sockets = new Set<net.Socket>();
    server.on("connection", (socket) => sockets.add(socket));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closing.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    expect(await get(carrierOf([`http://127.0.0.1:${port}`], {}, { silenceMs: 60 }))).toMatchObject({
      kind: "failed",
      connected: true,
      code: "silence_timeout",
    });
    expect(await get(carrierOf([`https://127.0.0.1:${port}`], {}, { connectMs: 60 }))).toMatchObject({
      kind: "failed",
      connected: false,
      code: "connect_timeout",
    });
  });

  test("connections are kept and used again", async () => {
    const { server, url } = await standIn();
    const carrier = carrierOf([url]);
    for (let i = 0; i < 5; i++) await get(carrier);
    expect(server.connections).toBe(1);
  });

  test("a refusal that comes while the body is still being sent is heard", async () => {
    const server = net.createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => {
        socket.end("HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closing.push(() => server.close());
    const carrier = carrierOf([`http://127.0.0.1:${(server.address() as AddressInfo).port}`]);
    const bytes = Buffer.alloc(20 << 20, "x");
    const request = { method: "POST", path: "/_bulk", body: () => Promise.resolve({ bytes }) };
    const transfer = await carrier.send(request, () => () => undefined, never);
    expect(transfer).toMatchObject({ kind: "answer", status: 413 });
  });
});

/** Own memory of a process that sends so many requests, all of them answered with this. */
async function memoryOfAnswers(answer: string, requests: number): Promise<Record<string, number>> {
  const { server, url } = await standIn();
  server.controls.push(() => ({ status: 200, body: answer }));
  const script = path.join(import.meta.dirname, "carrier-memory.ts");
  const args = ["--max-semi-space-size=4", script, url, String(requests)];
  return JSON.parse((await promisify(execFile)(process.execPath, args)).stdout) as Record<string, number>;
}

test("answers of 225 KB are let go of, request after request", async () => {
  const items = Array.from({ length: 9_000 }, () => CREATED).join(",");
  const { firstMiB, highestMiB } = await memoryOfAnswers(`{"errors":false,"items":[${items}]}`, 600);
  // Without the scavenger: 45.
  expect(highestMiB - firstMiB).toBeLessThan(22);
});

test("an answer of 32 MB is let go of while it comes in", async () => {
  const refused = `{"create":{"status":429,"error":{"type":"busy","reason":"${"no room ".repeat(400)}"}}}`;
  const items = Array.from({ length: 10_000 }, () => refused).join(",");
  const { startMiB, highestMiB } = await memoryOfAnswers(`{"errors":true,"items":[${items}]}`, 4);
  expect(highestMiB - startMiB).toBeLessThan(20);
});
