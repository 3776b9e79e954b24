import { readFileSync } from "node:fs";
import type { ElasticsearchConfig } from "../../core/config.ts";
import { describe } from "../../core/errors.ts";
import type { Finding } from "../finding.ts";
import type { Carrier } from "../http/carrier.ts";

/**
 * Asks the official client for its opinion, as a second look that shares no code with the carrier: product check, TLS,
 * credentials. It is imported here alone, since it costs 22 to 32 MiB of memory.
 */
export async function askOfficialClient(config: ElasticsearchConfig, carrier: Carrier): Promise<Finding> {
  const what = "official client";
  const { Client } = await import("@elastic/elasticsearch");
  const { ca, cert, key, serverName } = config.tls;
  const authorization = carrier.credentials.header();
  const client = new Client({
    nodes: carrier.nodes.all.filter(({ failures }) => failures === 0).map(({ url }) => `${url.origin}${url.pathname}`),
    maxRetries: 0,
    // The default clones a failed request byte by byte, secrets and all.
    redaction: { type: "remove" },
    ...(authorization === undefined ? {} : { headers: { authorization } }),
    tls: {
      ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
      ...(cert === undefined ? {} : { cert: readFileSync(cert) }),
      ...(key === undefined ? {} : { key: readFileSync(key) }),
      ...(serverName === undefined ? {} : { servername: serverName }),
    },
  });
  try {
    const info = await client.info();
    return { ok: true, what, detail: `agrees: cluster ${info.cluster_name}, ${info.version.number}` };
  } catch (error) {
    const detail = `does not take it for Elasticsearch: ${carrier.credentials.redact(describe(error))}`;
    return { ok: true, what, detail, hint: "Only a second look; pannier itself does not use this client to ship" };
  } finally {
    await client.close();
  }
}
