import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { type Listener, startListener } from "../../../src/admin/listener.ts";
import { LoopMonitor } from "../../../src/admin/loop-monitor.ts";
import { type AgentView, type Routes, adminRoutes, healthRoutes } from "../../../src/admin/routes.ts";
import { ExitCode } from "../../../src/core/errors.ts";
import type { Log } from "../../../src/core/log.ts";

const said: string[] = [];
const note = (code: string): void => {
  said.push(code);
};
const log: Log = { debug: note, info: note, warn: note, error: note };
const open: Listener[] = [];
afterEach(async () => {
  for (const listener of open.splice(0)) await listener.stop();
  said.length = 0;
});

class FakeAgent implements AgentView {
  waiting: string[] = [];
  graces: number[] = [];
  loop: AgentView["loop"] = { overdueMs: () => 0, worstDelayMs: () => 3.4 };
  waitingFor(): readonly string[] {
    return this.waiting;
  }
  drainSoon(graceMs: number): void {
    this.graces.push(graceMs);
  }
  status(): object {
    return { version: "1.2.3", files: [] };
  }
}

async function listen(name: "admin" | "health", routes: Routes): Promise<Listener> {
  const listener = await startListener({ name, host: "127.0.0.1", port: 0, explicit: true, routes, log });
  open.push(listener!);
  return listener!;
}

async function ask(
  listener: Listener,
  path: string,
  options: { method?: string; headers?: http.OutgoingHttpHeaders; body?: string } = {},
): Promise<{ status: number; headers: http.IncomingHttpHeaders; body: unknown; text: string }> {
  const request = http.request({ host: "127.0.0.1", port: listener.port, path, agent: false, ...options });
  request.end(options.body);
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  const text = Buffer.concat(await response.toArray()).toString();
  return {
    status: response.statusCode!,
    headers: response.headers,
    text,
    body: text === "" ? undefined : (JSON.parse(text) as unknown),
  };
}

