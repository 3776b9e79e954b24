import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { loadConfig } from "../../../src/config/load.ts";
import { describeReplay } from "../../../src/cli/commands/replay.ts";
import { estimates } from "../../../src/cli/estimates.ts";
import { GzipCompressor } from "../../../src/batches/compress.ts";
import { systemClock } from "../../../src/core/clock.ts";
import type { Log } from "../../../src/core/log.ts";
import { LineFlag } from "../../../src/core/record.ts";
import type { RecordSource } from "../../../src/core/sink.ts";
import { createRecordEncoder } from "../../../src/records/encoder.ts";
import { askForReplay, letterEncoder, letterSinks, OTHER_FILES, replayHandler } from "../../../src/replay.ts";
import { createSink } from "../../../src/sinks/create.ts";
import type { Letter } from "../../../src/sinks/letter.ts";
import { takeLock } from "../../../src/state/lock.ts";
import { directory, pannier } from "./support.ts";

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };
const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A server that speaks `_bulk` and refuses documents with "poison" in them. */
async function startServer(): Promise<{ url: string; ids: string[]; documents: unknown[] }> {
  const ids: string[] = [];
  const documents: unknown[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      const text = (request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body).toString();
      const lines = text.split("\n").filter(Boolean);
      const items = lines.flatMap((line, i) => {
        if (i % 2 === 1) return [];
        const { _id: id } = (JSON.parse(line) as { create: { _id: string } }).create;
        const document = lines[i + 1];
        if (document.includes("poison"))
          return [{ create: { _id: id, status: 400, error: { type: "document_parsing_exception", reason: "no" } } }];
        ids.push(id);
        documents.push(JSON.parse(document));
        return [{ create: { _id: id, status: 201 } }];
      });
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ errors: items.some((item) => item.create.status === 400), items }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => new Promise((resolve) => void server.close(() => resolve())));
  closing.push(() => server.closeAllConnections());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, ids, documents };
}

/** A state directory with dead letters of the sink `elasticsearch`. */
function stateWith(name: string, lines: readonly string[]): { state: string; letters: () => string[] } {
  const state = path.join(directory, name);
  const file = path.join(state, "dead-letters/elasticsearch.ndjson");
  mkdirSync(path.dirname(file), { recursive: true });
  const letters = lines.map((line, i) => ({
    "@timestamp": "2026-01-02T03:04:05.000Z",
    id: `id-${i}`,
    sink: "elasticsearch",
    status: 400,
    reason: "r",
    file: "/logs/a.log",
    offset: i * 100,
    length: line.length + 1,
    line,
  }));
  writeFileSync(file, letters.map((letter) => `${JSON.stringify(letter)}\n`).join(""));
  return { state, letters: () => readFileSync(file, "utf8").split("\n").filter(Boolean) };
}

const LINES = ['{"time":"2026-01-02T03:04:05Z","msg":"one"}', "two", "poison"];

