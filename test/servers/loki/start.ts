import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../support/free-port.ts";
import type { TestServer } from "../elasticsearch/start.ts";
import { prepareLoki } from "./prepare.ts";

/** The version that pannier supports and is tested on. */
export const LOKI_VERSION = "3.5.3";

const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 20_000;

export interface LokiOptions {
  /** Entries of `limits_config`, such as `{ ingestion_rate_mb: 1 }`. */
  readonly limits?: Readonly<Record<string, unknown>>;
  /** Whether every request must name a tenant. */
  readonly tenants?: boolean;
  /** Port on 127.0.0.1; a free one when not given. */
  readonly port?: number;
  /** Kept when given, so that a server can be stopped and come back with its data. */
  readonly dataDir?: string;
}

/** A real Loki on this host that takes pushes when the promise resolves; queries, ten seconds later. It ends with this process at the latest. */
export async function startLoki(options: LokiOptions = {}): Promise<TestServer> {
  const program = await prepareLoki(LOKI_VERSION);
  const temp = mkdtempSync(path.join(os.tmpdir(), "pannier-loki-"));
  const data = options.dataDir ?? path.join(temp, "data");
  mkdirSync(data, { recursive: true });
  const port = options.port ?? (await freePort());
  // JSON is YAML, too.
  const file = path.join(temp, "loki.yaml");
  writeFileSync(file, JSON.stringify(configuration(port, data, options)));
  const logFile = path.join(temp, "server.log");
  const log = openSync(logFile, "a");
  const loki = spawn(program, [`-config.file=${file}`], { stdio: ["ignore", log, log] });
  closeSync(log);
  const kill = (): void => void loki.kill("SIGKILL");
  process.once("exit", kill);
  let hasEnded = false;
  const exited = new Promise<void>((resolve) => {
    loki.once("error", () => resolve());
    loki.once("exit", () => resolve());
  }).then(() => void (hasEnded = true));
  const stop = async (): Promise<void> => {
    loki.kill("SIGTERM");
    await Promise.race([exited, sleep(STOP_TIMEOUT_MS, undefined, { ref: false })]);
    kill();
    process.off("exit", kill);
    rmSync(temp, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!(await isReady(url))) {
    if (hasEnded || performance.now() > deadline) {
      const output = existsSync(logFile) ? readFileSync(logFile, "utf8").split("\n").slice(-20).join("\n") : "";
      await stop();
      throw new Error(`Loki ${LOKI_VERSION} did not start:\n${output}`);
    }
    await sleep(100);
  }
  return { url, stop };
}

/** Its own parts find each other after ten seconds, which only queries wait for. */
async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/ready`, { signal: AbortSignal.timeout(2_000) });
    const text = await answer.text();
    return answer.ok || text.startsWith("Query Frontend not ready");
  } catch {
    return false;
  }
}

function configuration(port: number, data: string, { limits = {}, tenants = false }: LokiOptions): object {
  return {
    auth_enabled: tenants,
    server: {
      http_listen_address: "127.0.0.1",
      http_listen_port: port,
      grpc_listen_address: "127.0.0.1",
      grpc_listen_port: 0,
      log_level: "warn",
    },
    common: {
      instance_addr: "127.0.0.1",
      path_prefix: data,
      replication_factor: 1,
      ring: { kvstore: { store: "inmemory" } },
      storage: { filesystem: { chunks_directory: `${data}/chunks`, rules_directory: `${data}/rules` } },
    },
    // By default one is ready 15 s after it could be: nobody else is there to wait for.
    ingester: { lifecycler: { min_ready_duration: "0s" } },
    schema_config: {
      configs: [
        {
          from: "2020-01-01",
          store: "tsdb",
          object_store: "filesystem",
          schema: "v13",
          index: { prefix: "index_", period: "24h" },
        },
      ],
    },
    limits_config: { max_entries_limit_per_query: 100_000, ...limits },
    analytics: { reporting_enabled: false },
  };
}
