import http from "node:http";
import type { AddressInfo } from "node:net";
import { SUPPORTED_VERSIONS, startElasticsearch, type TestServer } from "./elasticsearch/start.ts";
import { startLoki } from "./loki/start.ts";

/**
 * The shared Loki takes what a test sends as fast as it can, and does not split streams that are fast: what is sent again to
 * those is there twice, which docs/guarantees.md says.
 */
const LOKI_LIMITS = {
  ingestion_rate_mb: 100,
  ingestion_burst_size_mb: 200,
  per_stream_rate_limit: "100MB",
  per_stream_rate_limit_burst: "200MB",
  shard_streams: { enabled: false },
};

/**
 * Lends servers to test files. Those run in processes of their own, two at a time, so the servers that they share
 * belong to the process that outlives them all: it starts a version when the first test asks for it and stops all at the end.
 * GET /VERSION (of Elasticsearch) or /loki answers with the server's URL, or 503 with the reason why there is none.
 */
export async function startBroker(): Promise<TestServer> {
  const started = new Map<string, Promise<TestServer>>();
  const lend = async (name: string): Promise<string> => {
    const running = started.get(name) ?? startServer(name);
    started.set(name, running);
    return (await running).url;
  };
  const server = http.createServer((request, response) => {
    lend((request.url ?? "/").slice(1)).then(
      (url) => response.end(url),
      (error: unknown) => response.writeHead(503).end(error instanceof Error ? error.message : String(error)),
    );
  });
  server.requestTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      const stopped = [...started.values()].map(async (running) => (await running).stop());
      await Promise.allSettled(stopped); // A server that did not start has nothing to stop.
    },
  };
}

function startServer(name: string): Promise<TestServer> {
  if (name === "loki") return startLoki({ limits: LOKI_LIMITS });
  const version = SUPPORTED_VERSIONS.find((supported) => supported === name);
  if (version === undefined) throw new Error(`no server named ${name}`);
  return startElasticsearch({ version });
}
