import { readFileSync } from "node:fs";
import type { Agent } from "node:http";
import type { Agent as SecureAgent } from "node:https";
import { http, loadHttps } from "../../core/builtins.ts";
import type { Clock } from "../../core/clock.ts";
import type { TlsConfig } from "../../core/config.ts";
import { CONNECTION_MAX_MS } from "../../core/delivery-limits.ts";

/** The kept connections of a carrier. */
export class Agents {
  readonly plain: Agent;
  readonly #sockets: number;
  readonly #tls: TlsConfig;
  readonly #clock: Clock;
  #secure: SecureAgent | undefined;
  #pem = "";

  constructor(sockets: number, tls: TlsConfig, clock: Clock) {
    this.#sockets = sockets;
    this.#tls = tls;
    this.#clock = clock;
    this.plain = limitAge(new http.Agent(this.#options()), clock);
  }

  #options(): { keepAlive: true; maxSockets: number; scheduling: "lifo" } {
    return { keepAlive: true, maxSockets: this.#sockets, scheduling: "lifo" };
  }

  /** The agent for TLS. Throws when a file of the configuration cannot be read. */
  get secure(): SecureAgent {
    if (this.#secure !== undefined) return this.#secure;
    const { serverName } = this.#tls;
    const files = this.#read();
    this.#pem = JSON.stringify(files);
    const agent = new (loadHttps().Agent)({
      ...this.#options(),
      ...files,
      ...(serverName === undefined ? {} : { servername: serverName }),
    });
    return (this.#secure = limitAge(agent, this.#clock));
  }

  #read(): { ca?: string; cert?: string; key?: string } {
    const { ca, cert, key } = this.#tls;
    return {
      ...(ca === undefined ? {} : { ca: readFileSync(ca, "utf8") }),
      ...(cert === undefined ? {} : { cert: readFileSync(cert, "utf8") }),
      ...(key === undefined ? {} : { key: readFileSync(key, "utf8") }),
    };
  }

  /**
   * After a request failed: certificates are renewed on disk, so changed files are used from the next connection on. A server
   * that refuses the old client certificate says so only after the connection stands, so every failure counts.
   */
  refresh(): void {
    const old = this.#secure;
    if (old === undefined) return;
    try {
      if (JSON.stringify(this.#read()) === this.#pem) return;
    } catch {
      // Half-written or gone for a moment: what was read before stays in use.
      return;
    }
    this.#secure = undefined;
    // Requests that are under way end where they began; their connections are not kept.
    Reflect.set(old, "keepSocketAlive", () => false);
    for (const sockets of Object.values(old.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }

  close(): void {
    this.plain.destroy();
    this.#secure?.destroy();
  }
}

/** Keeps a connection only while it is young. */
function limitAge<A extends Agent>(agent: A, clock: Clock): A {
  const bornMs = new WeakMap<object, number>();
  const keep = agent.keepSocketAlive.bind(agent);
  Reflect.set(agent, "keepSocketAlive", (socket: Parameters<typeof keep>[0]) => {
    const nowMs = clock.monotonicMs();
    const born = bornMs.get(socket) ?? nowMs;
    bornMs.set(socket, born);
    return nowMs - born < CONNECTION_MAX_MS && keep(socket);
  });
  return agent;
}