describe("replay", () => {
  test("sends each letter under its id, keeps what is refused again, and ends with 69 for it", async () => {
    const server = await startServer();
    const { state, letters } = stateWith("alone", LINES);
    const args = ["replay", "--to", `elasticsearch+${server.url}`, "--state-dir", state];
    const { code, stdout } = await pannier(args);
    expect(stdout).toBe("elasticsearch: 3 dead letters, delivered 2, refused again 1\n  /logs/a.log@200: no\n");
    expect(code).toBe(69);
    expect(server.ids).toEqual(["id-0", "id-1"]);
    expect(letters().map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(["id-2"]);
    const again = await pannier([...args, "--dry-run"]);
    expect([again.code, again.stdout]).toEqual([0, "elasticsearch: 1 dead letter, would be sent\n"]);
  });

  test("a server that is not reached: 69, and everything stays", async () => {
    const { state, letters } = stateWith("unreached", LINES);
    const { code, stdout } = await pannier([
      "replay",
      "--to",
      "elasticsearch+http://127.0.0.1:1",
      "--state-dir",
      state,
    ]);
    expect(code).toBe(69);
    expect(stdout).toMatch(/^elasticsearch: 3 dead letters, delivered 0, refused again 3\n {2}stopped: no answer from/);
    expect(letters()).toHaveLength(3);
  });

  test("a state directory that is not there: 74", async () => {
    const { code, stderr } = await pannier([
      "replay",
      "--to",
      "stdout:",
      "--state-dir",
      path.join(directory, "nowhere"),
    ]);
    expect(code).toBe(74);
    expect(stderr).toContain("cannot use the state directory");
  });

  test("the agent that runs on the directory does it", async () => {
    const server = await startServer();
    const { state, letters } = stateWith("running", LINES);
    const { config } = loadConfig({
      flags: { to: [`elasticsearch+${server.url}`], "state-dir": state },
      env: {},
      estimates: estimates(undefined),
      needsInputs: false,
    });
    const lock = await takeLock(state);
    closing.push(() => lock.release());
    const [sinkConfig] = config.sinks;
    if (sinkConfig.type !== "elasticsearch") throw new Error("another sink");
    const sink = createSink({
      config: { ...sinkConfig, manageTemplate: false },
      surroundings: { inputs: [], serviceName: undefined, podName: undefined },
      stateDir: state,
      source: {} as RecordSource,
      createCompressor: (outputBytes) => new GzipCompressor(outputBytes),
      maxRecordBytes: 1 << 16,
      log: silent,
      clock: systemClock,
    });
    closing.push(() => sink.stop());
    const encoder = letterEncoder([], [], createRecordEncoder(OTHER_FILES));
    const { signal } = new AbortController();
    lock.onRequest(replayHandler(() => ({ sinks: letterSinks([sink]), encoder, signal })));
    const dry = await askForReplay(state, true);
    expect(dry).toMatchObject([{ sink: "elasticsearch", letters: 3, delivered: 0, refused: 0 }]);
    const { code, stdout } = await pannier(["replay", "--to", `elasticsearch+${server.url}`, "--state-dir", state]);
    expect([code, stdout]).toEqual([
      69,
      "elasticsearch: 3 dead letters, delivered 2, refused again 1\n  /logs/a.log@200: no\n",
    ]);
    expect(letters()).toHaveLength(1);
    expect(await askForReplay(path.join(directory, "nobody"), false)).toBeUndefined();
  });

  test("a letter becomes the document of its line, by the input of its file", () => {
    const { config } = loadConfig({
      flags: { to: ["stdout:"], paths: ["/logs"] },
      env: {},
      estimates: estimates(undefined),
      needsInputs: true,
    });
    const options = { ...config.inputs[0], serviceName: "shop" };
    const other = createRecordEncoder(OTHER_FILES);
    const encoder = letterEncoder(config.inputs, [createRecordEncoder(options)], other);
    const documentOf = (letter: Letter): unknown => {
      const recordEncoder = encoder.encoderOf(letter);
      const out = Buffer.alloc(recordEncoder.maxEncodedBytes(letter.line.length));
      return JSON.parse(out.toString("utf8", 0, recordEncoder.encode(encoder.lineOf(letter), out, 0)));
    };
    const letter = {
      fileKey: "",
      flags: 0,
      cut: 0,
      time: "2026-01-02T03:04:05.000Z",
      id: "x",
      status: 400,
      reason: "r",
      file: "/logs/a.log",
      offset: 7,
    };
    expect(documentOf({ ...letter, length: 4, line: Buffer.from("two") })).toMatchObject({
      "@timestamp": "2026-01-02T03:04:05.000Z",
      message: "two",
      "log.file.path": "/logs/a.log",
      "log.offset": 7,
      "service.name": "shop",
      "event.timestamp_source": "assigned",
    });
    const flags = LineFlag.truncated | LineFlag.continued;
    expect(documentOf({ ...letter, length: 1000, line: Buffer.from("two"), flags, cut: 996 })).toMatchObject({
      "log.flags": ["truncated", "continued"],
      "log.original_bytes": 999,
    });
    const elsewhere = documentOf({ ...letter, file: "/other/a.log", length: 4, line: Buffer.from("two") });
    expect(elsewhere).toMatchObject({ message: "two", "log.file.path": "/other/a.log" });
    expect(elsewhere).not.toHaveProperty(["service.name"]);
  });

  test("no letters are nothing to say much about", () => {
    const none = { sink: "a", letters: 0, delivered: 0, refused: 0, reasons: [], stopped: undefined };
    expect(describeReplay(none, false)).toBe("a: 0 dead letters\n");
  });
});

describe("probe", () => {
  test("a sink that is not reached: 69, with what to look at", async () => {
    const { code, stdout } = await pannier([
      "probe",
      "--to",
      "elasticsearch+http://u:hunter2@127.0.0.1:1",
      "--to",
      "stdout:",
    ]);
    expect(code).toBe(69);
    expect(stdout).toMatch(/^elasticsearch \(http:\/\/127\.0\.0\.1:1\)\n {2}FAIL {2}reachable {2}no answer/);
    expect(stdout).toContain("stdout\n  ok    reachable");
    expect(stdout).not.toContain("hunter2");
  });

  test("standard output alone: 0", async () => {
    expect(await pannier(["probe", "--to", "stdout:"])).toMatchObject({ code: 0, stderr: "" });
  });
});