describe("listeners", () => {
  test("both answer probes and drain-soon; only admin has the status", async () => {
    const agent = new FakeAgent();
    const admin = await listen("admin", adminRoutes(agent));
    const health = await listen("health", healthRoutes(agent));
    for (const listener of [admin, health]) {
      expect(await ask(listener, "/livez")).toMatchObject({ status: 200, body: { status: "ok", loop_delay_ms: 3 } });
      expect(await ask(listener, "/readyz")).toMatchObject({ status: 200, body: { status: "ok" } });
      expect(await ask(listener, "/-/drain-soon?grace=30s")).toMatchObject({ status: 200, body: { grace: "30s" } });
    }
    const status = await ask(admin, "/status");
    expect(status).toMatchObject({ status: 200, body: { version: "1.2.3", files: [] } });
    expect(status.headers).toMatchObject({
      "content-type": "application/json; charset=utf-8",
      "cache-control": "no-store",
    });
    expect(status.headers["access-control-allow-origin"]).toBeUndefined();
    expect((await ask(health, "/status")).status).toBe(404);
  });

  test("readiness says what it waits for", async () => {
    const agent = new FakeAgent();
    agent.waiting = ["first sweep"];
    const health = await listen("health", healthRoutes(agent));
    const waiting = await ask(health, "/readyz");
    expect(waiting).toMatchObject({ status: 503, body: { status: "not_ready", waiting_for: ["first sweep"] } });
    agent.waiting = [];
    expect((await ask(health, "/readyz")).status).toBe(200);
  });

  test("liveness fails when the loop's tick starves", async () => {
    const agent = new FakeAgent();
    agent.loop = { overdueMs: () => 10_001, worstDelayMs: () => 10_001 };
    const health = await listen("health", healthRoutes(agent));
    expect(await ask(health, "/livez")).toMatchObject({
      status: 503,
      body: { status: "stalled", loop_delay_ms: 10_001 },
    });
  });

  test("drain-soon takes GET and POST, a grace with a unit, and Kubernetes' default without", async () => {
    const agent = new FakeAgent();
    const health = await listen("health", healthRoutes(agent));
    await ask(health, "/-/drain-soon?grace=90s");
    await ask(health, "/-/drain-soon?grace=1m", { method: "POST" });
    await ask(health, "/-/drain-soon", { method: "POST", body: "ignored", headers: { "content-length": 7 } });
    expect(agent.graces).toEqual([90_000, 60_000, 30_000]);
    for (const grace of ["30", "soon", "-1s", ""]) {
      const answer = await ask(health, `/-/drain-soon?grace=${grace}`);
      expect(answer).toMatchObject({ status: 400, body: { error: "bad_grace" } });
    }
    expect(agent.graces).toHaveLength(3);
  });

  test("other paths get the list of routes, other methods those that are allowed, HEAD no body", async () => {
    const health = await listen("health", healthRoutes(new FakeAgent()));
    for (const path of ["/", "/metrics", "/livez/", "/constructor", "//x", "/%zz"]) {
      const answer = await ask(health, path);
      expect(answer).toMatchObject({ status: 404, body: { routes: ["/livez", "/readyz", "/-/drain-soon"] } });
    }
    const posted = await ask(health, "/livez", { method: "POST" });
    expect(posted.status).toBe(405);
    expect(posted.headers.allow).toBe("GET");
    expect(await ask(health, "/livez", { method: "HEAD" })).toMatchObject({ status: 200, text: "" });
  });

  test("the admin listener refuses a rebound name and pages of other origins", async () => {
    const agent = new FakeAgent();
    const admin = await listen("admin", adminRoutes(agent));
    expect((await ask(admin, "/status", { headers: { host: "attacker.example" } })).status).toBe(403);
    const crossSite = await ask(admin, "/-/drain-soon", { headers: { "sec-fetch-site": "cross-site" } });
    expect(crossSite.status).toBe(403);
    expect(agent.graces).toEqual([]);
    const health = await listen("health", healthRoutes(agent));
    expect((await ask(health, "/livez", { headers: { host: "pannier.svc" } })).status).toBe(200);
  });

  test("a status that fails is a 500 and a line of the log, not the end", async () => {
    const agent = new FakeAgent();
    agent.status = () => ({ big: 1n });
    const admin = await listen("admin", adminRoutes(agent));
    expect((await ask(admin, "/status")).status).toBe(500);
    expect(said).toEqual(["listener_route_failed"]);
    expect((await ask(admin, "/livez")).status).toBe(200);
  });

  describe("a long list", () => {
    const COUNT = 50_000;
    let made = 0;

    function* items(failsAt = Infinity): Generator<object> {
      for (let i = 0; i < COUNT; i++) {
        if (i === failsAt) throw new Error("a mistake");
        made = i + 1;
        yield { i, text: "x".repeat(1_000) };
      }
    }

    async function listenWith(failsAt?: number): Promise<Listener> {
      made = 0;
      const agent = new FakeAgent();
      agent.status = () => ({ before: 1, none: [], files: items(failsAt), after: [2] });
      return listen("admin", adminRoutes(agent));
    }

    test("arrives whole", async () => {
      const { body, headers } = await ask(await listenWith(), "/status");
      expect(headers["content-length"]).toBeUndefined();
      const { files, ...others } = body as { files: { i: number }[] };
      expect(others).toEqual({ before: 1, none: [], after: [2] });
      expect(files.map(({ i }) => i)).toEqual(Array.from({ length: COUNT }, (_, i) => i));
    });

    test("is made as fast as it is read, and no further", async () => {
      const socket = net.connect((await listenWith()).port, "127.0.0.1");
      socket.pause();
      socket.write("GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
      await vi.waitFor(() => expect(made).toBeGreaterThan(0), { timeout: 30_000 });
      await new Promise((resolve) => setTimeout(resolve, 300));
      // What the kernel takes for a reader that does not read is some MB of the 50.
      expect(made).toBeLessThan(COUNT / 2);
      socket.destroy();
    });

    test("that fails in the middle ends the answer, which cannot be taken for a whole one", async () => {
      const admin = await listenWith(20_000);
      await expect(ask(admin, "/status")).rejects.toThrow(/aborted/);
      expect(said).toEqual(["listener_route_failed"]);
      expect((await ask(admin, "/livez")).status).toBe(200);
    });

    test("costs nothing when only its head is asked for", async () => {
      expect(await ask(await listenWith(), "/status", { method: "HEAD" })).toMatchObject({ status: 200, text: "" });
      expect(made).toBeLessThan(100);
    });
  });

  test("headers above the limit are refused", async () => {
    const health = await listen("health", healthRoutes(new FakeAgent()));
    const socket = net.connect(health.port, "127.0.0.1");
    socket.write(`GET /livez HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(10_000)}\r\n\r\n`);
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toContain("431");
    socket.destroy();
  });

  test("an explicit port in use ends the start with 78; a default one is a warning", async () => {
    const taken = await listen("admin", {});
    const options = { name: "admin", host: "127.0.0.1", port: taken.port, routes: {}, log } as const;
    await expect(startListener({ ...options, explicit: true })).rejects.toMatchObject({
      code: "admin_port_in_use",
      exitCode: ExitCode.configuration,
      message: expect.stringContaining(`127.0.0.1:${taken.port}`) as string,
      hint: expect.stringContaining("admin.listen") as string,
    });
    expect(await startListener({ ...options, explicit: false })).toBeUndefined();
    expect(said).toEqual(["admin_port_in_use"]);
    const elsewhere = { ...options, name: "health", host: "192.0.2.1", port: 0, explicit: true } as const;
    await expect(startListener(elsewhere)).rejects.toMatchObject({ code: "health_listen_failed", exitCode: 78 });
  });

  test("stop leaves no socket, whoever is connected", async () => {
    const health = await startListener({ name: "health", host: "127.0.0.1", port: 0, explicit: true, routes: {}, log });
    const socket = net.connect(health!.port, "127.0.0.1");
    await once(socket, "connect");
    // It was accepted, and has begun another request.
    socket.write("GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTT");
    await once(socket, "data");
    const closed = once(socket, "close");
    await health!.stop();
    await closed;
    await expect(once(net.connect(health!.port, "127.0.0.1"), "connect")).rejects.toThrow("ECONNREFUSED");
  });
});

describe("loop monitor", () => {
  test("remembers the longest standstill", async () => {
    let monitor = new LoopMonitor();
    onTestFinished(() => monitor.stop());
    await vi.waitFor(
      async () => {
        monitor.stop();
        monitor = new LoopMonitor();
        await sleep(20);
        expect(monitor.worstDelayMs(), "the machine itself stands still").toBeLessThan(500);
      },
      { timeout: 30_000 },
    );
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_200);
    expect(monitor.overdueMs()).toBeGreaterThan(600);
    await vi.waitFor(() => expect(monitor.overdueMs()).toBeLessThan(500), { timeout: 30_000 });
    expect(monitor.worstDelayMs()).toBeGreaterThan(600);
  });
});
