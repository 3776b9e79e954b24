import { readFileSync } from "node:fs";
import type { Agent } from "node:http";
import type { Agent as SecureAgent } from "node:https";
import { http, loadHttps } from "../../core/builtins.ts";
import type { TlsConfig } from "../../core/config.ts";

/** The kept connections of a carrier. */
export class Agents {
  readonly plain: Agent;
  readonly #sockets: number;
  readonly #tls: TlsConfig;
  #secure: SecureAgent | undefined;
  #pem = "";

  constructor(sockets: number, tls: TlsConfig) {
    this.#sockets = sockets;
    this.#tls = tls;
    this.plain = new http.Agent({ keepAlive: true, maxSockets: sockets, scheduling: "lifo" });
  }

  /** The agent for TLS. Throws when a file of the configuration cannot be read. */
  get secure(): SecureAgent {
    if (this.#secure !== undefined) return this.#secure;
    const { serverName } = this.#tls;
    const files = this.#read();
    this.#pem = JSON.stringify(files);
    this.#secure = new (loadHttps().Agent)({
      keepAlive: true,
      maxSockets: this.#sockets,
      scheduling: "lifo",
      ...files,
      ...(serverName === undefined ? {} : { servername: serverName }),
    });
    return this.#secure;
  }

  #read(): { ca?: string; cert?: string; key?: string } {
    const { ca, cert, key } = this.#tls;
    return {
      ...(ca === undefined ? {} : { ca: readFileSync(ca, "utf8") }),
      ...(cert === undefined ? {} : { cert: readFileSync(cert, "utf8") }),
      ...(key === undefined ? {} : { key: readFileSync(key, "utf8") }),
    };
  }

  /** After a connection failed: certificates are renewed on disk, so changed files are used from the next one on. */
  refresh(): void {
    if (this.#secure === undefined) return;
    try {
      if (JSON.stringify(this.#read()) === this.#pem) return;
    } catch {
      // Half-written or gone for a moment: what was read before stays in use.
      return;
    }
    this.#secure.destroy();
    this.#secure = undefined;
  }

  close(): void {
    this.plain.destroy();
    this.#secure?.destroy();
  }
}
