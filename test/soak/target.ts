/** Where the chaos soak delivers to: a receiver that misbehaves, or a real Elasticsearch behind a gate that does. */
import { startElasticsearch } from "../servers/elasticsearch/start.ts";
import { type Arrived, FAULTS } from "../model/index.ts";
import { HttpReceiver } from "../model/receiver.ts";
import { allDocuments, refresh } from "../support/delivered.ts";
import { type Behaviour, startGate } from "../support/gate.ts";
import type { Random } from "../support/random.ts";

export interface Target {
  readonly url: string;
  readonly dataStream: string;
  /** Misbehaves in some way from now on. */
  trouble(random: Random): Promise<void>;
  heal(): Promise<void>;
  documents(): Promise<readonly Arrived[]>;
  stop(): Promise<void>;
}

export async function receiverTarget(): Promise<Target> {
  const receiver = await HttpReceiver.start();
  return {
    url: receiver.url,
    dataStream: "logs-chaos-default",
    trouble: (random) => receiver.misbehave(random.pick(FAULTS), 1 + random.below(5)),
    heal: () => receiver.heal(),
    documents: () => Promise.resolve([...receiver.index.documents.values()]),
    stop: () => receiver.stop(),
  };
}

const JSON_TYPE = { "content-type": "application/json", "x-elastic-product": "Elasticsearch" };
const TROUBLES: readonly Behaviour[] = [
  "swallow",
  { status: 429, headers: JSON_TYPE, body: `{"error":{"type":"es_rejected_execution_exception"},"status":429}` },
  { status: 503, headers: JSON_TYPE, body: `{"error":{"type":"unavailable_shards_exception"},"status":503}` },
  { status: 502, headers: { "content-type": "text/html" }, body: "<html>bad gateway</html>" },
];

/** `url`: of a server, or `start` for one of its own. */
export async function elasticsearchTarget(url: string): Promise<Target> {
  const server = url === "start" ? await startElasticsearch() : { url, stop: () => Promise.resolve() };
  const gate = await startGate(server.url, "pass");
  const dataStream = `logs-chaos.${Date.now()}-default`;
  return {
    url: gate.url,
    dataStream,
    trouble(random) {
      gate.behave(random.pick(TROUBLES));
      return Promise.resolve();
    },
    heal() {
      gate.behave("pass");
      return Promise.resolve();
    },
    async documents() {
      await refresh(server.url, dataStream);
      const found: Arrived[] = [];
      const fields = ["message", "log.flags", "log.file.path", "log.offset"];
      for await (const hit of allDocuments(server.url, dataStream, fields)) {
        const source: Readonly<Record<string, unknown>> = hit["_source"];
        found.push({
          id: hit["_id"],
          message: String(source["message"]),
          flags: [source["log.flags"] ?? []].flat() as string[],
          path: String(source["log.file.path"]),
          offset: Number(source["log.offset"]),
        });
      }
      return found;
    },
    async stop() {
      await gate.close();
      await server.stop();
    },
  };
}
