import { randomBytes } from "node:crypto";
import { inject, type TestContext } from "vitest";
import { SUPPORTED_VERSIONS } from "./elasticsearch/start.ts";

const given = process.env["ELASTICSEARCH_URL"];

/** What to run a test of the Elasticsearch sink against: each supported version, or the server that ELASTICSEARCH_URL names. */
export const ELASTICSEARCH_VERSIONS: readonly string[] =
  given === undefined ? SUPPORTED_VERSIONS : ["at ELASTICSEARCH_URL"];

/**
 * A server that all test files share. It keeps what others wrote, so a test takes names of its own (`uniqueName`) and
 * leaves cluster settings alone; one that changes more starts its own with `startElasticsearch`.
 */
export async function sharedElasticsearch(
  version: string = ELASTICSEARCH_VERSIONS[0],
): Promise<{ readonly url: string }> {
  if (given !== undefined) return { url: given };
  const answer = await fetch(`${inject("serverBroker")}/${version}`);
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return { url: text };
}

/** A Loki that all test files share, or the one that LOKI_URL names. A test takes labels of its own (`uniqueName`). */
export async function sharedLoki(): Promise<{ readonly url: string }> {
  const url = process.env["LOKI_URL"];
  if (url !== undefined) return { url };
  const answer = await fetch(`${inject("serverBroker")}/loki`);
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return { url: text };
}

/**
 * What `start` gives, or the end of the test: a machine that cannot start the server skips it with the reason, and with
 * PANNIER_REQUIRE_ALL=1 fails it. To be called in a test or in `beforeEach`.
 */
export async function requireServer<T>(context: Pick<TestContext, "skip">, start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    if (process.env["PANNIER_REQUIRE_ALL"] === "1") throw error;
    return context.skip(`server not started: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A name that no other test and no earlier run has used: `logs-orders.1f0c…-default` for `uniqueName("logs-orders.", "-default")`. */
export function uniqueName(prefix: string, suffix = ""): string {
  return `${prefix}${randomBytes(6).toString("hex")}${suffix}`;
}
