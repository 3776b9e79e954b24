import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Readable } from "node:stream";
import { afterEach, describe, expect, test } from "vitest";
import { Batch, Outcome } from "../../../src/core/batch.ts";
import { systemClock } from "../../../src/core/clock.ts";
import type { StdoutConfig } from "../../../src/core/config.ts";
import { createStdoutSink } from "../../../src/sinks/stdout/sink.ts";
import { MemoryLog, TestSource } from "./helpers.ts";
import { until } from "./rig.ts";
import { temporaryDirectory } from "./temporary.ts";

const config: StdoutConfig = {
  type: "stdout",
  name: "out",
  batch: { maxBytes: 1 << 20, maxAgeMs: 1, inFlight: 2, compression: "none" },
};

function batchOf(lines: readonly string[], slot = 0): Batch {
  const batch = new Batch(slot, Buffer.from(lines.map((line) => `${line}\n`).join("")));
  for (const [i, line] of lines.entries()) {
    batch.starts[i] = batch.length;
    batch.length += Buffer.byteLength(line) + 1;
    batch.ends[i] = batch.length;
    batch.to[i] = line.length;
    batch.count++;
  }
  return batch;
}

const children: ChildProcessByStdio<null, Readable, Readable>[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** A process whose standard output is a pipe: it delivers that many batches of 1 MiB and says on stderr when it is done. */
function writer(batches: number): ChildProcessByStdio<null, Readable, Readable> {
  const script = path.join(import.meta.dirname, "stdout-writer.ts");
  // A shell in between makes it a pipe, as in `pannier | jq`; the child's own stdio would be a socket.
  const child = spawn("/bin/sh", ["-c", `"${process.execPath}" "${script}" ${batches} | cat`], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  return child;
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

describe("the stdout sink", () => {
  test("writes documents in order, one per line, to a file", async () => {
    const file = path.join(temporaryDirectory("out"), "out.ndjson");
    const fd = openSync(file, "w");
    const sink = createStdoutSink({ config, source: new TestSource([]), log: new MemoryLog(), clock: systemClock, fd });
    const batches = [batchOf(['{"a":1}', '{"a":2}'], 0), batchOf(['{"a":3}'], 1)];
    await Promise.all(batches.map((batch) => sink.deliver(batch)));
    await sink.stop();
    closeSync(fd);
    expect(readFileSync(file, "utf8")).toBe('{"a":1}\n{"a":2}\n{"a":3}\n');
    expect([...batches[0].outcome.subarray(0, 2)]).toEqual([Outcome.delivered, Outcome.delivered]);
    expect(sink.status()).toMatchObject({ state: "ok", deliveredLines: 3, deliveredBytes: 21, type: "stdout" });
  });

  test("goes at the pace of its reader, and its loop stays free", async () => {
    const child = writer(8);
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const closed = once(child, "close");
    // Nobody reads: the pipes are full, the batch waits, timers go on.
    await until(() => said.split("tick").length > 8);
    expect(said).not.toContain("done");
    const lines = (await textOf(child.stdout)).trimEnd().split("\n");
    expect(lines.length).toBe(8 * 1_024);
    for (const [i, line] of lines.entries()) expect(line).toMatch(new RegExp(`^{"n":${i},`));
    await closed;
    expect(said).toContain("done");
  });

  test("says so when nobody reads any more, delivers nothing, and ends", async () => {
    const script = path.join(import.meta.dirname, "stdout-writer.ts");
    const child = spawn("/bin/sh", ["-c", `"${process.execPath}" "${script}" 8 | head -n 5`], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    children.push(child);
    const [out, said] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
    expect(out.trimEnd().split("\n").length).toBe(5);
    expect(said).toContain("stdout_closed");
    expect(said).toContain("aborted");
    expect(said).not.toContain("done");
  });
});
