import http from "node:http";
import type { AddressInfo } from "node:net";
import { SUPPORTED_VERSIONS, startElasticsearch, type TestServer } from "./elasticsearch/start.ts";

/**
 * Lends servers to test files. Those run in processes of their own, two at a time, so the servers that they share
 * belong to the process that outlives them all: it starts a version when the first test asks for it and stops all at the end.
 * GET /VERSION answers with the server's URL, or 503 with the reason why there is none.
 */
export async function startBroker(): Promise<TestServer> {
  const started = new Map<string, Promise<TestServer>>();
  const lend = async (name: string): Promise<string> => {
    const version = SUPPORTED_VERSIONS.find((supported) => supported === name);
    if (version === undefined) throw new Error(`no server named ${name}`);
    const running = started.get(version) ?? startElasticsearch({ version });
    started.set(version, running);
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
