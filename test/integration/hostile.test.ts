/** Lines that break log pipelines, against a real Elasticsearch: each is found by search, none ends in the dead letters. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import os from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { request } from "../servers/request.ts";
import { ELASTICSEARCH_VERSIONS, requireServer, sharedElasticsearch, uniqueName } from "../servers/require.ts";
import { killAgents, startAgent } from "../support/agent.ts";
import { refresh } from "../support/delivered.ts";
import { hostileFile, hostileLines, MIXED_ARRAY } from "../support/hostile-lines.ts";

interface Found {
  readonly hits: { readonly hits: readonly { readonly _source: Record<string, unknown> }[] };
}

const directories: string[] = [];
let url = "";

afterEach(async () => {
  await killAgents();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

describe.each(ELASTICSEARCH_VERSIONS)("Elasticsearch %s", (version) => {
  // In a hook, which has time enough for a server that is made for the first time.
  beforeEach(async (context) => {
    ({ url } = await requireServer(context, () => sharedElasticsearch(version)));
  });

  test("every line of the hostile file but white space is found, and none is in the dead letters", async () => {
    const directory = mkdtempSync(join(os.tmpdir(), "pannier-hostile-"));
    directories.push(directory);
    const [path, state, stream] = [
      join(directory, "app.log"),
      join(directory, "state"),
      uniqueName("logs-hostile.", "-default"),
    ];
    const lines = hostileLines();
    writeFileSync(path, hostileFile(lines));

    const agent = startAgent(["run", path, "--to", `elasticsearch+${url}/${stream}`, "--state-dir", state, "--once"]);
    expect(await agent.end(), JSON.stringify(agent.logs.slice(-5))).toEqual({ code: 0, signal: null });
    await refresh(url, stream);

    const marked = lines.filter((line) => line.marker !== undefined);
    const wrong: string[] = [];
    for (const line of marked) {
      const found = await search(stream, line.marker!);
      if (found.length !== 1) wrong.push(`${line.name}: found ${found.length} times`);
      for (const [name, value] of Object.entries(line.fields)) {
        const got = found[0]?.[name];
        if (JSON.stringify(got) !== JSON.stringify(value))
          wrong.push(`${line.name}: ${name} is ${JSON.stringify(got)?.slice(0, 200)}`);
      }
    }
    expect(wrong).toEqual([]);
    const { body } = await request(url, "GET", `/${stream}/_count`);
    expect(body).toMatchObject({ count: marked.length });
    const refused = await request(url, "POST", `/${stream}/_search`, {
      query: { term: { tags: "refused" } },
      size: 100,
    });
    const refusedNames = (refused.body as Found).hits.hits.map(({ _source: source }) => {
      return marked.find((line) => String(source["message"]).includes(line.marker!))?.name;
    });
    // Version 8 refuses it only where the key is new and there is room for one more field.
    if (version === "8.19.21") expect([[], [MIXED_ARRAY]]).toContainEqual(refusedNames);
    else expect(refusedNames).toEqual([]);
    const deadLetters = await readFile(join(state, "dead-letters", "elasticsearch.ndjson"), "utf8").catch(() => "");
    expect(deadLetters).toBe("");
  });
});

/** The documents that have the word in any field. */
async function search(index: string, word: string): Promise<Record<string, unknown>[]> {
  const query = { query_string: { query: word, fields: ["message", "msg", "app.*"], lenient: true } };
  const { body } = await request(url, "POST", `/${index}/_search`, { query, size: 10 });
  return (body as Found).hits.hits.map(({ _source: source }) => source);
}
