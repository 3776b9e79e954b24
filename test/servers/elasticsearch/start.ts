import { spawn, type ChildProcessByStdio } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { findJdk } from "../jdk.ts";
import { prepareElasticsearch } from "./prepare.ts";

/** The versions that pannier supports and is tested on. */
export const SUPPORTED_VERSIONS = ["9.5.3", "8.19.21"] as const;
export type ElasticsearchVersion = (typeof SUPPORTED_VERSIONS)[number];

const START_TIMEOUT_MS = 300_000;
const STOP_TIMEOUT_MS = 15_000;

export interface ElasticsearchOptions {
  readonly version?: ElasticsearchVersion;
  /** Settings of the node, such as `http.max_content_length`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Size of the Java heap. */
  readonly heap?: string;
  /** Port on 127.0.0.1; a free one when not given. */
  readonly port?: number;
  /** Kept when given, so that a server can be stopped and come back with its data. */
  readonly dataDir?: string;
}

export interface TestServer {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/** A real one-node Elasticsearch on this host, healthy when the promise resolves. It ends with this process at the latest. */
export async function startElasticsearch(options: ElasticsearchOptions = {}): Promise<TestServer> {
  const { version = "9.5.3", settings = {}, heap = "512m", port = 0 } = options;
  const home = await prepareElasticsearch(version);
  const temp = mkdtempSync(path.join(os.tmpdir(), "pannier-elasticsearch-"));
  const logFile = path.join(temp, "server.log");
  const all = {
    "cluster.name": "test",
    "node.name": "test",
    "discovery.type": "single-node",
    "http.host": "127.0.0.1",
    "http.port": String(port),
    "transport.host": "127.0.0.1",
    "transport.port": "0",
    "path.data": options.dataDir ?? path.join(temp, "data"),
    "path.logs": path.join(temp, "logs"),
    "cluster.routing.allocation.disk.threshold_enabled": "false",
    // Where disks are not watched, each look at them takes flood-stage blocks away, also one that a test has just put up.
    "cluster.info.update.interval": "1h",
    ...settings,
  };
  const java = spawn(
    path.join(findJdk(), "bin/java"),
    [...jvmArguments(home, heap, temp), "Launcher", home, ...Object.entries(all).map((pair) => pair.join("="))],
    // In a group of its own, so that Ctrl-C reaches it through its closed input, after the tests had their say.
    {
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
      env: { ...process.env, STOP_WITH_STDIN: "1", REMOVE_AT_END: temp },
    },
  );
  const exited = new Promise<void>((resolve) => java.once("exit", () => resolve()));
  const stop = async (): Promise<void> => {
    java.kill("SIGTERM");
    await Promise.race([exited, sleep(STOP_TIMEOUT_MS, undefined, { ref: false })]);
    java.kill("SIGKILL");
    rmSync(temp, { recursive: true, force: true });
  };
  try {
    const url = `http://127.0.0.1:${await listeningPort(java, logFile)}`;
    await healthy(url);
    return { url, stop };
  } catch (error) {
    const output = lastLines(logFile);
    await stop();
    throw new Error(`Elasticsearch ${version} did not start:\n${output}`, { cause: error });
  }
}

function lastLines(logFile: string): string {
  return existsSync(logFile) ? readFileSync(logFile, "utf8").split("\n").slice(-30).join("\n") : "";
}

function jvmArguments(home: string, heap: string, temp: string): string[] {
  return [
    `-Xms${heap}`,
    `-Xmx${heap}`,
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    // Class data of the first start makes every later one three times as fast.
    "-XX:+AutoCreateSharedArchive",
    `-XX:SharedArchiveFile=${home}/start.jsa`,
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",
    `-Djava.io.tmpdir=${temp}`,
    "-cp",
    `${home}/lib/*`,
  ];
}

/** The port that the launcher prints; everything that it says goes into the log file. */
function listeningPort(java: ChildProcessByStdio<Writable, Readable, Readable>, logFile: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const log = openSync(logFile, "a");
    let output = "";
    java.stdout.setEncoding("utf8").on("data", (text: string) => {
      writeSync(log, text);
      output += text;
      const port = /^listening (\d+)$/m.exec(output)?.[1];
      if (port !== undefined) resolve(Number(port));
      output = output.slice(output.lastIndexOf("\n") + 1);
    });
    java.stderr.setEncoding("utf8").on("data", (text: string) => writeSync(log, text));
    java.once("error", reject);
    java.once("close", (code, signal) => {
      closeSync(log);
      reject(new Error(`java ended with ${signal ?? code}`));
    });
    setTimeout(() => reject(new Error(`not listening after ${START_TIMEOUT_MS} ms`)), START_TIMEOUT_MS).unref();
  });
}

async function healthy(url: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      const answer = await fetch(`${url}/_cluster/health?wait_for_status=yellow&timeout=5s`, {
        signal: AbortSignal.timeout(6_000),
      });
      if (answer.ok) return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    if (Date.now() > deadline) throw new Error("not healthy in time");
    await sleep(100);
  }
}
